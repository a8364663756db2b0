//! Upgrades of what guests run on: `/var/log/dpkg.log`, `/var/log/dnf.rpm.log`.

use super::time;
use super::{Trace, What};
use jiff::tz::TimeZone;

/// Packages whose change may restart or break guests.
const OURS: [&str; 9] = [
    "qemu",
    "libvirt",
    "virt",
    "systemd",
    "kernel",
    "linux-image",
    "openvswitch",
    "NetworkManager",
    "network-manager",
];

fn concerns(package: &str) -> bool {
    OURS.iter().any(|name| package.starts_with(name))
}

/// dpkg's log: `2026-11-22 23:00:00 upgrade libvirt0:amd64 9.0.0-4 9.0.0-5`, in local time.
pub fn dpkg(file: &str, text: &str, zone: &TimeZone) -> Vec<Trace> {
    let one = |(index, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let (day, clock, act, package) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        if !matches!(act, "install" | "upgrade" | "remove") || !concerns(package) {
            return None;
        }
        let at = time::local(&format!("{day}T{clock}"), zone)?;
        let text = format!("{act} {package}");
        Some(Trace::of_line(
            at,
            What::Package { text },
            file,
            index + 1,
            line,
        ))
    };
    text.lines().enumerate().filter_map(one).collect()
}

/// dnf's log: `2026-11-22T23:00:00+0000 SUBDEBUG Upgrade: qemu-kvm-core-17:9.1.0-15.el9.x86_64`.
pub fn dnf(file: &str, text: &str) -> Vec<Trace> {
    let one = |(index, line): (usize, &str)| {
        let (stamp, rest) = line.split_once(' ')?;
        let (_, rest) = rest.split_once(' ')?;
        let (act, package) = rest.split_once(": ")?;
        let known = matches!(
            act,
            "Upgrade" | "Upgraded" | "Installed" | "Erase" | "Removed" | "Downgrade"
        );
        if !known || !concerns(package) {
            return None;
        }
        let at = time::absolute(stamp)?;
        let text = format!("{} {package}", act.to_lowercase());
        Some(Trace::of_line(
            at,
            What::Package { text },
            file,
            index + 1,
            line,
        ))
    };
    text.lines().enumerate().filter_map(one).collect()
}
