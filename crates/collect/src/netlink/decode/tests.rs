//! Decoding of recorded and of hand-made messages.

use super::*;

/// One attribute, padded.
fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(body.len() + 16).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn newlink(family: u8, index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![family, 0, 1, 0];
    body.extend(index.to_ne_bytes());
    body.extend([0; 8]);
    body.extend(attributes.concat());
    message(RTM_NEWLINK, 2, &body)
}

fn info(vid: u16, flags: u16) -> Vec<u8> {
    nla(2, &[flags.to_ne_bytes(), vid.to_ne_bytes()].concat())
}

#[test]
fn ranges_of_the_kernel_are_joined() {
    let spec = [
        info(1, 0x04),
        info(10, 0x08),
        info(19, 0x10),
        info(100, 0x06),
        info(200, 0x0c),
        info(299, 0x14),
        info(4094, 0),
    ]
    .concat();
    let all = newlink(
        0,
        7,
        &[
            nla(IFLA_IFNAME, b"vnet0\0"),
            nla(IFLA_MASTER, &3_u32.to_ne_bytes()),
        ],
    );
    let bridge = newlink(AF_BRIDGE, 7, &[nla(IFLA_AF_SPEC | 0x8000, &spec)]);
    let links = links(&all, &bridge, &|_| false).unwrap();
    assert_eq!(links[0].name, "vnet0");
    assert_eq!(links[0].controller, Some(3));
    let entry = |first, last, pvid, untagged| VlanEntry {
        first,
        last,
        pvid,
        untagged,
    };
    assert_eq!(
        links[0].vlans.as_deref().unwrap(),
        [
            entry(1, 1, false, true),
            entry(10, 19, false, false),
            entry(100, 100, true, true),
            entry(200, 299, false, true),
            entry(4094, 4094, false, false),
        ]
    );
}

#[test]
fn what_a_nic_says_of_its_own_switch_is_left_out() {
    let port = newlink(AF_BRIDGE, 2, &[nla(IFLA_AF_SPEC, &info(100, 0x06))]);
    let nic_flags = nla(0, &2_u16.to_ne_bytes());
    let nic = newlink(
        AF_BRIDGE,
        2,
        &[nla(IFLA_AF_SPEC, &[nic_flags, info(1, 0x06)].concat())],
    );
    let all = newlink(0, 2, &[nla(IFLA_IFNAME, b"eno1\0")]);
    let links = links(&all, &[port, nic].concat(), &|name| name == "eno1").unwrap();
    assert_eq!(links[0].vlans.as_ref().unwrap()[0].first, 100);
    assert_eq!(links[0].kind, LinkKind::Physical);
}

#[test]
fn the_lower_device_of_another_namespace_is_not_ours() {
    let kind = nla(IFLA_LINKINFO, &nla(IFLA_INFO_KIND, b"macvlan\0"));
    let attributes = [
        nla(IFLA_IFNAME, b"mac0\0"),
        nla(IFLA_LINK, &2_u32.to_ne_bytes()),
        nla(IFLA_LINK_NETNSID, &0_i32.to_ne_bytes()),
        kind,
    ];
    let links = links(&newlink(0, 9, &attributes), &[], &|_| false).unwrap();
    assert_eq!(links[0].lower, None);
    assert_eq!(links[0].kind, LinkKind::Kind("macvlan".to_owned()));
}

#[test]
fn the_end_of_a_dump_and_its_errors() {
    let done = message(NLMSG_DONE, 2, &0_i32.to_ne_bytes());
    let refused = message(NLMSG_ERROR, 0, &(-1_i32).to_ne_bytes());
    let interrupted = message(NLMSG_DONE, NLM_F_DUMP_INTR, &0_i32.to_ne_bytes());
    let bytes = [done, refused, interrupted].concat();
    let read: Vec<_> = Messages::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(read[0].end, Some(0));
    assert_eq!(read[1].end, Some(-1));
    assert!(read[2].interrupted);
}

#[test]
fn every_cut_is_an_error_or_fewer_links_and_never_a_panic() {
    let all = newlink(
        0,
        7,
        &[
            nla(IFLA_IFNAME, b"vnet0\0"),
            nla(IFLA_MASTER, &3_u32.to_ne_bytes()),
        ],
    );
    for length in 0..all.len() {
        assert!(links(&all[..length], &[], &|_| false).map_or(true, |l| l.is_empty()));
    }
    for at in 0..all.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = all.clone();
            bytes[at] = value;
            let _ = links(&bytes, &bytes, &|_| true);
        }
    }
}

