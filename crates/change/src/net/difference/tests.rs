//! From any state to any other and back: checked on a model of the kernel with random states, and
//! on the cases that cost a host.

use super::*;
use crate::net::declare::Declared;
use crate::net::state::{Device, Settings};
use crate::net::target::target;
use facts::bridge::Role;
use facts::ip::{Hop, TABLE_MAIN};
use proptest::prelude::*;

fn vlans(pvid: u16, untagged: &[u16], tagged: &[u16]) -> Vlans {
    Vlans {
        pvid: Some(pvid).filter(|p| *p != 0),
        untagged: untagged.iter().copied().collect(),
        tagged: tagged.iter().copied().collect(),
    }
}

fn address(device: &str, text: &str) -> Address {
    let (local, prefix) = crate::net::declare::parse_address(text).unwrap();
    Address::new(device, local, prefix)
}

/// kvm-02 as it had been: the host speaks in VLAN 1 and hears in VLAN 100.
fn kvm_02() -> State {
    let bridge = Device {
        kind: "bridge".to_owned(),
        up: true,
        bridge: Some(Settings {
            vlan_filtering: true,
            default_pvid: Some(1),
        }),
        vlans: Some(vlans(1, &[1, 100], &[])),
        addresses: vec![address("br-mgmt", "10.50.1.12/24")],
        ..Device::default()
    };
    let port = |role, vlans| Device {
        kind: "physical".to_owned(),
        role: Some(role),
        up: true,
        controller: Some("br-mgmt".to_owned()),
        vlans: Some(vlans),
        ..Device::default()
    };
    let default = Route {
        v6: false,
        destination: None,
        prefix: 0,
        table: TABLE_MAIN,
        protocol: 4,
        scope: 0,
        metric: Some(425),
        source: None,
        hops: vec![Hop {
            device: Some("br-mgmt".to_owned()),
            via: Some("10.50.1.1".parse().unwrap()),
            weight: 1,
            onlink: false,
        }],
    };
    State {
        devices: [
            ("br-mgmt".to_owned(), bridge),
            (
                "eth1".to_owned(),
                port(Role::Uplink, vlans(100, &[1, 100], &[])),
            ),
            ("vnet0".to_owned(), port(Role::Guest, vlans(1, &[1], &[]))),
        ]
        .into(),
        routes: vec![default],
    }
}

fn text(commands: &[Command]) -> Vec<String> {
    commands.iter().map(ToString::to_string).collect()
}

fn there(now: &State, declared: &str) -> (Vec<Command>, State, Scope) {
    let declared = Declared::parse("f", declared).unwrap();
    let target = target(&declared, now, true).unwrap();
    let commands = commands(now, &target.state, &target.scope);
    (commands, target.state, target.scope)
}

#[test]
fn the_host_s_own_pvid_opens_the_new_way_before_it_closes_the_old_one() {
    let (commands, _, _) = there(&kvm_02(), "[bridges.br-mgmt]\npvid = 100\n");
    assert_eq!(
        text(&commands),
        [
            "bridge vlan add dev br-mgmt vid 100 pvid untagged self",
            "bridge vlan del dev br-mgmt vid 1 self",
        ]
    );
}

#[test]
fn a_new_default_pvid_leaves_ports_alone_that_nobody_named() {
    let (commands, target, scope) = there(&kvm_02(), "[bridges.br-mgmt]\ndefault_pvid = 0\n");
    assert_eq!(
        text(&commands),
        [
            "ip link set dev br-mgmt type bridge vlan_default_pvid 0",
            "bridge vlan add dev br-mgmt vid 1 pvid untagged self",
            "bridge vlan add dev vnet0 vid 1 pvid untagged",
        ]
    );
    assert!(scope.devices.contains("vnet0"));
    assert_eq!(
        target.devices["vnet0"].vlans,
        kvm_02().devices["vnet0"].vlans
    );
}

#[test]
fn an_address_moves_with_its_default_route() {
    let (commands, ..) = there(
        &kvm_02(),
        "[bridges.br-mgmt]\naddresses = [\"10.50.2.12/24\"]\ngateway = \"10.50.2.1\"\n",
    );
    assert_eq!(
        text(&commands),
        [
            "ip address replace 10.50.2.12/24 dev br-mgmt",
            "ip -4 route replace default via 10.50.2.1 dev br-mgmt proto 4 metric 425",
            "ip address del 10.50.1.12/24 dev br-mgmt",
        ]
    );
}

#[test]
fn a_subnet_s_first_address_goes_last() {
    let mut now = kvm_02();
    let mut second = address("br-mgmt", "10.50.1.13/24");
    second.secondary = true;
    now.devices
        .get_mut("br-mgmt")
        .unwrap()
        .addresses
        .push(second);
    let (commands, ..) = there(&now, "[bridges.br-mgmt]\naddresses = [\"10.50.2.12/24\"]\n");
    assert_eq!(
        text(&commands),
        [
            "ip address replace 10.50.2.12/24 dev br-mgmt",
            "ip address del 10.50.1.13/24 dev br-mgmt",
            "ip address del 10.50.1.12/24 dev br-mgmt",
        ]
    );
}

