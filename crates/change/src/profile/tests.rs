//! What is written is read back by our own parsers as the state that was wanted.

use super::{Host, Outcome, Texts, Writer, persist};
use crate::plan::Act;
use facts::Snapshot;
use facts::bridge::{Bridge, Port, Role};
use facts::profile::{Profile, ProfileKind, ifupdown, keyfile, networkd, restores};
use rules::bridge::persist::Wanted;
use std::collections::BTreeMap;

fn snapshot(profiles: Vec<Profile>) -> Snapshot {
    let port = |name: &str, role, tagged: &[u16]| Port {
        name: name.to_owned(),
        role,
        pvid: Some(100),
        untagged: vec![100],
        tagged: tagged.to_vec(),
        ..Port::default()
    };
    let mut snapshot = Snapshot::new("kvm");
    snapshot.bridges = vec![Bridge {
        name: "br0".to_owned(),
        vlan_filtering: Some(true),
        default_pvid: Some(1),
        ports: vec![
            port("br0", Role::Own, &[10]),
            port("eno1", Role::Uplink, &[10, 20, 21]),
            port("vnet0", Role::Guest, &[10]),
        ],
        ..Bridge::default()
    }];
    snapshot.profiles = profiles;
    snapshot
}

type Read = fn(&str, &str) -> Vec<Profile>;

/// Persists, reads the files again as `read` does, and compares with the kernel.
fn round(files: &[(&str, &str)], read: Read) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = files
        .iter()
        .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
        .collect();
    let profiles = |texts: &BTreeMap<String, String>| -> Vec<Profile> {
        texts
            .iter()
            .flat_map(|(path, text)| read(path, text))
            .collect()
    };
    let mut before = snapshot(profiles(&texts));
    let done = {
        let read = |path: &str| texts.get(path).cloned();
        let host = Host {
            read: &read,
            nmcli: false,
            writer: Writer::VlanPersist,
        };
        persist(&before, None, &host)
    };
    assert!(
        done.items.iter().all(|i| i.outcome == Outcome::Written),
        "{:#?}",
        done.items
    );
    for proposal in done.proposals {
        let Act::Write { path, content, .. } = proposal.act else {
            panic!()
        };
        texts.insert(path, String::from_utf8(content).unwrap());
    }
    before.profiles = profiles(&texts);
    for port in [None, Some("eno1")] {
        let restored = restores(&before.profiles, "br0", port).unwrap();
        let kernel = before.bridges[0].port(port.unwrap_or("br0")).unwrap();
        assert!(restored.vlan_filtering);
        assert_eq!(restored.vlans.pvid, kernel.pvid, "{port:?} {texts:#?}");
        assert_eq!(
            restored.vlans.untagged, kernel.untagged,
            "{port:?} {texts:#?}"
        );
        assert_eq!(restored.vlans.tagged, kernel.tagged, "{port:?} {texts:#?}");
    }
    // Written once, there is nothing left to write.
    before.bridges[0].default_pvid = Some(0);
    let read = |path: &str| texts.get(path).cloned();
    let again = persist(
        &before,
        None,
        &Host {
            read: &read,
            nmcli: false,
            writer: Writer::VlanPersist,
        },
    );
    assert!(again.proposals.is_empty(), "{:#?}", again.items);
    texts
}

#[test]
fn keyfiles_keep_what_else_they_say() {
    let texts = round(
        &[
            (
                "/etc/NetworkManager/system-connections/br0.nmconnection",
                "[connection]\nid=br0\nuuid=u-1\ntype=bridge\ninterface-name=br0\n# mine\n[bridge]\nstp=false\n[ipv4]\nmethod=auto\n",
            ),
            (
                "/etc/NetworkManager/system-connections/eno1.nmconnection",
                "[connection]\nid=eno1\ntype=ethernet\ninterface-name=eno1\ncontroller=u-1\n",
            ),
        ],
        |path, text| keyfile::parse(path, text).unwrap(),
    );
    let bridge = &texts["/etc/NetworkManager/system-connections/br0.nmconnection"];
    assert!(
        bridge.contains("# mine") && bridge.contains("stp=false"),
        "{bridge}"
    );
    assert!(bridge.contains("vlan-default-pvid=0"), "{bridge}");
}

