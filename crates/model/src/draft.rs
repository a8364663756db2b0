//! A first site.toml, drafted from what was read: names, addresses and VLANs filled in, intent
//! left as comments for a person to decide.

use crate::Estate;
use facts::Snapshot;
use facts::bridge::{Bridge, Device, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

/// The text of a first site.toml. It always parses.
pub fn draft(estate: &Estate) -> String {
    let mut text = String::from(
        "# What cannot be read from a machine. Drafted by `nofail init` from what it saw:\n\
         # read it, decide what stands in comments, and keep it under version control.\n",
    );
    for host in &estate.hosts {
        draft_host(host, &mut text);
    }
    draft_bridges(estate, &mut text);
    draft_nas(estate, &mut text);
    draft_groups(estate, &mut text);
    draft_guests(estate, &mut text);
    text
}

/// A TOML key or string: every name that was read goes through here.
/// One line always (a key may not span lines): toml's own writer chooses multi-line strings.
fn quoted(name: &str) -> String {
    let escaped: String = name
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn draft_host(host: &Snapshot, text: &mut String) {
    let name = key(&host.host);
    let _ = write!(text, "\n[hosts.{name}]\n");
    let addresses = addresses(host);
    if !addresses.is_empty() {
        let _ = writeln!(
            text,
            "addresses = {}",
            list(addresses.iter().map(|a| quoted(a)))
        );
    }
    let _ = writeln!(
        text,
        "# address = \"root@{}\"   # collect over SSH",
        host.host.escape_default()
    );
    let configured = host.bmc.address.as_deref().filter(|a| *a != "0.0.0.0");
    match configured {
        Some(address) => {
            let _ = write!(
                text,
                "\n[hosts.{name}.bmc]\naddress = {}\nkind = \"ipmi\"\n\
                 # verified = \"YYYY-MM-DD\"   # when somebody last saw it work\n",
                quoted(address)
            );
        }
        None => text
            .push_str("# bmc = { address = \"…\", kind = \"ipmi\", verified = \"YYYY-MM-DD\" }\n"),
    }
    for bridge in &host.bridges {
        for port in bridge.ports.iter().filter(|p| p.role == Role::Uplink) {
            let _ = write!(
                text,
                "\n# [hosts.{name}.uplinks.{}]   # where it is plugged in\n\
                 # switch = \"…\"\n# port = \"…\"\n# bridge = {}\n",
                key(&port.name),
                quoted(&bridge.name)
            );
        }
    }
}

/// Addresses under which others reach the host: those of its profiles, and what the kernel has on
/// the ways out. A bridge without an uplink (libvirt's own, a container engine's) has the same
/// address on every host, and `0.0.0.0/28` asks systemd-networkd for any free range.
fn addresses(host: &Snapshot) -> BTreeSet<&str> {
    let leads_out = |device: &&Device| {
        let of_host = matches!(device.kind.as_str(), "physical" | "bond" | "team" | "vlan");
        let mut bridges = host.bridges.iter();
        let with_uplink = |b: &Bridge| b.name == device.name && b.uplinks().next().is_some();
        of_host || bridges.any(with_uplink)
    };
    let profiles = host.profiles.iter().flat_map(|profile| &profile.addresses);
    let kernel = host.devices.iter().filter(leads_out);
    profiles
        .chain(kernel.flat_map(|device| &device.addresses))
        .filter_map(|address| address.split('/').next())
        .filter(|address| {
            address
                .parse()
                .is_ok_and(|ip: IpAddr| !ip.is_unspecified() && !ip.is_loopback())
        })
        .collect()
}

fn draft_bridges(estate: &Estate, text: &mut String) {
    let mut seen = BTreeSet::new();
    let bridges = estate.hosts.iter().flat_map(|h| &h.bridges);
    for bridge in bridges.filter(|b| b.vlan_filtering == Some(true)) {
        if let (true, Some((pvid, tagged))) = (seen.insert(&bridge.name), usual(estate, bridge)) {
            let tagged = list(tagged.iter().map(u16::to_string));
            let _ = write!(
                text,
                "\n# As most guests' ports have it now; is it as it should be?\n[bridges.{}]\n\
                 pvid = {pvid}\ntagged = {tagged}\n",
                key(&bridge.name)
            );
        }
    }
}

/// PVID and tagged VLANs that most guests' ports of the bridges of this name have. A snapshot may
/// hold numbers that are no VLANs; a plan may not.
fn usual(estate: &Estate, bridge: &Bridge) -> Option<(u16, Vec<u16>)> {
    let mut counts: BTreeMap<(u16, Vec<u16>), usize> = BTreeMap::new();
    for same in estate.hosts.iter().flat_map(|h| &h.bridges) {
        for port in same.ports.iter().filter(|p| p.role == Role::Guest) {
            let pvid = port.pvid.filter(is_vlan);
            if let (true, Some(pvid)) = (same.name == bridge.name, pvid) {
                let tagged = port.tagged.iter().copied().filter(is_vlan).collect();
                *counts.entry((pvid, tagged)).or_default() += 1;
            }
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(plan, _)| plan)
}

/// IEEE 802.1Q: 0 and 4095 are reserved.
fn is_vlan(vlan: &u16) -> bool {
    (1..=4094).contains(vlan)
}

fn draft_nas(estate: &Estate, text: &mut String) {
    let mut exports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for host in &estate.hosts {
        for entry in &host.fstab {
            if !entry.fstype.starts_with("nfs") {
                continue;
            }
            if let Some((server, path)) = entry.source.rsplit_once(":/") {
                exports
                    .entry(server.trim_matches(['[', ']']).to_owned())
                    .or_default()
                    .insert(format!("/{path}"));
            }
        }
    }
    for (server, paths) in exports {
        let _ = write!(text, "\n[nas.{}]\n", key(&server));
        if server.parse::<IpAddr>().is_ok() {
            let _ = writeln!(text, "addresses = [{}]", quoted(&server));
        } else {
            text.push_str("# addresses = [\"…\"]\n");
        }
        let _ = writeln!(text, "exports = {}", list(paths.iter().map(|p| quoted(p))));
    }
}

/// Guests that differ in a final number only are probably twins: `dns-01`, `dns-02`.
fn stems(estate: &Estate) -> BTreeMap<&str, Vec<&str>> {
    let mut stems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for guest in estate.hosts.iter().flat_map(|h| &h.guests) {
        let stem = guest.name.trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() < guest.name.len() && !stem.is_empty() {
            stems.entry(stem).or_default().push(&guest.name);
        }
    }
    for names in stems.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    stems.retain(|_, names| names.len() > 1);
    stems
}

fn draft_groups(estate: &Estate, text: &mut String) {
    for (stem, names) in stems(estate) {
        let name = stem.trim_end_matches(['-', '_', '.']);
        if name.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\n# Are these an HA group? Then how many of them must live?\n# [groups.{}]\n\
             # members = {}\n# need = 1\n",
            key(name),
            list(names.iter().map(|n| quoted(n)))
        );
    }
}

fn draft_guests(estate: &Estate, text: &mut String) {
    let mut seen = BTreeSet::new();
    for host in &estate.hosts {
        for guest in &host.guests {
            if seen.insert(&guest.name) {
                let _ = write!(
                    text,
                    "\n[guests.{}]\nhost = {}\n# critical = true\n# addresses = [\"…\"]\n\
                     # provides = [\"dns\"]\n# needs = [\"…\"]\n",
                    key(&guest.name),
                    quoted(&host.host)
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;
    use facts::bridge::Port;
    use facts::domain::Guest;
    use facts::fstab::Entry;

    fn estate() -> Estate {
        let mut host = Snapshot::new("kvm \"01\"");
        for name in ["bind-01", "bind-02", "odd.name=\"x\"\n[hosts.evil]"] {
            host.guests.push(Guest {
                name: name.to_owned(),
                ..Guest::default()
            });
        }
        host.fstab.push(Entry {
            source: "10.0.0.7:/volume1/vms".to_owned(),
            fstype: "nfs".to_owned(),
            ..Entry::default()
        });
        let port = Port {
            name: "vnet0".to_owned(),
            role: Role::Guest,
            pvid: Some(100),
            tagged: vec![10, 20],
            ..Port::default()
        };
        host.bridges.push(Bridge {
            name: "br-mgmt".to_owned(),
            vlan_filtering: Some(true),
            ports: vec![port],
            ..Bridge::default()
        });
        Estate::of(host)
    }

    #[test]
    fn a_draft_parses_whatever_numbers_were_read() {
        let mut estate = estate();
        let port = &mut estate.hosts[0].bridges[0].ports[0];
        port.tagged = vec![0, 10, 4095, 65535];
        let site = Site::parse("site.toml", &draft(&estate)).unwrap();
        assert_eq!(site.bridges["br-mgmt"].tagged, [10]);
        estate.hosts[0].bridges[0].ports[0].pvid = Some(0);
        let site = Site::parse("site.toml", &draft(&estate)).unwrap();
        assert!(site.bridges.is_empty());
    }

    #[test]
    fn addresses_are_those_by_which_others_reach_the_host() {
        let mut estate = estate();
        let host = &mut estate.hosts[0];
        let device = |name: &str, kind: &str, address: &str| Device {
            name: name.to_owned(),
            kind: kind.to_owned(),
            addresses: vec![address.to_owned()],
            ..Device::default()
        };
        host.devices = vec![
            device("eno1", "physical", "192.0.2.2/24"),
            device("virbr0", "bridge", "192.168.122.1/24"),
            device("br-mgmt", "bridge", "10.50.1.11/24"),
        ];
        // What systemd ships for containers: any free range.
        host.profiles.push(facts::profile::Profile {
            addresses: vec!["0.0.0.0/28".to_owned(), "10.50.1.11/24".to_owned()],
            ..facts::profile::Profile::default()
        });
        host.bridges[0].ports.push(Port {
            name: "eno2".to_owned(),
            role: Role::Uplink,
            ..Port::default()
        });
        let site = Site::parse("site.toml", &draft(&estate)).unwrap();
        let host = site.hosts.values().next().unwrap();
        assert_eq!(host.addresses, ["10.50.1.11", "192.0.2.2"]);
    }

    #[test]
    fn a_draft_parses_whatever_names_were_read() {
        let text = draft(&estate());
        let site = Site::parse("site.toml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(site.guests.len(), 3);
        assert_eq!(site.hosts.len(), 1);
        assert_eq!(site.bridges["br-mgmt"].pvid, Some(100));
        assert_eq!(site.nas["10.0.0.7"].exports, ["/volume1/vms"]);
        assert!(
            text.contains("# members = [\"bind-01\", \"bind-02\"]"),
            "{text}"
        );
    }
}
