//! Block devices of the running host: sysfs names them, udev's database tells what is on them;
//! where there is no udev, root asks blkid.

use super::number;
use crate::sources::why;
use crate::{HostReader, Options, command};
use facts::block::{BlockDevice, apply_blkid, apply_udev, parse_mdstat};
use facts::{Known, Snapshot, Source};
use std::io;

const CLASS: &str = "/sys/class/block";
const DATABASE: &str = "/run/udev/data";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    let names = match reader.list(CLASS) {
        Ok(names) => names,
        Err(error) => {
            snapshot.not_read(Source::BlockDevices, why(CLASS, &error));
            return;
        }
    };
    let udev = reader.list(DATABASE).is_ok_and(|files| !files.is_empty());
    for name in names {
        if let Some(mut device) = from_sysfs(reader, &name) {
            if udev {
                from_udev(reader, &name, &mut device);
            } else {
                links_in_dev(reader, &mut device);
                from_blkid(options, &mut device);
            }
            snapshot.block_devices.devices.push(device);
        }
    }
    md_states(reader, snapshot);
}

/// Kernel name, kind, parents, state; `None` for a loop device without a file, a RAM disk, and a
/// medium-less drive (size 0).
fn from_sysfs(reader: &dyn HostReader, name: &str) -> Option<BlockDevice> {
    let file = |file: &str| {
        let text = reader.text(&format!("{CLASS}/{name}/{file}")).ok()?;
        Some(text.trim().to_owned())
    };
    if file("size").as_deref() == Some("0") || name.starts_with("ram") {
        return None;
    }
    let mut device = BlockDevice {
        // In sysfs a slash in a device's name is written as an exclamation mark.
        name: format!("/dev/{}", name.replace('!', "/")),
        kind: "disk".to_owned(),
        ..BlockDevice::default()
    };
    if file("partition").is_some() {
        device.kind = "part".to_owned();
        // …/block/sdb/sdb1: the directory above is the disk.
        if let Ok(link) = reader.read_link(&format!("{CLASS}/{name}"))
            && let Some(disk) = link.rsplit('/').nth(1)
        {
            device
                .parents
                .push(format!("/dev/{}", disk.replace('!', "/")));
        }
    } else if let Some(uuid) = file("dm/uuid") {
        device.kind = match uuid.split('-').next() {
            Some("LVM") => "lvm",
            Some("CRYPT") => "crypt",
            Some("mpath") => "mpath",
            Some(part) if part.starts_with("part") => "part",
            _ => "dm",
        }
        .to_owned();
        if file("dm/suspended").as_deref() == Some("1") {
            device.state = Some("suspended".to_owned());
        }
    } else if let Some(state) = file("md/array_state") {
        device.kind = "raid".to_owned();
        let degraded = file("md/degraded").is_some_and(|n| n != "0");
        device.state = Some(if degraded {
            "degraded".to_owned()
        } else {
            state
        });
    } else if name.starts_with("loop") {
        device.kind = "loop".to_owned();
        device.parents.extend(file("loop/backing_file"));
    } else if name.starts_with("sr") {
        device.kind = "rom".to_owned();
    }
    // Of a mounted ext4 the kernel counts the errors that it met since the last check; no device is read.
    let errors = reader.text(&format!("/sys/fs/ext4/{name}/errors_count"));
    if errors.is_ok_and(|count| count.trim() != "0") {
        device.damage = Some(facts::block::Damage::Errors);
    }
    if let Some(mapped) = file("dm/name") {
        device.links.push(format!("/dev/mapper/{mapped}"));
    }
    if let Ok(slaves) = reader.list(&format!("{CLASS}/{name}/slaves")) {
        let parents = slaves
            .iter()
            .map(|s| format!("/dev/{}", s.replace('!', "/")));
        device.parents.extend(parents);
    }
    Some(device)
}

fn from_udev(reader: &dyn HostReader, name: &str, device: &mut BlockDevice) {
    let record = reader
        .text(&format!("{CLASS}/{name}/dev"))
        .ok()
        .and_then(|text| number(&text))
        .map(|(major, minor)| reader.text(&format!("{DATABASE}/b{major}:{minor}")));
    match record {
        Some(Ok(text)) => apply_udev(&text, device),
        // udev writes no record for a device of which it has nothing to say.
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            apply_udev("", device);
        }
        Some(Err(error)) => device.fstype = Known::Unreadable(why(DATABASE, &error)),
        None => device.fstype = Known::Unreadable("sysfs gives no device number".to_owned()),
    }
}

/// Names under `/dev/disk` that something else than udev made.
fn links_in_dev(reader: &dyn HostReader, device: &mut BlockDevice) {
    for kind in [
        "by-uuid",
        "by-label",
        "by-partuuid",
        "by-partlabel",
        "by-id",
        "by-path",
    ] {
        let directory = format!("/dev/disk/{kind}");
        for name in reader.list(&directory).unwrap_or_default() {
            let link = format!("{directory}/{name}");
            let target = reader.read_link(&link).unwrap_or_default();
            if target.rsplit('/').next() == device.name.rsplit('/').next() {
                device.links.push(link);
            }
        }
    }
}

/// Lets blkid(8) read the superblock, in its own process with a deadline: a dead iSCSI disk
/// blocks whoever reads from it.
fn from_blkid(options: &Options, device: &mut BlockDevice) {
    let args = ["-p", "-o", "udev", device.name.as_str()];
    let unreadable = |why: String| Known::Unreadable(why);
    if !rustix::process::geteuid().is_root() {
        device.fstype =
            unreadable("no udev here, and only root reads devices (run as root)".to_owned());
        return;
    }
    match command::run("blkid", &args, &[], options.deadline) {
        // blkid(8): 2 is "nothing recognised" (or cannot be opened), 8 "several recognised".
        Ok(done)
            if done.status.success()
                || (done.status.code() == Some(2) && done.stderr.is_empty()) =>
        {
            apply_blkid(&String::from_utf8_lossy(&done.stdout), device);
        }
        Ok(done) if done.status.code() == Some(8) => {
            device.fstype = unreadable("blkid recognises several file systems on it".to_owned());
        }
        Ok(done) => device.fstype = unreadable(format!("blkid: {}", done.stderr)),
        Err(error) => device.fstype = unreadable(error.to_string()),
    }
}

/// `/proc/mdstat` sees a missing member that sysfs of old kernels does not count.
fn md_states(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let Ok(text) = reader.text("/proc/mdstat") else {
        return;
    };
    for array in parse_mdstat(&text) {
        let name = format!("/dev/{}", array.name);
        let devices = snapshot.block_devices.devices.iter_mut();
        for device in devices.filter(|d| d.name == name) {
            if array.state != "active" || device.state.is_none() {
                device.state = Some(array.state.clone());
            }
        }
    }
}