#[test]
fn networkd_files_get_their_sections_once() {
    let texts = round(
        &[
            (
                "/etc/systemd/network/10-br0.netdev",
                "[NetDev]\nName=br0\nKind=bridge\n",
            ),
            (
                "/etc/systemd/network/10-br0.network",
                "[Match]\nName=br0\n[BridgeVLAN]\nVLAN=7\n[Network]\nDHCP=no\n",
            ),
            (
                "/etc/systemd/network/20-up.network",
                "[Match]\nName=eno1\n[Network]\nBridge=br0\n",
            ),
        ],
        |path, text| networkd::parse(path, text).unwrap(),
    );
    let own = &texts["/etc/systemd/network/10-br0.network"];
    assert!(
        !own.contains("VLAN=7\n") && own.contains("DHCP=no"),
        "{own}"
    );
}

#[test]
fn interfaces_keep_their_other_stanzas() {
    let texts = round(
        &[(
            "/etc/network/interfaces",
            "auto lo\niface lo inet loopback\n\nauto eno1\niface eno1\n    mtu 9000\n\n# the bridge\nauto br0\niface br0\n    bridge-ports eno1\n    bridge-vlan-aware yes\n    address 10.0.0.2/24\n",
        )],
        |path, text| ifupdown::parse(path, text).unwrap(),
    );
    let text = &texts["/etc/network/interfaces"];
    assert!(
        text.contains("    mtu 9000\n    bridge-pvid 100\n"),
        "{text}"
    );
    assert!(text.contains("\n# the bridge\nauto br0\n"), "{text}");
}

#[test]
fn a_bridge_without_a_profile_is_a_persons_work() {
    let read = |_: &str| None;
    let done = persist(
        &snapshot(Vec::new()),
        None,
        &Host {
            read: &read,
            nmcli: false,
            writer: Writer::VlanPersist,
        },
    );
    assert_eq!(done.items.len(), 2);
    assert!(
        done.items
            .iter()
            .all(|i| matches!(i.outcome, Outcome::ByHand(_)))
    );
    assert!(done.proposals.is_empty());
}

#[test]
fn a_drop_in_names_who_wrote_it_and_is_left_where_it_says_the_same() {
    let profile = Profile {
        kind: ProfileKind::Netplan,
        file: "/etc/netplan/1.yaml".to_owned(),
        ..Profile::default()
    };
    let wanted = |pvid| Wanted {
        filtering: true,
        default_pvid: 0,
        pvid: Some(pvid),
        untagged: vec![pvid],
        tagged: vec![10],
    };
    let written = |before: &Texts, writer, pvid| {
        let read = |path: &str| before.get(path).cloned();
        let host = Host {
            read: &read,
            nmcli: false,
            writer,
        };
        let mut texts = Texts::new();
        super::write(&profile, "br0", true, &wanted(pvid), &host, &mut texts).unwrap();
        texts
    };
    let heads = |texts: &Texts| -> Vec<String> {
        let first = |text: &String| text.lines().next().unwrap().to_owned();
        texts.values().map(first).collect()
    };
    let head = |command: &str| {
        let line =
            format!("# Written by `nofail {command}`: netplan has no keys for VLANs of bridges.");
        vec![line; 2]
    };
    // As every version before wrote it, whichever command it was.
    let persisted = written(&Texts::new(), Writer::VlanPersist, 100);
    assert_eq!(heads(&persisted), head("vlan persist"));
    assert_eq!(written(&persisted, Writer::NetApply, 100), persisted);
    // What changes is the work of whoever changes it.
    let applied = written(&persisted, Writer::NetApply, 200);
    assert_eq!(heads(&applied)[1], head("net apply")[1]);
    assert_eq!(heads(&applied)[0], head("vlan persist")[0], "{applied:#?}");
    assert_eq!(written(&applied, Writer::VlanPersist, 200), applied);
    let fixed = written(&Texts::new(), Writer::Fix, 200);
    assert_eq!(heads(&fixed), head("fix"));
    assert_ne!(fixed, applied);
    assert_eq!(written(&fixed, Writer::NetApply, 200), fixed);
}
