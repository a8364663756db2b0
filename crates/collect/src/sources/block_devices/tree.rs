//! Block devices of a tree: what a recorded udev database tells, superblocks of regular files
//! under `dev` that stand for devices, images that fstab names, and the LVM and md tables in
//! `etc`. All of it is partial, and the snapshot says so: a device that is not found here may
//! well be in the host.

use super::{entry, number};
use crate::HostReader;
use crate::reader::Kind;
use crate::sources::why;
use facts::block::superblock::{Image, partition_table, probe};
use facts::block::{BlockDevice, apply_udev, lvm_mapper_name, parse_lvm_backup, parse_mdadm_conf};
use facts::fstab::SourceKind;
use facts::{Known, Snapshot, Source};

/// Files and folders under `dev` that are looked at.
const MAX_FILES: usize = 2000;

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    snapshot.not_read(
        Source::BlockDevices,
        "a tree holds no kernel state: only devices recorded in it are known",
    );
    recorded(reader, snapshot);
    stand_ins(reader, snapshot);
    images(reader, snapshot);
    tables(reader, snapshot);
}

/// `run/udev/data`, with names from a recorded sysfs or from the numbers that Linux fixes.
fn recorded(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut names = std::collections::BTreeMap::new();
    for name in reader.list("/sys/class/block").unwrap_or_default() {
        if let Ok(text) = reader.text(&format!("/sys/class/block/{name}/dev"))
            && let Some(pair) = number(&text)
        {
            names.insert(pair, format!("/dev/{}", name.replace('!', "/")));
        }
    }
    for file in reader.list("/run/udev/data").unwrap_or_default() {
        let Some(pair) = file.strip_prefix('b').and_then(number) else {
            continue;
        };
        let path = format!("/run/udev/data/{file}");
        let mut device = BlockDevice::default();
        match reader.text(&path) {
            Ok(text) => apply_udev(&text, &mut device),
            Err(error) => {
                snapshot.item_not_read(Source::BlockDevices, &path, why(&path, &error));
                continue;
            }
        }
        let name = names.get(&pair).cloned().or_else(|| scsi_name(pair));
        // A device that nobody can name still has its links.
        let Some(name) = name.or_else(|| device.links.first().cloned()) else {
            continue;
        };
        device.kind = kind_of(&name).to_owned();
        device.name = name;
        snapshot.block_devices.devices.push(device);
    }
}

/// The name of a SCSI disk or partition: majors 8, 65 to 71 and 128 to 135, sixteen minors a disk
/// (admin-guide/devices in the kernel's documentation).
fn scsi_name((major, minor): (u32, u32)) -> Option<String> {
    let block = match major {
        8 => 0,
        65..=71 => major - 64,
        128..=135 => major - 120,
        _ => return None,
    };
    let mut number = block * 16 + minor / 16;
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + u8::try_from(number % 26).ok()?));
        if number < 26 {
            break;
        }
        number = number / 26 - 1;
    }
    let disk: String = letters.iter().rev().collect();
    Some(match minor % 16 {
        0 => format!("/dev/sd{disk}"),
        part => format!("/dev/sd{disk}{part}"),
    })
}

fn kind_of(name: &str) -> &'static str {
    let base = name.rsplit('/').next().unwrap_or(name);
    if base.starts_with("md") {
        "raid"
    } else if base.starts_with("dm-") {
        "dm"
    } else if base.ends_with(|c: char| c.is_ascii_digit()) && !base.starts_with("sr") {
        "part"
    } else {
        "disk"
    }
}

/// Regular files and links below `dev`.
fn stand_ins(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut folders = vec!["/dev".to_owned()];
    let (mut files, mut links) = (Vec::new(), Vec::new());
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for name in reader.list(&folder).unwrap_or_default() {
            seen += 1;
            if seen > MAX_FILES {
                break;
            }
            let path = format!("{folder}/{name}");
            match reader.lstat(&path).map(|s| s.kind) {
                Ok(Kind::File) => files.push(path),
                Ok(Kind::Link) => links.push(path),
                Ok(Kind::Directory) => folders.push(path),
                _ => {}
            }
        }
    }
    for path in files {
        look_into(reader, snapshot, &path);
    }
    for link in links {
        let Ok(target) = reader.read_link(&link) else {
            continue;
        };
        let base = target.rsplit('/').next().unwrap_or_default().to_owned();
        let devices = snapshot.block_devices.devices.iter_mut();
        for device in devices.filter(|d| d.name.rsplit('/').next() == Some(base.as_str())) {
            device.links.push(link.clone());
        }
    }
}

/// Image files that fstab names as a source (`loop`) or swaps to.
fn images(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let paths: Vec<String> = snapshot
        .fstab
        .iter()
        .filter_map(|e| match e.kind() {
            SourceKind::Loop(path) | SourceKind::SwapFile(path) => Some(path),
            _ => None,
        })
        .collect();
    for path in paths {
        if reader.stat(&path).is_ok_and(|s| s.kind == Kind::File) {
            look_into(reader, snapshot, &path);
        }
    }
}

