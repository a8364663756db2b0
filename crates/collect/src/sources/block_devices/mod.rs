//! Block devices: the kernel's list with udev's database (else blkid), or, in a tree, a recorded
//! database and regular files under `dev` that stand for devices; crypttab, LVM and md tables.

mod live;
mod tree;

use super::why;
use crate::{HostReader, Options};
use facts::block::{BlockDevice, BlockDevices, parse_crypttab};
use facts::{Snapshot, Source};
use std::io;

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if reader.live() {
        live::collect(reader, options, snapshot);
    } else {
        tree::collect(reader, snapshot);
    }
    crypttab(reader, snapshot);
    for device in &mut snapshot.block_devices.devices {
        device.links.sort();
        device.links.dedup();
    }
}

fn crypttab(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    const PATH: &str = "/etc/crypttab";
    match reader.text(PATH) {
        Ok(text) => {
            let (entries, errors) = parse_crypttab(&text);
            snapshot.block_devices.crypttab = entries;
            snapshot.block_devices.crypttab_errors = errors;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => snapshot.item_not_read(Source::BlockDevices, PATH, why(PATH, &error)),
    }
}

/// The device of a name, added where it is not there yet.
fn entry<'a>(devices: &'a mut BlockDevices, name: &str) -> &'a mut BlockDevice {
    let index = devices.devices.iter().position(|d| d.name == name);
    let index = index.unwrap_or_else(|| {
        devices.devices.push(BlockDevice {
            name: name.to_owned(),
            ..BlockDevice::default()
        });
        devices.devices.len() - 1
    });
    &mut devices.devices[index]
}

/// `8:17` of a sysfs file `dev`.
fn number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
