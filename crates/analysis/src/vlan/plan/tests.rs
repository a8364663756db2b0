//! Orders of steps: they end in what is planned, cut nobody off on the way, and where they do, no
//! order does not.

use super::state::{Act, State};
use super::{Plan, plan};
use crate::vlan::tests::{bridge, estate, port};
use facts::bridge::{Bridge, Role};
use model::Estate;
use proptest::prelude::*;

fn planned(estate: &Estate) -> Plan {
    plan(estate, &estate.hosts[0], "br0").unwrap()
}

fn commands(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.command.as_str()).collect()
}

/// The bridge after the steps.
fn after(estate: &Estate, plan: &Plan) -> Bridge {
    let mut bridge = estate.hosts[0].bridges[0].clone();
    for step in &plan.steps {
        let Some(entry) = &step.after else { continue };
        for port in &mut bridge.ports {
            if port.name == step.device {
                port.pvid = entry.pvid;
                port.untagged = entry.list(true);
                port.tagged = entry.list(false);
            }
        }
    }
    bridge
}

#[test]
fn the_incidents_correction_in_an_order_that_cuts_nobody() {
    let estate = estate(bridge(), Vec::new());
    let plan = planned(&estate);
    assert!(plan.keeps_all, "{plan:#?}");
    let all = commands(&plan);
    let place = |text: &str| {
        all.iter()
            .position(|c| *c == text)
            .unwrap_or_else(|| panic!("{text}: {all:#?}"))
    };
    // The host speaks in VLAN 100 before VLAN 1 goes anywhere.
    let speaks = place("bridge vlan add dev br0 vid 100 pvid untagged self");
    for gone in [
        "bridge vlan del dev br0 vid 1 self",
        "bridge vlan del dev eno1 vid 1",
        "bridge vlan del dev vnet0 vid 1",
    ] {
        assert!(speaks < place(gone));
    }
    // What the administrator typed that night: marked.
    let taken = &plan.steps[place("bridge vlan del dev eno1 vid 1")];
    assert!(taken.cuts_host_alone && taken.own_path && taken.cut.is_empty());
    assert_eq!(taken.undo, "bridge vlan add dev eno1 vid 1 untagged");
    let end = after(&estate, &plan);
    let own = end.own().unwrap();
    assert_eq!((own.pvid, own.untagged.as_slice()), (Some(100), &[100][..]));
    assert_eq!(end.port("vnet0").unwrap().untagged, [100]);
    assert_eq!(plan.guests, ["g-vnet0"]);
}

#[test]
fn a_new_default_pvid_comes_once_nobody_lives_on_the_old_one() {
    let mut old = bridge();
    old.default_pvid = Some(1);
    let mut estate = estate(old, Vec::new());
    let site = estate.site.as_mut().unwrap();
    site.bridges.get_mut("br0").unwrap().default_pvid = Some(0);
    let plan = planned(&estate);
    assert!(plan.keeps_all, "{plan:#?}");
    let last = plan.steps.last().unwrap();
    assert_eq!(
        last.command,
        "ip link set dev br0 type bridge vlan_default_pvid 0"
    );
    assert!(
        last.cuts_host_alone,
        "the kernel would take VLAN 1 from the host"
    );
}

#[test]
fn a_native_vlan_moves_with_the_uplink_between_two_forms() {
    // Everything is tagged on the wire; the plan has VLAN 100 untagged there.
    let tagged = Bridge {
        ports: vec![
            port("br0", Role::Own, Some(100), &[100], &[10]),
            port("eno1", Role::Uplink, None, &[], &[10, 100]),
            port("vnet0", Role::Guest, Some(100), &[100], &[10]),
        ],
        ..bridge()
    };
    let mut estate = estate(tagged, Vec::new());
    for port in estate.switches.get_mut("sw").unwrap().ports.values_mut() {
        (port.native_vlan, port.allowed_vlans) = (Some(1), Some(vec![10, 100]));
    }
    let plan = planned(&estate);
    assert!(plan.keeps_all, "{plan:#?}");
    let all = commands(&plan);
    let native = all
        .iter()
        .position(|c| c.contains("native vlan 100"))
        .unwrap();
    assert!(native > 0 && native + 1 < all.len(), "in between: {all:#?}");
}

