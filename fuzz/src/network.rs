//! Bridges, network profiles and switches.

use crate::{text, two};
use collect::netlink::decode;
use facts::profile::{self, Profile};
use facts::switch::{self, Switch};
use facts::{bridge, profile::keyfile::Keyfile};

/// What any list of profiles must bear: the question what they restore. Asked for some of them: for
/// all with all it would be asked more often than any rule does.
fn restore(profiles: &[Profile]) {
    for profile in profiles.iter().take(4) {
        let Some(bridge) = &profile.interface else {
            continue;
        };
        let _ = profile::restores(profiles, bridge, None);
        for port in profiles.iter().take(4).filter_map(|p| p.interface.as_deref()) {
            let _ = profile::restores(profiles, bridge, Some(port));
        }
    }
}

/// NetworkManager's keyfiles: they write back byte for byte, and a value that was set is read
/// back.
pub fn keyfile(data: &[u8]) {
    let text = text(data);
    if let Ok(profiles) = profile::keyfile::parse("a.nmconnection", &text) {
        restore(&profiles);
    }
    let Ok(mut file) = Keyfile::parse(&text) else {
        return;
    };
    assert_eq!(file.to_string(), text);
    if file.set("bridge", "vlan-default-pvid", "100").is_ok() {
        assert_eq!(file.get("bridge", "vlan-default-pvid"), Some("100"));
        let again = Keyfile::parse(&file.to_string()).expect("an edited keyfile is a keyfile");
        assert_eq!(again.get("bridge", "vlan-default-pvid"), Some("100"));
        let _ = file.unset("bridge", "vlan-default-pvid");
    }
}

/// Red Hat's ifcfg files.
pub fn ifcfg(data: &[u8]) {
    if let Ok(profiles) = profile::ifcfg::parse("ifcfg-a", &text(data)) {
        restore(&profiles);
    }
}

/// systemd-networkd's files, and the patterns in them.
pub fn networkd(data: &[u8]) {
    let text = text(data);
    for file in ["a.network", "a.netdev"] {
        if let Ok(profiles) = profile::networkd::parse(file, &text) {
            restore(&profiles);
        }
    }
    let (pattern, name) = two(data);
    let _ = profile::glob(&pattern, &name);
}

/// netplan's YAML.
pub fn netplan(data: &[u8]) {
    if let Ok(profiles) = profile::netplan::parse("a.yaml", &text(data)) {
        restore(&profiles);
    }
}

/// interfaces(5) of ifupdown and ifupdown2.
pub fn ifupdown(data: &[u8]) {
    let text = text(data);
    let _ = profile::ifupdown::includes(&text);
    if let Ok(profiles) = profile::ifupdown::parse("interfaces", &text) {
        restore(&profiles);
    }
}

/// Scripts that set VLANs with `bridge`, `ip` and `nmcli`.
pub fn commands(data: &[u8]) {
    let text = text(data);
    restore(&profile::commands::parse("rc.local", &text));
}

/// `bridge -j vlan show`.
pub fn vlan_show(data: &[u8]) {
    let text = text(data);
    let _ = bridge::parse_vlan_show(&text);
    let _ = bridge::vid::range(&text);
}

/// The kernel's dumps of links and of bridge ports; the first two bytes say where one ends and
/// the other begins.
pub fn netlink(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let middle = usize::from(u16::from_le_bytes(*head)).min(rest.len());
    let (all, bridges) = rest.split_at(middle);
    if let Ok(links) = decode::links(all, bridges, &|name| name.starts_with("en")) {
        let mut bridges = bridge::assemble(&links);
        bridge::link::name_guests(&mut bridges, [("vnet0", "a")]);
    }
}

/// Whatever must hold of a switch that was read.
fn judged(switch: Switch) {
    let _ = switch::compare::unsaved(&switch);
    let merged = Switch::merge([switch]);
    assert!(switch::diff::diff(&merged, &merged).changes.is_empty());
}

/// Any saved Cisco text.
pub fn ios(data: &[u8]) {
    if let Ok(switch) = switch::parse("running.txt", &text(data)) {
        judged(switch);
    }
}

/// Two states of one switch.
pub fn ios_diff(data: &[u8]) {
    let (before, after) = two(data);
    let read = |text: &str| switch::parse("running.txt", text).map(|s| Switch::merge([s]));
    if let (Ok(before), Ok(after)) = (read(&before), read(&after)) {
        let _ = switch::diff::diff(&before, &after);
        let _ = Switch::merge([before, after]);
    }
}
