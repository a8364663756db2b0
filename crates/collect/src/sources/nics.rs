//! Physical network interfaces from sysfs: every `/sys/class/net/NAME` with a `device` link
//! (Documentation/ABI/testing/sysfs-class-net).

use super::why;
use crate::{HostReader, Options};
use facts::nic::Nic;
use facts::{Snapshot, Source};
use std::collections::BTreeMap;

const NET: &str = "/sys/class/net";

/// More interfaces than any host has; a bound for what comes from outside.
const MOST: usize = 4096;

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    // A recorded tree may hold /sys; a dead host's disk does not, or has an empty mount point.
    let names = match reader.list(NET) {
        Ok(names) => names,
        Err(_) if !reader.live() => {
            snapshot.not_read(
                Source::Nics,
                "a tree holds no kernel state (no sys/class/net)",
            );
            return;
        }
        Err(error) => {
            snapshot.not_read(Source::Nics, why(NET, &error));
            return;
        }
    };
    for name in names.iter().take(MOST) {
        // A link: the device lies elsewhere below /sys. Not followed: whether it is there is all.
        if reader.lstat(&format!("{NET}/{name}/device")).is_ok() {
            snapshot.nics.push(nic(reader, name));
        }
    }
}

fn nic(reader: &dyn HostReader, name: &str) -> Nic {
    let directory = format!("{NET}/{name}");
    // Absent attributes and those that a driver refuses (EINVAL for the speed of a link that is
    // down) are both "does not tell".
    let value = |attribute: &str| {
        reader
            .text(&format!("{directory}/{attribute}"))
            .ok()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let last = |link: &str| {
        reader
            .read_link(&format!("{directory}/{link}"))
            .ok()
            .and_then(|target| target.rsplit('/').next().map(str::to_owned))
    };
    Nic {
        name: name.to_owned(),
        mac: value("address").map(|mac| mac.to_ascii_lowercase()),
        state: value("operstate"),
        // -1 where the driver does not know.
        speed: value("speed")
            .and_then(|speed| speed.parse().ok())
            .filter(|speed| *speed > 0),
        duplex: value("duplex").filter(|duplex| duplex != "unknown"),
        driver: last("device/driver"),
        controller: last("master"),
        counters: counters(reader, &directory),
    }
}

fn counters(reader: &dyn HostReader, directory: &str) -> BTreeMap<String, u64> {
    let statistics = format!("{directory}/statistics");
    let mut counters = BTreeMap::new();
    for name in reader.list(&statistics).unwrap_or_default() {
        // Bytes and packets change by themselves and tell of no error, but a rate of errors
        // needs the packets.
        let wanted = ["error", "dropped", "collisions", "packets"]
            .iter()
            .any(|part| name.contains(part));
        if wanted
            && let Ok(text) = reader.text(&format!("{statistics}/{name}"))
            && let Ok(count) = text.trim().parse()
        {
            counters.insert(name, count);
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalReader;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_recorded_sysfs() {
        let dir = tempfile::tempdir().unwrap();
        let net = dir.path().join("sys/class/net");
        let device = dir
            .path()
            .join("sys/devices/pci0000:00/0000:01:00.0/net/eno1");
        fs::create_dir_all(device.join("statistics")).unwrap();
        fs::create_dir_all(dir.path().join("sys/devices/virtual/net/lo")).unwrap();
        fs::create_dir_all(&net).unwrap();
        symlink(
            "../../devices/pci0000:00/0000:01:00.0/net/eno1",
            net.join("eno1"),
        )
        .unwrap();
        symlink("../../devices/virtual/net/lo", net.join("lo")).unwrap();
        symlink("../../../0000:01:00.0", device.join("device")).unwrap();
        symlink(
            "../../../../bus/pci/drivers/ixgbe",
            dir.path()
                .join("sys/devices/pci0000:00/0000:01:00.0/driver"),
        )
        .unwrap();
        symlink("../../../../virtual/net/br-mgmt", device.join("master")).unwrap();
        for (file, text) in [
            ("address", "3C:EC:EF:00:00:01\n"),
            ("operstate", "up\n"),
            ("speed", "10000\n"),
            ("duplex", "full\n"),
            ("statistics/rx_crc_errors", "386\n"),
            ("statistics/rx_bytes", "123\n"),
        ] {
            fs::write(device.join(file), text).unwrap();
        }
        let reader = LocalReader::rooted(dir.path()).unwrap();
        let mut snapshot = Snapshot::new("kvm-01");
        collect(&reader, &Options::default(), &mut snapshot);
        assert_eq!(snapshot.nics.len(), 1, "{:?}", snapshot.nics);
        let nic = &snapshot.nics[0];
        assert_eq!(nic.mac.as_deref(), Some("3c:ec:ef:00:00:01"));
        assert_eq!(nic.speed, Some(10_000));
        assert_eq!(nic.driver.as_deref(), Some("ixgbe"));
        assert_eq!(nic.controller.as_deref(), Some("br-mgmt"));
        assert_eq!(nic.counters.get("rx_crc_errors"), Some(&386));
        assert!(!nic.counters.contains_key("rx_bytes"));
        assert!(snapshot.unread.is_empty());
    }

    #[test]
    fn a_tree_without_sysfs_was_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let reader = LocalReader::rooted(dir.path()).unwrap();
        let mut snapshot = Snapshot::new("kvm-01");
        collect(&reader, &Options::default(), &mut snapshot);
        assert!(snapshot.why_unread(Source::Nics).is_some());
    }
}
