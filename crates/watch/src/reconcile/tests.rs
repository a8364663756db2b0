//! Decisions over time, with made-up ports.

use super::decide::{Decision, GRACE, HOLD, REPAIRS, Reconciler, Seen};
use super::{Policy, Report, owners};
use change::vlan::{Ending, Outcome, PortState};
use facts::bridge::Entries;
use facts::domain::{Guest, Interface};
use model::vlan::{Origin, Wanted};
use std::sync::Arc;
use std::time::Duration;

fn seen(index: u32, pvid: u16, guest: Option<&str>) -> Seen {
    Seen {
        state: PortState {
            index,
            name: format!("vnet{index}"),
            bridge: "br-mgmt".to_owned(),
            entries: Entries {
                pvid: Some(pvid),
                untagged: vec![pvid],
                tagged: vec![],
            },
        },
        guest: guest.map(str::to_owned),
        wanted: Some(Wanted {
            pvid: Some(100),
            tagged: vec![],
            origin: Origin::Bridge,
        }),
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn repairs(decided: &[(Seen, Decision)]) -> usize {
    let is = |d: &&(Seen, Decision)| matches!(d.1, Decision::Repair(_));
    decided.iter().filter(is).count()
}

#[test]
fn what_is_right_or_unplanned_is_left_alone() {
    let mut reconciler = Reconciler::new(Policy::Repair);
    let mut unplanned = seen(2, 1, Some("a"));
    unplanned.wanted = None;
    let ports = [seen(1, 100, Some("a")), unplanned];
    assert_eq!(reconciler.decide(at(0), &ports, true).len(), 0);
    let wrong = [seen(1, 1, Some("a"))];
    assert_eq!(repairs(&reconciler.decide(at(0), &wrong, true)), 1);
}

#[test]
fn a_port_whose_guest_is_not_known_yet_is_waited_for() {
    let mut reconciler = Reconciler::new(Policy::Repair);
    let unknown = [seen(1, 1, None)];
    assert_eq!(reconciler.decide(at(10), &unknown, true).len(), 0);
    assert_eq!(reconciler.next(at(10)), Some(at(10) + GRACE));
    // The guest becomes known: at once.
    let known = [seen(1, 1, Some("a"))];
    assert_eq!(repairs(&reconciler.clone().decide(at(11), &known, true)), 1);
    // It never does: as the bridge says.
    assert_eq!(
        repairs(&reconciler.decide(at(10) + GRACE, &unknown, true)),
        1
    );
    // Another port with the same name is another port.
    let other = [seen(2, 1, None)];
    assert_eq!(reconciler.decide(at(20), &other, true).len(), 0);
    assert_eq!(repairs(&reconciler.decide(at(20), &other, false)), 1);
}

#[test]
fn a_report_is_made_once_for_each_difference() {
    let mut reconciler = Reconciler::new(Policy::Report);
    let mut said = |second, pvid| {
        let decided = reconciler.decide(at(second), &[seen(1, pvid, Some("a"))], true);
        assert_eq!(repairs(&decided), 0);
        decided.len()
    };
    let counts = [
        said(0, 1),
        said(1, 1),
        said(2, 30),
        said(3, 100),
        said(4, 30),
    ];
    assert_eq!(counts, [1, 0, 1, 0, 1]);
}

#[test]
fn flapping_is_bounded_and_said_once() {
    let mut reconciler = Reconciler::new(Policy::Repair);
    let wrong = [seen(1, 1, Some("a"))];
    let (mut mended, mut flapping) = (0, 0);
    for second in 0..600 {
        for (_, decision) in reconciler.decide(at(second), &wrong, true) {
            match decision {
                Decision::Repair(_) => mended += 1,
                Decision::Flapping { repairs } => {
                    assert_eq!(repairs, REPAIRS);
                    flapping += 1;
                }
                Decision::Report => panic!("not by this policy"),
            }
        }
    }
    // One round of repairs, then a pause; ten minutes hold nine or ten of these.
    assert!((8..=10).contains(&flapping), "{flapping}");
    assert!(mended <= REPAIRS * 10, "{mended}");
    // Another port is not held with it.
    let two = [seen(1, 1, Some("a")), seen(2, 1, Some("b"))];
    let decided = reconciler.decide(at(600), &two, true);
    assert!(decided.iter().any(|(s, _)| s.state.index == 2));
    // Once it is left in peace it is looked after again.
    let later = at(600) + HOLD + HOLD;
    assert_eq!(repairs(&reconciler.decide(later, &wrong, true)), 1);
}

#[test]
fn a_tap_is_known_by_its_address() {
    let guest = |name: &str, mac: &str| {
        Arc::new(Guest {
            name: name.to_owned(),
            interfaces: vec![
                Interface::default(),
                Interface {
                    mac: Some(mac.to_owned()),
                    ..Interface::default()
                },
            ],
            ..Guest::default()
        })
    };
    let guests = [
        guest("a", "52:54:00:00:00:01"),
        guest("b", "52:54:00:00:00:02"),
    ];
    let owner = owners::by_address(&guests, "fe:54:00:00:00:02").unwrap();
    assert_eq!((owner.guest.name.as_str(), owner.interface), ("b", 1));
    assert!(owner.interface().is_some());
    assert!(owners::by_address(&guests, "52:54:00:00:00:02").is_none());
    assert!(owners::by_address(&guests, "fe:54:00:00:00:03").is_none());
}

#[test]
fn reports_become_events_that_raise_and_clear_one_alert() {
    let seen = seen(1, 1, Some("bind-01"));
    let wanted = seen.wanted.unwrap();
    let differs = Report::Differs {
        port: "vnet1".to_owned(),
        bridge: "br-mgmt".to_owned(),
        guest: seen.guest.clone(),
        have: seen.state.entries.clone(),
        wanted: wanted.clone(),
    };
    let raised = differs.event(jiff::Timestamp::UNIX_EPOCH, "kvm-01");
    assert_eq!(
        raised.message,
        "vnet1 on br-mgmt has 1 pvid untagged; site.toml's bridge says 100 pvid untagged"
    );
    assert!(differs.remains());
    let repaired = Report::Repaired {
        guest: seen.guest,
        outcome: Outcome {
            port: "vnet1".to_owned(),
            bridge: "br-mgmt".to_owned(),
            before: seen.state.entries,
            after: Entries::default(),
            ending: Ending::Changed { rounds: 1 },
        },
        wanted,
    };
    let cleared = repaired.event(jiff::Timestamp::UNIX_EPOCH, "kvm-01");
    assert_eq!(cleared.before.as_deref(), Some("1 pvid untagged"));
    assert_eq!(cleared.guest.as_deref(), Some("bind-01"));
    assert_eq!(raised.alert_key(), cleared.alert_key());
    assert!(!repaired.remains());
}
