//! fstab, mounts, block devices, images, guests and pools.

use crate::{text, two};
use facts::block::{self, BlockDevice, superblock};
use facts::hook::network_port;
use facts::{domain, fstab, image, mount, network as networks, pool};
use model::vlan::{PortOf, VlanMap};

/// fstab writes back byte for byte, and an edited line is read back as it was meant.
pub fn fstab(data: &[u8]) {
    let text = text(data);
    let mut document = fstab::parse(&text);
    assert_eq!(document.to_string(), text);
    for (line, number) in document.lines().iter().zip(1..) {
        let _ = fstab::remarks(&line.text, number);
    }
    for entry in document.entries() {
        let _ = fstab::classify(&entry.source, &entry.fstype, &entry.options);
        let _ = facts::path::is_below(&entry.target, "/mnt");
        if let Some(target) = fstab::encode(&entry.target) {
            assert_eq!(fstab::decode(&target), entry.target);
        }
        let mut options = entry.options.clone();
        options.push("nofail".to_owned());
        if document.set_options(entry.line, &options).is_ok() {
            let again = fstab::parse(&document.to_string()).entries();
            let edited = again.iter().find(|e| e.line == entry.line);
            let edited = edited.expect("an edited line stays an entry");
            assert!(edited.has_option("nofail"), "{edited:?}");
            assert_eq!(
                (&edited.source, &edited.target, &edited.fstype),
                (&entry.source, &entry.target, &entry.fstype)
            );
        }
    }
}

/// The kernel's mount table.
pub fn mountinfo(data: &[u8]) {
    if let Ok(mounts) = mount::parse_mountinfo(&text(data)) {
        let _ = mount::mount_of("/var/lib/libvirt/images/a.qcow2", &mounts);
    }
}

/// What lies on a device, from its bytes.
pub fn superblock(data: &[u8]) {
    let read = |offset: u64, length: usize| {
        let start = usize::try_from(offset).ok()?;
        data.get(start..start.checked_add(length)?)
            .map(<[u8]>::to_vec)
    };
    let image = superblock::Image::new(data.len() as u64, &read);
    let _ = superblock::probe(&image);
    let _ = superblock::partition_table(&image);
    // A device far larger than what can be read of it: every byte beyond is zero.
    let sparse = |offset: u64, length: usize| {
        assert!(length <= 1 << 20, "a read of {length} bytes at once");
        let mut bytes = vec![0; length];
        for (at, byte) in (offset..).zip(&mut bytes) {
            *byte = usize::try_from(at)
                .ok()
                .and_then(|at| data.get(at))
                .map_or(0, |b| *b);
        }
        Some(bytes)
    };
    let image = superblock::Image::new(1 << 44, &sparse);
    let _ = superblock::probe(&image);
    let _ = superblock::partition_table(&image);
}

/// udev's database and blkid's output.
pub fn udev(data: &[u8]) {
    let text = text(data);
    for apply in [block::apply_udev, block::apply_blkid] {
        apply(&text, &mut BlockDevice::default());
    }
}

/// crypttab, mdstat, mdadm.conf and LVM's metadata backup.
pub fn tables(data: &[u8]) {
    let text = text(data);
    let _ = block::parse_crypttab(&text);
    let _ = block::parse_mdstat(&text);
    let _ = block::parse_mdadm_conf(&text);
    if let Some((group, volumes)) = block::parse_lvm_backup(&text) {
        for volume in volumes {
            let _ = block::lvm_mapper_name(&group, &volume);
        }
    }
}

/// Domain XML: as a definition that is edited, and as libvirt hands it to the hook.
pub fn domain(data: &[u8]) {
    let text = text(data);
    let _ = network_port::parse(&text);
    let Ok(guest) = domain::parse(&text) else {
        return;
    };
    for interface in &guest.interfaces {
        let _ = VlanMap::default().wanted(&PortOf {
            guest: Some(&guest.name),
            interface: Some(interface),
            metadata: guest.metadata_vlans.as_deref(),
            ..PortOf::default()
        });
        let mac = interface.mac.as_deref().unwrap_or_default();
        if let Ok(edited) = domain::with_vlan(&text, mac, "<vlan><tag id='1'/></vlan>") {
            let again = domain::parse(&edited).map(|g| g.interfaces.len());
            assert_eq!(again.ok(), Some(guest.interfaces.len()));
        }
    }
    let _ = domain::merge(guest.clone(), guest);
}

/// Storage pool XML.
pub fn pool(data: &[u8]) {
    if let Ok(pool) = pool::parse(&text(data)) {
        let _ = pool.volume_path("a.qcow2");
    }
}

/// Network XML.
pub fn network(data: &[u8]) {
    let _ = networks::parse(&text(data));
}

/// Snapshot XML.
pub fn snapshot_xml(data: &[u8]) {
    let _ = image::snapshot::parse(&text(data));
}

/// The head of a managed-save image.
pub fn managed_save(data: &[u8]) {
    let _ = image::save::parse(data);
}

/// Headers of disk images.
pub fn image_header(data: &[u8]) {
    let _ = image::header::parse(data);
}

/// Backing names: an image's path and the name in its header.
pub fn backing(data: &[u8]) {
    let (path, name) = two(data);
    let _ = image::backing::resolve(&path, &name);
    let _ = image::backing::beside(&path, &name);
}