#[test]
fn switchdev_port_names() {
    assert!(is_representor("pf0vf3"));
    assert!(is_representor("c1pf0sf88"));
    assert!(!is_representor("p0"));
    assert!(!is_representor("pf0"));
}

/// What a real kernel sent, against what bridge(8) printed of it at the same moment.
#[test]
fn a_recorded_kernel_agrees_with_bridge_vlan_show() {
    let all = include_bytes!("../../../../../testdata/fixtures/bridge/debian-12-links.bin");
    let vlans = include_bytes!("../../../../../testdata/fixtures/bridge/debian-12-vlans.bin");
    let shown =
        include_str!("../../../../../testdata/fixtures/bridge/debian-12-vlan-show-compressed.json");
    let links = links(all, vlans, &|_| false).unwrap();
    let bridges = facts::bridge::assemble(&links);
    let ports: Vec<_> = bridges.iter().flat_map(|b| &b.ports).collect();
    let expected = facts::bridge::parse_vlan_show(shown).unwrap();
    assert_eq!(expected.len(), 10);
    for port in &expected {
        let ours = ports.iter().find(|p| p.name == port.name).unwrap();
        assert_eq!(
            (ours.pvid, &ours.untagged, &ours.tagged),
            (port.pvid, &port.untagged, &port.tagged),
            "{}",
            port.name
        );
    }
    assert_eq!(bridges[0].name, "br-mgmt");
    assert_eq!(bridges[0].vlan_filtering, Some(true));
    assert_eq!(bridges[0].default_pvid, Some(1));
    assert_eq!(bridges[1].vlan_filtering, Some(false));
    let uplinks: Vec<_> = bridges[0].uplinks().map(|p| p.name.as_str()).collect();
    assert_eq!(uplinks, ["bond0"]);
}

#[test]
fn vlan_devices_bonds_and_bridge_ports_tell_their_settings() {
    let info = |kind: &[u8], data: &[u8]| {
        nla(
            IFLA_LINKINFO | 0x8000,
            &[
                nla(IFLA_INFO_KIND, kind),
                nla(IFLA_INFO_DATA | 0x8000, data),
            ]
            .concat(),
        )
    };
    let vlan = [
        nla(IFLA_VLAN_ID, &100_u16.to_ne_bytes()),
        nla(IFLA_VLAN_PROTOCOL, &[0x81, 0]),
    ];
    let bond = [
        nla(IFLA_BOND_MODE, &[1]),
        nla(IFLA_BOND_ACTIVE_SLAVE, &9_u32.to_ne_bytes()),
    ];
    let port = [
        nla(IFLA_BRPORT_STATE, &[3]),
        nla(IFLA_BRPORT_ISOLATED, &[1]),
    ]
    .concat();
    let slave = |kind: &[u8]| {
        nla(
            IFLA_LINKINFO,
            &[nla(4, kind), nla(IFLA_INFO_SLAVE_DATA, &port)].concat(),
        )
    };
    let all = [
        newlink(
            0,
            1,
            &[
                nla(IFLA_IFNAME, b"e.100\0"),
                info(b"vlan\0", &vlan.concat()),
            ],
        ),
        newlink(
            0,
            2,
            &[
                nla(IFLA_IFNAME, b"bond0\0"),
                info(b"bond\0", &bond.concat()),
            ],
        ),
        newlink(0, 3, &[nla(IFLA_IFNAME, b"vnet0\0"), slave(b"bridge\0")]),
        newlink(0, 4, &[nla(IFLA_IFNAME, b"eno1\0"), slave(b"bond\0")]),
    ]
    .concat();
    let links = links(&all, &[], &|_| false).unwrap();
    assert_eq!(links[0].vlan, Some(100));
    assert_eq!(links[0].protocol.as_deref(), Some("802.1Q"));
    assert_eq!(links[1].mode.as_deref(), Some("active-backup"));
    assert_eq!(links[1].active, Some(9));
    assert_eq!(links[2].stp_state.as_deref(), Some("forwarding"));
    assert!(links[2].isolated && !links[2].hairpin);
    assert_eq!(
        (links[3].isolated, links[3].stp_state.as_deref()),
        (false, None)
    );
}
