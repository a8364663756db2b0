//! The map on small sites.

use super::map::{HostMap, map};
use super::path::{Loss, Lost, Path, Verdict};
use super::port::Refusal;
use super::switch::Refused;
use super::{Tags, Why};
use facts::Snapshot;
use facts::bridge::{Bridge, Device, Port, Role};
use facts::switch::{Switch, SwitchPort};
use model::site::{BridgePlan, Host, Uplink};
use model::{Estate, Site};
use std::collections::BTreeMap;

pub(super) fn port(
    name: &str,
    role: Role,
    pvid: Option<u16>,
    untagged: &[u16],
    tagged: &[u16],
) -> Port {
    Port {
        name: name.to_owned(),
        role,
        pvid,
        untagged: untagged.to_vec(),
        tagged: tagged.to_vec(),
        guest: (role == Role::Guest).then(|| format!("g-{name}")),
        ..Port::default()
    }
}

/// The incident's bridge: the host speaks in VLAN 1 and hears in VLAN 100.
pub(super) fn bridge() -> Bridge {
    Bridge {
        name: "br0".to_owned(),
        vlan_filtering: Some(true),
        ports: vec![
            port("br0", Role::Own, Some(1), &[1, 100], &[]),
            port("eno1", Role::Uplink, Some(100), &[1, 100], &[10, 20]),
            port("vnet0", Role::Guest, Some(100), &[1, 100], &[10, 30]),
        ],
        ..Bridge::default()
    }
}

/// A site with one host and a trunk: native VLAN 100, allowed 10 and 100.
pub(super) fn estate(bridge: Bridge, devices: Vec<Device>) -> Estate {
    let mut snapshot = Snapshot::new("kvm");
    snapshot.bridges = vec![bridge];
    snapshot.devices = devices;
    let uplink = Uplink {
        switch: "sw".to_owned(),
        port: "Te1/0/2".to_owned(),
        bridge: Some("br0".to_owned()),
        ..Uplink::default()
    };
    let name = "TenGigabitEthernet1/0/2".to_owned();
    let trunk = SwitchPort {
        name: name.clone(),
        mode: Some("trunk".to_owned()),
        native_vlan: Some(100),
        allowed_vlans: Some(vec![10, 100]),
        ..SwitchPort::default()
    };
    let mut site = Site::default();
    let host = Host {
        uplinks: BTreeMap::from([("eno1".to_owned(), uplink)]),
        ..Host::default()
    };
    site.hosts.insert("kvm".to_owned(), host);
    let plan = BridgePlan {
        pvid: Some(100),
        tagged: vec![10],
        ..BridgePlan::default()
    };
    site.bridges.insert("br0".to_owned(), plan);
    let switch = Switch {
        ports: BTreeMap::from([(name, trunk)]),
        ..Switch::default()
    };
    Estate {
        site: Some(site),
        hosts: vec![snapshot],
        switches: BTreeMap::from([("sw".to_owned(), switch)]),
        ..Estate::default()
    }
}

fn one(estate: &Estate) -> HostMap {
    map(estate).hosts.remove(0)
}

fn path<'a>(host: &'a HostMap, guest: Option<&str>, tags: &Tags) -> &'a Path {
    let end = host.ends.iter().find(|e| e.end.guest.as_deref() == guest);
    let mut paths = end.unwrap().paths.iter();
    paths.find(|p| p.sends == *tags).unwrap()
}

fn lost(place: &str, why: Lost) -> Loss {
    Loss {
        place: place.to_owned(),
        why,
    }
}

#[test]
fn the_incidents_mismatch_is_harmless_and_said_to_be() {
    let host = one(&estate(bridge(), Vec::new()));
    let own = path(&host, None, &Tags::none());
    assert_eq!(own.verdict, Verdict::TwoVlans { out: 1, back: 100 });
    assert_eq!((own.lands, own.intended), (Some(100), Some(100)));
    assert_eq!(
        path(&host, Some("g-vnet0"), &Tags::none()).verdict,
        Verdict::Whole
    );
    assert!(!host.mismatches.is_empty());
    assert!(
        host.mismatches.iter().all(|m| m.harmless),
        "{:?}",
        host.mismatches
    );
    assert_eq!(host.ends[1].with_host, Some(true));
}

