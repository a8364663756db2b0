//! What is read only when a person asks: the traces of a host's past, and how a guest fares; and
//! what libvirt hands its hook.

use crate::{text, two};
use facts::history::{audit, daemon_log, message, packages, qemu_log, shell, syslog, time, wtmp};
use facts::hook::network_port;
use facts::{domain, vitals as vital};
use jiff::tz::TimeZone;
use model::vlan::{PortOf, VlanMap};

/// Logs, login records, shell histories and package logs, each as if the input were that file.
pub fn history(data: &[u8]) {
    let (line, guest) = two(data);
    let all = text(data);
    let zone = TimeZone::UTC;
    // A syslog time without a year must not lie behind the latest one that is possible.
    let latest = 1_800_000_000_000_000;
    let mut traces = wtmp::parse("/var/log/wtmp", data);
    traces.extend(syslog::parse("/var/log/messages", &line, &guest, &zone, latest));
    traces.extend(syslog::dmesg(&all));
    traces.extend(qemu_log::parse("/var/log/libvirt/qemu/a.log", &all));
    traces.extend(daemon_log::parse("/var/log/libvirt/libvirtd.log", &line, &guest));
    traces.extend(audit::parse("/var/log/audit/audit.log", &line, &guest));
    traces.extend(shell::parse("/root/.bash_history", &all, "root"));
    traces.extend(packages::dpkg("/var/log/dpkg.log", &all, &zone));
    traces.extend(packages::dnf("/var/log/dnf.log", &all));
    for trace in &traces {
        let _ = format!("{trace:?}");
    }
    let _ = message::classify("libvirtd", Some("1"), &line, &guest);
    let _ = message::kernel(&all);
    let _ = message::guest_of_cgroup(&all);
    let _ = message::bears_on_guests(&all);
    let _ = (time::absolute(&all), time::local(&all, &zone));
}

/// What /proc, sysfs, the guest's XML and `ip -j neigh` say of a running guest.
pub fn vitals(data: &[u8]) {
    let (one, other) = two(data);
    let all = text(data);
    let _ = vital::thread(&all);
    let _ = vital::schedstat(&all);
    let _ = vital::status_field(&one, &other);
    let _ = vital::meminfo(&all);
    let _ = vital::pressure(&one, &other, &one);
    let _ = vital::disk_errors(&all);
    let _ = vital::block_stats(&one, &other);
    let _ = vital::channels(&all);
    let _ = vital::neighbours(&one, &other);
}

/// The hook's standard input (before the first NUL), and the site.toml that it reads (behind it).
pub fn hook_input(data: &[u8]) {
    let (xml, site) = two(data);
    let map = VlanMap::parse(&site).unwrap_or_default();
    let host = "kvm-01";
    if let Ok(guest) = domain::parse(&xml) {
        for interface in &guest.interfaces {
            let _ = map.wanted(&PortOf {
                host,
                bridge: interface.source.as_deref().unwrap_or_default(),
                guest: Some(&guest.name),
                interface: Some(interface),
                metadata: guest.metadata_vlans.as_deref(),
            });
        }
    }
    if let Ok(port) = network_port::parse(&xml) {
        let _ = map.wanted(&PortOf {
            host,
            bridge: port.bridge.as_deref().unwrap_or_default(),
            guest: port.guest.as_deref(),
            ..PortOf::default()
        });
    }
}
