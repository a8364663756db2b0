//! The changes of the incident, and that nothing is told which is none.

use super::super::{Switch, parse};
use super::*;

fn example(state: &str) -> Switch {
    let read = |name: &str, text: &str| parse(name, text).unwrap();
    Switch::merge(match state {
        "incident" => [
            read(
                "running",
                include_str!(
                    "../../../../../examples/incident-2026-04-13/switch/sw-01-running-config.txt"
                ),
            ),
            read(
                "startup",
                include_str!(
                    "../../../../../examples/incident-2026-04-13/switch/sw-01-startup-config.txt"
                ),
            ),
            read(
                "state",
                include_str!("../../../../../examples/incident-2026-04-13/switch/sw-01-state.txt"),
            ),
        ],
        _ => [
            read(
                "running",
                include_str!(
                    "../../../../../examples/incident-2026-04-13/mended/switch/sw-01-running-config.txt"
                ),
            ),
            read(
                "startup",
                include_str!(
                    "../../../../../examples/incident-2026-04-13/mended/switch/sw-01-startup-config.txt"
                ),
            ),
            read(
                "state",
                include_str!(
                    "../../../../../examples/incident-2026-04-13/mended/switch/sw-01-state.txt"
                ),
            ),
        ],
    })
}

fn told(diff: &Diff) -> Vec<String> {
    let line = |c: &Change| format!("{} {} | {}", c.effect.name(), c.kind, c.message);
    diff.changes.iter().map(line).collect()
}

#[test]
fn what_the_mend_of_the_incident_changed() {
    let found = diff(&example("incident"), &example("mended"));
    let told = told(&found).join("\n");
    for expected in [
        "gain radius-server-joined-group | RADIUS server ISE-01 joined the group ISE-RADIUS",
        "gain port-state-changed | Te1/0/2 is up, it was down",
        "loss port-state-changed | Te1/0/8 is disabled, it was up",
        "change counters-cleared | the counters of Te1/0/2 were cleared, 4d18h before the later capture: 0 CRC errors since, 386 before",
        "gain configuration-saved | the running configuration is saved again",
        "change mode-changed | the mode of Te1/0/8 is not set, it was trunk",
        "change line-removed | a line was removed under `interface TenGigabitEthernet1/0/8`: switchport nonegotiate",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
    assert!(found.not_compared.is_empty(), "{:?}", found.not_compared);
    for change in &found.changes {
        assert!(
            !change.message.contains("VLAN") || change.subject != "Te1/0/3",
            "{change:?}"
        );
    }
}

#[test]
fn the_way_back_is_the_opposite() {
    let found = diff(&example("mended"), &example("incident"));
    let lost: Vec<_> = found
        .changes
        .iter()
        .filter(|c| c.effect == Effect::Loss)
        .map(|c| c.kind)
        .collect();
    assert_eq!(
        lost,
        [
            "radius-server-left-group",
            "crc-errors-grew",
            "port-state-changed",
            "configuration-unsaved"
        ]
    );
    let left = &found.changes[0];
    assert_eq!(
        left.message,
        "RADIUS server ISE-01 left the group ISE-RADIUS (1 left)"
    );
    assert!(left.before.is_some() && left.after.is_some());
}

#[test]
fn the_same_state_has_no_change_and_time_stamps_are_none() {
    let state = example("incident");
    assert_eq!(diff(&state, &state), Diff::default());
    let text =
        include_str!("../../../../../examples/incident-2026-04-13/switch/sw-01-running-config.txt");
    let later = text
        .replace(
            "21:14:37 CEST Mon Apr 13 2026",
            "08:00:00 CEST Tue Apr 14 2026",
        )
        .replace("5118 bytes", "5119 bytes");
    assert_ne!(text, later);
    let read = |text: &str| parse("f", text).unwrap();
    assert_eq!(diff(&read(text), &read(&later)), Diff::default());
}

#[test]
fn a_trunk_that_lost_a_vlan_and_another_that_gained_all() {
    let text = |two: &str, three: &str| {
        format!(
            "sw-1#sh run\nhostname sw-1\ninterface TenGigabitEthernet1/0/2\n switchport trunk allowed vlan {two}\n switchport mode trunk\n!\ninterface TenGigabitEthernet1/0/3\n{three} switchport mode trunk\n!\nend\n"
        )
    };
    let before = parse(
        "a",
        &text("10,20,30,100", " switchport trunk allowed vlan 2-4094\n"),
    )
    .unwrap();
    let after = parse("b", &text("10,30-31,100", "")).unwrap();
    assert_eq!(
        told(&diff(&before, &after)),
        [
            "loss trunk-lost-vlan | Te1/0/2 no longer carries VLAN 20",
            "gain trunk-gained-vlan | Te1/0/2 now carries VLAN 31",
            "gain trunk-gained-vlan | Te1/0/3 now carries VLAN 1",
        ]
    );
}

#[test]
fn what_only_one_side_tells_is_not_compared() {
    let before = parse(
        "a",
        "sw-1#sh int tr\nPort        Vlans allowed on trunk\nTe1/0/2     10,20\n",
    )
    .unwrap();
    let after = parse("b", "sw-1#sh int status\nPort      Name               Status       Vlan       Duplex  Speed Type\nTe1/0/2   x                  connected    trunk        full    10G x\n").unwrap();
    let found = diff(&before, &after);
    assert_eq!(found.changes, []);
    assert_eq!(
        found.not_compared,
        [
            (
                "show interfaces trunk".to_owned(),
                "only the earlier state has it".to_owned()
            ),
            (
                "show interfaces status".to_owned(),
                "only the later state has it".to_owned()
            ),
        ]
    );
}

#[test]
fn a_line_that_nofail_does_not_read_is_shown() {
    let text = |line: &str| {
        format!("sw-1#sh run\nhostname sw-1\nip access-list extended IN\n {line}\n!\nend\n")
    };
    let read = |line: &str| parse("f", &text(line)).unwrap();
    assert_eq!(
        told(&diff(&read("permit ip any any"), &read("deny ip any any"))),
        [
            "change line-added | a line was added under `ip access-list extended IN`: deny ip any any",
            "change line-removed | a line was removed under `ip access-list extended IN`: permit ip any any",
        ]
    );
}
