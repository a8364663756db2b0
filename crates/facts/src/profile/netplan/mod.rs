//! netplan's YAML (netplan(5)).
//!
//! netplan has no keys for bridge VLANs: what it makes does not filter, unless its
//! `networkmanager: passthrough:` says so, or a drop-in beside the files that it generates.

mod yaml;

use super::text::{boolean, nm_vlans, pvid};
use super::{Profile, ProfileKind};
use crate::SyntaxError;
use yaml::{Node, Value};

/// Sections of `network:` that hold devices, and the kind of link in each.
const SECTIONS: &[(&str, &str)] = &[
    ("ethernets", "ethernet"),
    ("wifis", "wifi"),
    ("modems", "modem"),
    ("bonds", "bond"),
    ("bridges", "bridge"),
    ("vlans", "vlan"),
    ("tunnels", "tunnel"),
    ("vrfs", "vrf"),
    ("dummy-devices", "dummy"),
    ("virtual-ethernets", "veth"),
    ("nm-devices", "nm"),
];

/// Reads one `*.yaml` of netplan. Several files are read as one: see [`merge`].
///
/// # Errors
/// The place where it is not YAML, or not what netplan takes.
pub fn parse(file: &str, text: &str) -> Result<Vec<Profile>, SyntaxError> {
    let Some(root) = yaml::read(text)? else {
        return Ok(Vec::new());
    };
    if root.text() == Some("") {
        return Ok(Vec::new());
    }
    if !matches!(root.value, Value::Map(_)) {
        return Err(root.error("a mapping with the key `network` is expected"));
    }
    let Some(network) = root.get("network") else {
        return Err(root.error("the key `network` is missing"));
    };
    let mut profiles = Vec::new();
    for (section, kind) in SECTIONS {
        let Some(devices) = network.get(section) else {
            continue;
        };
        if !matches!(devices.value, Value::Map(_)) && devices.text() != Some("") {
            return Err(devices.error(format!("`{section}` must hold devices by name")));
        }
        for (key, device) in devices.pairs() {
            if let Some(name) = key.text().filter(|name| *name != "renderer") {
                let mut profile = profile(file, name, kind, device)?;
                profile.line = key.line;
                profiles.push(profile);
            }
        }
    }
    // `interfaces:` of a bridge or bond names its members.
    let mut members = Vec::new();
    for (section, _) in SECTIONS
        .iter()
        .filter(|(s, _)| matches!(*s, "bridges" | "bonds"))
    {
        for (name, device) in network.get(section).into_iter().flat_map(Node::entries) {
            for member in device
                .get("interfaces")
                .map(Node::members)
                .unwrap_or_default()
            {
                let Some(member_name) = member.text() else {
                    return Err(member.error("the name of an interface is expected"));
                };
                members.push((member_name.to_owned(), name.to_owned(), member.line));
            }
        }
    }
    for (member, controller, line) in members {
        match profiles.iter_mut().find(|p| p.name == member) {
            Some(profile) => profile.controller = Some(controller),
            None => profiles.push(Profile {
                kind: ProfileKind::Netplan,
                file: file.to_owned(),
                line,
                name: member.clone(),
                interface: Some(member),
                autoconnect: true,
                controller: Some(controller),
                ..Profile::default()
            }),
        }
    }
    Ok(profiles)
}