#[test]
fn where_the_partners_must_move_too_it_is_said() {
    // The host lives in VLAN 1 of the network, and shall live in VLAN 100.
    let old = Bridge {
        ports: vec![
            port("br0", Role::Own, Some(1), &[1], &[]),
            port("eno1", Role::Uplink, Some(1), &[1], &[10]),
        ],
        ..bridge()
    };
    let mut estate = estate(old, Vec::new());
    for port in estate.switches.get_mut("sw").unwrap().ports.values_mut() {
        (port.native_vlan, port.allowed_vlans) = (Some(1), None);
    }
    let plan = planned(&estate);
    assert_eq!(
        plan.moved,
        ["the host (br0), untagged, with VLAN 1 to VLAN 100"]
    );
}

#[test]
fn a_state_as_planned_needs_no_step() {
    let good = Bridge {
        ports: vec![
            port("br0", Role::Own, Some(100), &[100], &[10]),
            port("eno1", Role::Uplink, Some(100), &[100], &[10]),
            port("vnet0", Role::Guest, Some(100), &[100], &[10]),
        ],
        ..bridge()
    };
    let plan = planned(&estate(good, Vec::new()));
    assert_eq!(commands(&plan), Vec::<&str>::new());
}

#[test]
fn ports_that_are_alike_are_changed_alike() {
    let mut many = bridge();
    for number in 1..200 {
        let name = format!("vnet{number}");
        many.ports
            .push(port(&name, Role::Guest, Some(100), &[1, 100], &[10, 30]));
    }
    let plan = planned(&estate(many, Vec::new()));
    assert!(plan.keeps_all);
    for number in 0..200 {
        let gone = format!("bridge vlan del dev vnet{number} vid 1");
        assert_eq!(
            commands(&plan).iter().filter(|c| **c == gone).count(),
            1,
            "{number}"
        );
    }
}

fn entry(role: Role, name: &'static str) -> impl Strategy<Value = facts::bridge::Port> {
    let form = || proptest::option::weighted(0.6, any::<bool>());
    (form(), form(), form(), 0..4_usize).prop_map(move |(a, b, c, pvid)| {
        let vids = [(1, a), (10, b), (100, c)];
        let of = |wanted: bool| -> Vec<u16> {
            vids.iter()
                .filter(|(_, f)| *f == Some(wanted))
                .map(|(v, _)| *v)
                .collect()
        };
        let (untagged, tagged) = (of(true), of(false));
        let pvid = [None, Some(1), Some(10), Some(100)][pvid];
        let pvid = pvid.filter(|p| untagged.contains(p) || tagged.contains(p));
        port(name, role, pvid, &untagged, &tagged)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever there is: the steps end in the goal, each undo takes back its step, and an order
    /// that keeps all has nobody cut at any step.
    #[test]
    fn every_order_ends_in_the_goal(
        own in entry(Role::Own, "br0"),
        up in entry(Role::Uplink, "eno1"),
        guest in entry(Role::Guest, "vnet0"),
        native in proptest::option::of(Just(100_u16)),
    ) {
        let mut site = estate(Bridge { ports: vec![own, up, guest], ..bridge() }, Vec::new());
        for port in site.switches.get_mut("sw").unwrap().ports.values_mut() {
            port.native_vlan = Some(native.unwrap_or(1));
        }
        let plan = planned(&site);
        let end = after(&site, &plan);
        for name in ["br0", "eno1", "vnet0"] {
            let port = end.port(name).unwrap();
            prop_assert_eq!(port.pvid, Some(100));
            prop_assert_eq!(&port.untagged, &[100]);
            prop_assert_eq!(&port.tagged, &[10]);
        }
        let cut = plan.steps.iter().any(|s| !s.cut.is_empty());
        prop_assert!(!(plan.keeps_all && cut), "{:#?}", plan);
        if !plan.keeps_all {
            prop_assert!(plan.exhausted, "gave up on {:#?}", plan);
        }
    }
}

#[test]
fn an_undo_takes_back_its_step() {
    let mut state = State::default();
    let form = |vid, to| Act::Form {
        device: "p".to_owned(),
        vid,
        to,
    };
    let pvid = |to| Act::Pvid {
        device: "p".to_owned(),
        to,
        untagged: true,
    };
    for act in [
        form(1, Some(true)),
        pvid(1),
        form(10, Some(false)),
        pvid(10),
        form(10, Some(true)),
        form(10, None),
    ] {
        let mut before = state.clone();
        let undo = act.undo(&before);
        act.apply(&mut state);
        let mut back = state.clone();
        undo.apply(&mut back);
        before.entries.entry("p".to_owned()).or_default();
        assert_eq!(back, before, "{act:?}");
    }
}