/// Reads the superblock of one file; of a whole disk its partitions too.
fn look_into(reader: &dyn HostReader, snapshot: &mut Snapshot, path: &str) {
    let size = match reader.stat(path) {
        Ok(stat) => stat.size,
        Err(error) => {
            snapshot.item_not_read(Source::BlockDevices, path, why(path, &error));
            return;
        }
    };
    if let Err(error) = reader.read_at(path, 0, 1) {
        let device = entry(&mut snapshot.block_devices, path);
        device.fstype = Known::Unreadable(why(path, &error));
        return;
    }
    let at = |from: u64, length: u64| {
        move |offset: u64, count: usize| {
            if offset.checked_add(count as u64)? > length {
                return None;
            }
            reader.read_at(path, from.checked_add(offset)?, count).ok()
        }
    };
    let whole = at(0, size);
    let image = Image::new(size, &whole);
    let table = partition_table(&image);
    let device = entry(&mut snapshot.block_devices, path);
    fill(device, &image);
    device.kind = if table.is_some() && device.fstype.known().is_none() {
        "disk".to_owned()
    } else {
        kind_of(path).to_owned()
    };
    for partition in table.into_iter().flat_map(|t| t.partitions) {
        let separator = if path.ends_with(|c: char| c.is_ascii_digit()) {
            "p"
        } else {
            ""
        };
        let part = at(
            partition.start,
            partition.size.min(size.saturating_sub(partition.start)),
        );
        let device = entry(
            &mut snapshot.block_devices,
            &format!("{path}{separator}{}", partition.number),
        );
        // A stand-in of the partition's own was already read.
        if device.read_from.is_empty() {
            fill(device, &Image::new(partition.size, &part));
        }
        device.kind = "part".to_owned();
        device.partuuid = partition.uuid;
        device.partlabel = partition.label;
        device.parents = vec![path.to_owned()];
    }
}

fn fill(device: &mut BlockDevice, image: &Image<'_>) {
    let found = probe(image);
    device.read_from = "superblock".to_owned();
    device.fstype = match found.as_slice() {
        [] => Known::Absent,
        [one] => Known::Known(one.fstype.to_owned()),
        several => Known::Unreadable(format!(
            "several file systems are recognised on it: {}",
            several
                .iter()
                .map(|s| s.fstype)
                .collect::<Vec<_>>()
                .join(", ")
        )),
    };
    if let [one] = found.as_slice() {
        device.uuid.clone_from(&one.uuid);
        device.label.clone_from(&one.label);
        device.damage = one.damage;
    }
}

/// Logical volumes and arrays that tables in `etc` name; what is on them is not known.
fn tables(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let unknown =
        || Known::Unreadable("named by a table only; the device is not in this tree".to_owned());
    for file in reader.list("/etc/lvm/backup").unwrap_or_default() {
        let text = reader.text(&format!("/etc/lvm/backup/{file}"));
        let Some((group, volumes)) = text.ok().and_then(|t| parse_lvm_backup(&t)) else {
            continue;
        };
        for volume in volumes {
            let name = format!("/dev/mapper/{}", lvm_mapper_name(&group, &volume));
            let device = entry(&mut snapshot.block_devices, &name);
            device.links.push(format!("/dev/{group}/{volume}"));
            device.kind = "lvm".to_owned();
            if device.read_from.is_empty() {
                device.read_from = "lvm".to_owned();
                device.fstype = unknown();
            }
        }
    }
    for path in ["/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"] {
        for (name, _) in reader
            .text(path)
            .map_or_else(|_| Vec::new(), |t| parse_mdadm_conf(&t))
        {
            let device = entry(&mut snapshot.block_devices, &name);
            device.kind = "raid".to_owned();
            if device.read_from.is_empty() {
                device.read_from = "mdadm".to_owned();
                device.fstype = unknown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalReader;
    use std::os::unix::fs::symlink;

    #[test]
    fn numbers_of_scsi_disks() {
        assert_eq!(scsi_name((8, 17)).as_deref(), Some("/dev/sdb1"));
        assert_eq!(scsi_name((65, 160)).as_deref(), Some("/dev/sdaa"));
        assert_eq!(scsi_name((8, 240)).as_deref(), Some("/dev/sdp"));
        assert_eq!(scsi_name((259, 1)), None);
    }

    #[test]
    fn a_recorded_database_and_a_stand_in() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for folder in ["run/udev/data", "dev/disk/by-label", "etc/lvm/backup"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(
            root.join("run/udev/data/b8:2"),
            "I:1\nE:ID_FS_TYPE=xfs\nE:ID_FS_UUID_ENC=ab\n",
        )
        .unwrap();
        // ext2's magic and nothing else.
        let mut image = vec![0_u8; 70 * 1024];
        image[1080..1082].copy_from_slice(&[0x53, 0xef]);
        std::fs::write(root.join("dev/sdb1"), &image).unwrap();
        symlink("../../sdb1", root.join("dev/disk/by-label/data")).unwrap();
        std::fs::write(
            root.join("etc/lvm/backup/vg0"),
            "vg0 {\nlogical_volumes {\nroot {\n}\n}\n}\n",
        )
        .unwrap();
        std::fs::write(root.join("etc/fstab"), "/dev/sdb1 /data xfs defaults 0 2\n").unwrap();
        let reader = LocalReader::rooted(root).unwrap();
        let mut snapshot = Snapshot::new("host");
        super::super::collect(&reader, &crate::Options::default(), &mut snapshot);
        let devices = &snapshot.block_devices;
        let of = |source: &str| facts::block::resolve(devices, source).unwrap();
        assert_eq!(of("UUID=ab").name, "/dev/sda2");
        assert_eq!(
            of("/dev/disk/by-label/data").fstype,
            Known::Known("ext2".into())
        );
        assert!(of("/dev/vg0/root").fstype.unreadable().is_some());
        assert!(snapshot.why_unread(Source::BlockDevices).is_some());
    }
}