#[test]
fn other_uplinks_leave_the_bridge_and_come_back() {
    let mut now = kvm_02();
    let mut spare = now.devices["eth1"].clone();
    (spare.controller, spare.vlans, spare.role) = (None, None, None);
    now.devices.insert("eth2".to_owned(), spare);
    let (commands, target, scope) = there(&now, "[bridges.br-mgmt]\nuplinks = [\"eth2\"]\n");
    assert_eq!(
        text(&commands),
        [
            "ip link set dev eth1 nomaster",
            "ip link set dev eth2 master br-mgmt",
        ]
    );
    let back = super::commands(&target, &now, &scope);
    assert_eq!(
        text(&back),
        [
            "ip link set dev eth1 master br-mgmt",
            "ip link set dev eth2 nomaster",
            "bridge vlan add dev eth1 vid 100 pvid untagged",
        ]
    );
}

#[test]
fn a_bridge_is_made_only_where_that_is_said_and_goes_with_the_way_back() {
    let now = kvm_02();
    let typed = Declared::parse("f", "[bridges.br-mgnt]\npvid = 100\n").unwrap();
    let error = target(&typed, &now, true).unwrap_err().to_string();
    assert!(error.contains("no bridge br-mgnt"), "{error}");
    let text_of = "[bridges.br-new]\ncreate = true\npvid = 7\ndefault_pvid = 0\n";
    let (commands, target, scope) = there(&now, text_of);
    assert_eq!(
        text(&commands),
        [
            "ip link add name br-new type bridge",
            "bridge vlan add dev br-new vid 7 pvid untagged self",
            "ip link set dev br-new type bridge vlan_default_pvid 0",
            "ip link set dev br-new up",
            "bridge vlan del dev br-new vid 1 self",
        ]
    );
    let back = super::commands(&target, &now, &scope);
    assert_eq!(text(&back), ["ip link delete dev br-new"]);
}

#[test]
fn what_vanished_meanwhile_stops_nothing() {
    let now = kvm_02();
    let (_, target, scope) = there(&now, "[bridges.br-mgmt]\ndefault_pvid = 0\n");
    let mut later = target;
    later.devices.remove("vnet0");
    let back = commands(&later, &now, &scope);
    assert!(text(&back).iter().all(|c| !c.contains("vnet0")), "{back:?}");
}

fn some_vlans() -> impl Strategy<Value = Vlans> {
    (
        0_u16..6,
        proptest::collection::btree_map(1_u16..8, any::<bool>(), 0..6),
    )
        .prop_map(|(pvid, forms)| {
            let of = |untagged: bool| {
                forms
                    .iter()
                    .filter(|(_, form)| **form == untagged)
                    .map(|(vid, _)| *vid)
                    .collect()
            };
            let mut vlans = Vlans {
                pvid: None,
                untagged: of(true),
                tagged: of(false),
            };
            // A PVID is always a member.
            vlans.pvid = Some(pvid).filter(|p| forms.contains_key(p));
            vlans
        })
}

prop_compose! {
    fn some_state()(
        own in some_vlans(),
        ports in proptest::collection::vec((some_vlans(), 0_u8..3, any::<bool>()), 3),
        default_pvid in 0_u16..4,
        filtering in any::<bool>(),
        addresses in proptest::collection::btree_set(1_u8..6, 0..3),
        second in any::<bool>(),
    ) -> State {
        let settings = Settings { vlan_filtering: filtering, default_pvid: Some(default_pvid) };
        let bridge = |vlans: &Vlans| Device {
            kind: "bridge".to_owned(),
            up: true,
            bridge: Some(settings),
            vlans: Some(vlans.clone()),
            ..Device::default()
        };
        let mut state = State::default();
        let mut first = bridge(&own);
        first.addresses = addresses
            .iter()
            .map(|n| address("br0", &format!("10.0.{n}.1/24")))
            .collect();
        state.devices.insert("br0".to_owned(), first);
        if second {
            state.devices.insert("br1".to_owned(), bridge(&own));
        }
        for (index, (vlans, place, up)) in ports.into_iter().enumerate() {
            let controller = match place {
                0 => None,
                2 if second => Some("br1".to_owned()),
                _ => Some("br0".to_owned()),
            };
            let device = Device {
                kind: "physical".to_owned(),
                up,
                vlans: controller.is_some().then_some(vlans),
                controller,
                ..Device::default()
            };
            state.devices.insert(format!("eth{index}"), device);
        }
        state
    }
}

proptest! {
    #[test]
    fn from_any_state_to_any_other_and_there_is_nothing_left_to_do(
        from in some_state(),
        to in some_state(),
    ) {
        let scope = Scope {
            devices: ["br0", "br1", "eth0", "eth1", "eth2"].map(str::to_owned).into(),
            kernel_routes: true,
            has_vlans: true,
        };
        let mut now = from.clone();
        for command in commands(&from, &to, &scope) {
            command.apply(&mut now, true);
        }
        prop_assert_eq!(&now.devices.keys().collect::<Vec<_>>(), &to.devices.keys().collect::<Vec<_>>());
        for (name, device) in &to.devices {
            let got = &now.devices[name];
            prop_assert_eq!(&got.vlans, &device.vlans, "{}", name);
            prop_assert_eq!(got.bridge, device.bridge, "{}", name);
            prop_assert_eq!(&got.controller, &device.controller, "{}", name);
            prop_assert_eq!(got.up, device.up, "{}", name);
            prop_assert_eq!(got.addresses.len(), device.addresses.len(), "{}", name);
        }
        prop_assert!(commands(&now, &to, &scope).is_empty());
    }
}
