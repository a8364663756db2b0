//! Whole trees of profiles.

use super::*;
use crate::LocalReader;
use facts::nic::Nic;
use facts::profile::restores;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn read(root: &Path) -> Snapshot {
    let mut snapshot = Snapshot::new("kvm-01");
    snapshot.nics.push(Nic {
        name: "eno1".to_owned(),
        mac: Some("aa:bb:cc:00:00:01".to_owned()),
        ..Nic::default()
    });
    let reader = LocalReader::rooted(root).unwrap();
    collect(&reader, &Options::default(), &mut snapshot);
    snapshot
}

fn enable(root: &Path, unit: &str) {
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink(format!("/usr/lib/systemd/system/{unit}"), wants.join(unit)).unwrap();
}

#[test]
fn networkmanager_with_a_port_by_mac_and_a_file_that_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let connections = "/etc/NetworkManager/system-connections";
    write(
        root,
        &format!("{connections}/br.nmconnection"),
        "[connection]\nid=br\nuuid=u1\ntype=bridge\ninterface-name=br-mgmt\n[bridge]\nvlan-filtering=1\nvlan-default-pvid=0\nvlans=100 pvid untagged\n",
    );
    write(
        root,
        &format!("{connections}/up.nmconnection"),
        "[connection]\nid=up\nuuid=u2\ntype=ethernet\nmaster=u1\n[ethernet]\nmac-address=AA:BB:CC:00:00:01\n[bridge-port]\nvlans=10\n",
    );
    write(
        root,
        &format!("{connections}/old.nmconnection~"),
        "nonsense",
    );
    write(
        root,
        &format!("{connections}/open.nmconnection"),
        "[connection]\nid=open\nuuid=u3\ntype=ethernet\ninterface-name=eno2\n",
    );
    fs::set_permissions(
        root.join("etc/NetworkManager/system-connections/open.nmconnection"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    write(
        root,
        "/run/NetworkManager/system-connections/br2.nmconnection",
        "[connection]\nid=br2\ntype=bridge\ninterface-name=br2\n",
    );
    write(
        root,
        &format!("{connections}/broken.nmconnection"),
        "[connection\n",
    );
    write(root, "/etc/shadow", "root:*:1::::::\n");
    write(
        root,
        "/etc/systemd/network/10.network",
        "[Match]\nName=eno1\n[Network]\nBridge=other\n",
    );
    enable(root, "NetworkManager.service");
    let snapshot = read(root);
    let own = restores(&snapshot.profiles, "br-mgmt", None).unwrap();
    assert_eq!(own.vlans.untagged, [100]);
    let up = restores(&snapshot.profiles, "br-mgmt", Some("eno1")).unwrap();
    assert_eq!(up.vlans.tagged, [10]);
    assert_eq!(restores(&snapshot.profiles, "br2", None), None, "volatile");
    let open = snapshot.profiles.iter().find(|p| p.name == "open").unwrap();
    assert!(open.ignored.as_deref().unwrap().contains("0644"));
    assert_eq!(snapshot.unread.len(), 1, "{:?}", snapshot.unread);
    assert!(
        snapshot.unread[0]
            .reason
            .contains("broken.nmconnection:1:1:")
    );
    let networkd = snapshot
        .profiles
        .iter()
        .find(|p| p.kind == ProfileKind::Networkd);
    assert_eq!(networkd.unwrap().active, Some(false));
}

#[test]
fn networkd_layers_masks_and_dropins() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        "/usr/lib/systemd/network/10-br.netdev",
        "[NetDev]\nName=br0\nKind=bridge\n",
    );
    write(
        root,
        "/etc/systemd/network/10-br.netdev",
        "[NetDev]\nName=br0\nKind=bridge\n[Bridge]\nVLANFiltering=yes\n",
    );
    write(
        root,
        "/usr/lib/systemd/network/20-br.network",
        "[Match]\nName=br0\n[BridgeVLAN]\nVLAN=99\n",
    );
    symlink("/dev/null", root.join("etc/systemd/network/20-br.network")).unwrap();
    write(
        root,
        "/etc/systemd/network/30-up.network",
        "[Match]\nName=eno1\n[Network]\nBridge=br0\n",
    );
    write(
        root,
        "/etc/systemd/network/30-up.network.d/vlan.conf",
        "[BridgeVLAN]\nVLAN=10\n",
    );
    let snapshot = read(root);
    assert_eq!(snapshot.unread, []);
    let own = restores(&snapshot.profiles, "br0", None).unwrap();
    assert!(own.vlan_filtering);
    assert!(own.vlans.tagged.is_empty());
    let up = restores(&snapshot.profiles, "br0", Some("eno1")).unwrap();
    assert_eq!(up.vlans.tagged, [10]);
}

#[test]
fn netplan_with_a_dropin_for_what_it_generates() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        "/etc/netplan/50.yaml",
        "network:\n  bridges:\n    br0:\n      interfaces: [eno1]\n  ethernets:\n    eno1: {}\n",
    );
    write(
        root,
        "/etc/systemd/network/10-netplan-br0.netdev.d/vlan.conf",
        "[Bridge]\nVLANFiltering=yes\nDefaultPVID=none\n",
    );
    // The bridge's own entry stands beside its settings.
    write(
        root,
        "/etc/systemd/network/10-netplan-br0.network.d/vlan.conf",
        "[BridgeVLAN]\nPVID=100\nEgressUntagged=100\n",
    );
    write(
        root,
        "/etc/systemd/network/10-netplan-eno1.network.d/vlan.conf",
        "[BridgeVLAN]\nVLAN=10-11\n",
    );
    write(
        root,
        "/run/systemd/network/10-netplan-eno1.network",
        "[Match]\nName=eno1\n[Network]\nBridge=br0\n",
    );
    let snapshot = read(root);
    assert_eq!(snapshot.unread, []);
    let own = restores(&snapshot.profiles, "br0", None).unwrap();
    assert_eq!((own.vlan_filtering, own.default_pvid), (true, 0));
    assert_eq!((own.vlans.pvid, own.vlans.untagged), (Some(100), vec![100]));
    let up = restores(&snapshot.profiles, "br0", Some("eno1")).unwrap();
    assert_eq!((up.vlans.pvid, up.vlans.tagged), (None, vec![10, 11]));
}

#[test]
fn ifupdown_with_includes_and_a_script() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        "/etc/network/interfaces",
        "source interfaces.d/*\nsource-directory /etc/network/extra\n",
    );
    write(
        root,
        "/etc/network/interfaces.d/br0",
        "auto br0\niface br0 inet manual\n bridge_ports eno1\n bridge_vlan_aware yes\n",
    );
    write(root, "/etc/network/extra/up.bak", "this is not read\n");
    write(
        root,
        "/etc/NetworkManager/dispatcher.d/90",
        "#!/bin/sh\nbridge vlan add dev eno1 vid 30\n",
    );
    enable(root, "networking.service");
    let snapshot = read(root);
    assert_eq!(snapshot.unread, []);
    let up = restores(&snapshot.profiles, "br0", Some("eno1")).unwrap();
    assert_eq!(up.vlans.tagged, [30]);
    assert!(up.vlan_filtering);
}

#[test]
fn a_tree_with_only_an_fstab_was_not_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "/etc/fstab", "");
    let snapshot = read(dir.path());
    assert!(snapshot.why_unread(Source::Profiles).is_some());
}