#[test]
fn the_first_place_where_frames_are_lost_is_named() {
    let host = one(&estate(bridge(), Vec::new()));
    let guest = Some("g-vnet0");
    assert_eq!(path(&host, guest, &Tags::one(10)).verdict, Verdict::Whole);
    // On the port and not on the uplink.
    let uplink = lost("eno1", Lost::Host(Why::Egress(30)));
    assert_eq!(
        path(&host, guest, &Tags::one(30)).verdict,
        Verdict::Dropped(uplink)
    );
    // Planned, and not on the port.
    let mut bare = bridge();
    bare.ports[2].tagged = vec![20];
    let host = one(&estate(bare, Vec::new()));
    let at_port = lost("vnet0", Lost::Host(Why::Ingress(Refusal::NotMember(10))));
    assert_eq!(
        path(&host, guest, &Tags::one(10)).verdict,
        Verdict::Dropped(at_port)
    );
    // On port and uplink, and not on the trunk.
    let trunk = lost("sw Te1/0/2", Lost::Switch(Refused::NotAllowed(20)));
    assert_eq!(
        path(&host, guest, &Tags::one(20)).verdict,
        Verdict::Dropped(trunk)
    );
}

#[test]
fn a_port_that_a_restart_left_on_vlan_1_is_on_the_wrong_vlan_and_no_answer_comes() {
    let mut fresh = bridge();
    fresh.ports[2] = port("vnet0", Role::Guest, Some(1), &[1], &[]);
    let host = one(&estate(fresh, Vec::new()));
    let at = lost("vnet0", Lost::Host(Why::Egress(100)));
    let untagged = path(&host, Some("g-vnet0"), &Tags::none());
    assert_eq!(untagged.verdict, Verdict::NoWayBack(at));
    assert_eq!(host.ends[1].with_host, Some(true), "both speak in VLAN 1");
    let harmful = host.mismatches.iter().filter(|m| !m.harmless);
    assert_eq!(
        harmful.count(),
        0,
        "the host's own path still passes: {:?}",
        host.mismatches
    );
}

#[test]
fn a_native_vlan_that_differs_lands_elsewhere() {
    let mut other = estate(bridge(), Vec::new());
    for port in other.switches.get_mut("sw").unwrap().ports.values_mut() {
        (port.native_vlan, port.allowed_vlans) = (Some(1), None);
    }
    let host = one(&other);
    let wrong = Verdict::WrongVlan {
        lands: 1,
        intended: 100,
    };
    assert_eq!(path(&host, Some("g-vnet0"), &Tags::none()).verdict, wrong);
    assert!(host.mismatches.iter().any(|m| !m.harmless));
}

#[test]
fn a_vlan_device_on_the_uplink_takes_its_frames_from_the_bridge() {
    let device = |name: &str, kind: &str| Device {
        name: name.to_owned(),
        kind: kind.to_owned(),
        up: true,
        ..Device::default()
    };
    let mut vlan = device("eno1.10", "vlan");
    (vlan.lower, vlan.vlan) = (Some("eno1".to_owned()), Some(10));
    vlan.addresses = vec!["10.0.10.2/24".to_owned()];
    let devices = vec![device("br0", "bridge"), device("eno1", "physical"), vlan];
    let host = one(&estate(bridge(), devices));
    let own = path(&host, None, &Tags::none());
    assert_eq!((&own.verdict, own.lands), (&Verdict::Whole, Some(10)));
    // The guest's VLAN 10 gets out; its answers go to the host's VLAN device.
    let guest = path(&host, Some("g-vnet0"), &Tags::one(10));
    assert!(
        matches!(guest.verdict, Verdict::NoWayBack(_)),
        "{:?}",
        guest.verdict
    );
}
