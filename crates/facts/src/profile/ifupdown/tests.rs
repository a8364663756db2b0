//! Real forms of `/etc/network/interfaces`.

use super::*;
use crate::profile::{Restored, restores};
use proptest::prelude::*;

/// Shaped like what Proxmox writes for a VLAN-aware bridge.
const PROXMOX: &str = "\
auto lo
iface lo inet loopback

iface eno1 inet manual
iface eno2 inet manual
\tbridge-access 300

auto vmbr0
iface vmbr0 inet static
\taddress 10.50.1.11/24
\tgateway 10.50.1.1
\tbridge-ports eno1 eno2
\tbridge-stp off
\tbridge-fd 0
\tbridge-vlan-aware yes
\tbridge-vids 2-100 \\
\t\t200
\tbridge-pvid 100

auto vmbr0.40
iface vmbr0.40 inet manual
";

fn restored<'a>(profiles: &'a [Profile], bridge: &str, port: Option<&str>) -> Restored<'a> {
    restores(profiles, bridge, port).unwrap()
}

#[test]
fn ifupdown2_gives_the_ports_the_vlans_of_the_bridge() {
    let profiles = parse("/etc/network/interfaces", PROXMOX).unwrap();
    let own = restored(&profiles, "vmbr0", None);
    assert!(own.vlan_filtering);
    assert_eq!(own.bridge.addresses, ["10.50.1.11/24"]);
    // ifupdown2#216: the bridge itself stays on PVID 1.
    assert_eq!(own.vlans.pvid, Some(1));
    assert_eq!(own.vlans.tagged, [40]);
    let up = restored(&profiles, "vmbr0", Some("eno1"));
    assert_eq!(up.vlans.pvid, Some(100));
    assert_eq!(up.vlans.untagged, [100]);
    assert_eq!(up.vlans.tagged.len(), 99);
    let access = restored(&profiles, "vmbr0", Some("eno2"));
    assert_eq!(access.vlans.untagged, [300]);
    assert!(access.vlans.tagged.is_empty());
}

#[test]
fn ifupdown_itself_knows_no_vids() {
    let files = [("/etc/network/interfaces", PROXMOX)];
    let profiles = parse_files(&files, false).unwrap();
    let up = restored(&profiles, "vmbr0", Some("eno1"));
    assert_eq!(up.vlans.pvid, Some(1));
    assert!(up.vlans.tagged.is_empty());
    assert!(up.vlan_filtering);
}

#[test]
fn two_stanzas_inheritance_and_masks() {
    let text = "auto br0\niface base inet static\n  netmask 255.255.255.0\n  dns-nameservers 10.0.0.1 10.0.0.2\n\
                iface br0 inet static inherits base\n  address 10.0.0.5\n  bridge_ports none\n\
                iface br0 inet6 static\n  address fd00::5/64\n";
    let profiles = parse("f", text).unwrap();
    let bridge = profiles.iter().find(|p| p.name == "br0").unwrap();
    assert_eq!(bridge.kind_of_link, "bridge");
    assert_eq!(bridge.addresses, ["10.0.0.5/24", "fd00::5/64"]);
    assert_eq!(bridge.dns, ["10.0.0.1", "10.0.0.2"]);
    assert!(bridge.autoconnect);
    assert!(
        !profiles
            .iter()
            .find(|p| p.name == "base")
            .unwrap()
            .autoconnect
    );
}

#[test]
fn includes_are_told() {
    let text = "source /etc/network/interfaces.d/*\n# source no\nsource-directory extra\n";
    let found = includes(text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].pattern, "/etc/network/interfaces.d/*");
    assert!(found[1].directory);
    assert_eq!(found[1].line, 3);
}

#[test]
fn errors_have_a_place() {
    for (text, line, column) in [
        ("  address 10.0.0.1\n", 1, 3),
        ("auto lo\niface\n", 2, 1),
        ("iface br0\n  bridge-vlan-aware perhaps\n", 2, 21),
        (
            "iface br0\n  bridge-ports none\n  bridge-vlan-aware yes\n  bridge-vids 1-9999\n",
            4,
            15,
        ),
        ("% for i in range(3):\n", 1, 1),
    ] {
        let error = parse("f", text).unwrap_err();
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text:?}: {error}"
        );
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(iface |auto |inherits |bridge-ports |bridge_vids |up bridge vlan add |[a-z0-9.-]{1,5} |\\\\|\n| ){0,40}") {
        let _ = parse("f", &text);
    }
}