fn profile(file: &str, name: &str, kind: &str, device: &Node) -> Result<Profile, SyntaxError> {
    let text = |node: Option<&Node>| {
        node.and_then(Node::text)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let matched = device.get("match");
    let pattern = text(matched.and_then(|m| m.get("name")));
    // With `match:` the key is a mere label, unless `set-name` makes it the name again.
    let renamed = text(device.get("set-name"));
    let interface = match (&renamed, matched) {
        (Some(name), _) => Some(name.clone()),
        (None, None) => Some(name.to_owned()),
        (None, Some(_)) => pattern.clone().filter(|p| !p.contains(['*', '?', '['])),
    };
    let off = matches!(
        text(device.get("activation-mode")).as_deref(),
        Some("manual" | "off")
    );
    let mut profile = Profile {
        kind: ProfileKind::Netplan,
        file: file.to_owned(),
        name: name.to_owned(),
        matches: pattern
            .into_iter()
            .filter(|_| interface.is_none())
            .collect(),
        mac: text(matched.and_then(|m| m.get("macaddress"))).map(|m| m.to_ascii_lowercase()),
        interface,
        kind_of_link: kind.to_owned(),
        autoconnect: !off,
        ..Profile::default()
    };
    for address in device
        .get("addresses")
        .map(Node::members)
        .unwrap_or_default()
    {
        // An address may carry options: `- 10.0.0.2/24: {label: x}`.
        let address = match address.text() {
            Some(text) => Some(text),
            None => address.entries().next().map(|(key, _)| key),
        };
        profile.addresses.extend(address.map(str::to_owned));
    }
    let servers = device.get("nameservers").and_then(|n| n.get("addresses"));
    for server in servers.map(Node::members).unwrap_or_default() {
        profile.dns.extend(server.text().map(str::to_owned));
    }
    if let Some(manager) = device.get("networkmanager") {
        profile.uuid = text(manager.get("uuid"));
        if let Some(passthrough) = manager.get("passthrough") {
            pass_through(passthrough, &mut profile)?;
        }
    }
    Ok(profile)
}

/// `bridge.vlans: "…"`, or nested as `bridge: {vlans: "…"}`.
fn pass_through(node: &Node, profile: &mut Profile) -> Result<(), SyntaxError> {
    for (key, value) in node.entries() {
        match key.split_once('.') {
            Some((section, key)) => setting(section, key, value, profile)?,
            None => {
                for (inner, value) in value.entries() {
                    setting(key, inner, value, profile)?;
                }
            }
        }
    }
    Ok(())
}

fn setting(
    section: &str,
    key: &str,
    node: &Node,
    profile: &mut Profile,
) -> Result<(), SyntaxError> {
    let value = node.text().unwrap_or("");
    match (section, key) {
        ("bridge", "vlan-filtering") => {
            profile.vlan_filtering = Some(
                boolean(value)
                    .ok_or_else(|| node.error(format!("`{value}` is neither true nor false")))?,
            );
        }
        ("bridge", "vlan-default-pvid") => {
            profile.default_pvid = Some(pvid(value).map_err(|m| node.error(m))?);
        }
        ("bridge" | "bridge-port", "vlans") => {
            profile.vlans = nm_vlans(value, node.line, node.column)?;
        }
        ("connection", "autoconnect") => {
            profile.autoconnect = boolean(value).unwrap_or(true);
        }
        _ => {}
    }
    Ok(())
}

/// Joins the profiles of several files, given in the order in which netplan reads them (by file
/// name, whatever the directory): of one device the later file adds to the earlier one.
pub fn merge(files: Vec<Vec<Profile>>) -> Vec<Profile> {
    let mut merged: Vec<Profile> = Vec::new();
    for profile in files.into_iter().flatten() {
        let Some(earlier) = merged.iter_mut().find(|p| p.name == profile.name) else {
            merged.push(profile);
            continue;
        };
        earlier.controller = profile.controller.or(earlier.controller.take());
        earlier.vlan_filtering = profile.vlan_filtering.or(earlier.vlan_filtering);
        earlier.default_pvid = profile.default_pvid.or(earlier.default_pvid);
        earlier.mac = profile.mac.or(earlier.mac.take());
        if !profile.vlans.is_empty() {
            earlier.vlans = profile.vlans;
        }
        if earlier.kind_of_link.is_empty() {
            earlier.kind_of_link = profile.kind_of_link;
        }
        earlier.addresses.extend(profile.addresses);
        earlier.dns.extend(profile.dns);
        earlier.autoconnect &= profile.autoconnect;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YAML: &str = "\
network:
  version: 2
  renderer: NetworkManager
  ethernets:
    uplink:
      match: {macaddress: AA:BB:CC:00:00:01}
      set-name: eno1
    eno2: {}
  bridges:
    br-mgmt:
      interfaces: [uplink, eno3]
      addresses: [10.50.1.12/24, '10.50.2.12/24': {label: x}]
      nameservers:
        addresses:
          - 10.50.1.53
      networkmanager:
        passthrough:
          bridge.vlan-filtering: \"true\"
          bridge.vlan-default-pvid: 0
          bridge.vlans: \"100 pvid untagged, 10\"
";

    #[test]
    fn a_bridge_with_passthrough() {
        let profiles = parse("/etc/netplan/01.yaml", YAML).unwrap();
        let named = |name: &str| profiles.iter().find(|p| p.name == name).unwrap();
        let bridge = named("br-mgmt");
        assert_eq!(bridge.vlan_filtering, Some(true));
        assert_eq!(bridge.default_pvid, Some(0));
        assert_eq!(bridge.vlans.len(), 2);
        assert_eq!(bridge.vlans[0].line, 20);
        assert_eq!(bridge.line, 10);
        assert_eq!(bridge.addresses, ["10.50.1.12/24", "10.50.2.12/24"]);
        assert_eq!(bridge.dns, ["10.50.1.53"]);
        assert_eq!(named("uplink").controller.as_deref(), Some("br-mgmt"));
        assert_eq!(named("uplink").interface.as_deref(), Some("eno1"));
        assert_eq!(named("eno3").controller.as_deref(), Some("br-mgmt"));
        assert_eq!(named("eno2").interface.as_deref(), Some("eno2"));
    }

    #[test]
    fn later_files_add() {
        let one = parse("a", YAML).unwrap();
        let two = parse(
            "b",
            "network: {bridges: {br-mgmt: {addresses: [10.0.0.1/8]}}}",
        )
        .unwrap();
        let merged = merge(vec![one, two]);
        let bridge = merged.iter().find(|p| p.name == "br-mgmt").unwrap();
        assert_eq!(bridge.addresses.len(), 3);
        assert_eq!(bridge.vlan_filtering, Some(true));
    }

    #[test]
    fn errors_have_a_place() {
        for (text, line, column) in [
            ("network:\n\tbridges: {}\n", 2, 2),
            ("network: [\n", 2, 1),
            ("- a\n", 1, 1),
            ("other: 1\n", 1, 1),
            ("network:\n  bridges: 7\n", 2, 12),
            (
                "network:\n  bridges:\n    b: {networkmanager: {passthrough: {bridge.vlans: 9999}}}\n",
                3,
                54,
            ),
        ] {
            let error = parse("f", text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text:?}: {error}"
            );
        }
        assert_eq!(parse("f", "").unwrap(), []);
        assert_eq!(parse("f", "# nothing\n").unwrap(), []);
    }

    #[test]
    fn deep_and_repeating_files_are_refused() {
        assert!(parse("f", &"[".repeat(100_000)).is_err());
        assert!(parse("f", &"- ".repeat(100_000)).is_err());
        let mut bomb = "network:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..30 {
            let item = format!("*a{}", n - 1);
            bomb.push_str(&format!(
                "  a{n}: &a{n} [{}]\n",
                [item.as_str(); 10].join(",")
            ));
        }
        assert!(parse("f", &bomb).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(network:|[ \\-\\[\\]{}:&*!|>#'\"]|[a-z]{1,4}|\n){0,40}") {
            let _ = parse("f", &text);
        }
    }
}
