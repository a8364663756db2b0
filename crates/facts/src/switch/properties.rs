//! What must hold of any text, however damaged: no panic, whole places, nothing against itself.

use super::{Switch, compare, diff, parse, vlan_list};
use proptest::prelude::*;

const FIXTURES: [&str; 7] = [
    include_str!("../../../../testdata/fixtures/switch/c9300-ios-xe-17-session.txt"),
    include_str!("../../../../testdata/fixtures/switch/c2960-ios-12.2-config.txt"),
    include_str!("../../../../testdata/fixtures/switch/c3750-ios-15-trunk-wrapped.txt"),
    include_str!("../../../../testdata/fixtures/switch/c6500-ios-12.2sx-interfaces.txt"),
    include_str!("../../../../testdata/fixtures/switch/c4500-ios-xe-3-spanning-tree.txt"),
    include_str!("../../../../testdata/fixtures/switch/c3850-ios-xe-16-ports.txt"),
    include_str!("../../../../testdata/fixtures/switch/n9k-nx-os-trunk.txt"),
];

/// One line of a fixture, sometimes cut or with something thrown in.
fn line() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = FIXTURES.iter().flat_map(|text| text.split('\n')).collect();
    let noise = prop_oneof![
        "[\\x08\\r\\x1b\\[K ]{1,12}",
        " --More-- ",
        "\\PC{1,6}",
        Just(",".to_owned())
    ];
    (
        prop::sample::select(lines),
        any::<prop::sample::Index>(),
        noise,
        0..6_u8,
    )
        .prop_map(|(line, at, noise, what)| {
            let mut at = at.index(line.len() + 1);
            while !line.is_char_boundary(at) {
                at -= 1;
            }
            match what {
                0 => line[..at].to_owned(),
                1 => line[at..].to_owned(),
                2 => format!("{}{noise}{}", &line[..at], &line[at..]),
                _ => line.to_owned(),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_captures_break_nothing(lines in prop::collection::vec(line(), 0..80), startup: bool) {
        let text = lines.join("\n");
        let file = if startup { "startup" } else { "f" };
        let Ok(switch) = parse(file, &text) else { return Ok(()) };
        let count = text.split('\n').count();
        for port in switch.ports.values() {
            for place in port.lines.values() {
                prop_assert!(place.line >= 1 && place.line as usize <= count);
            }
            for vlan in [port.native_vlan, port.access_vlan].into_iter().flatten() {
                prop_assert!((1..=vlan_list::LAST).contains(&vlan));
            }
            prop_assert_eq!(switch.port(&port.name).map(|p| &p.name), Some(&port.name));
        }
        let merged = Switch::merge([switch.clone(), switch.clone()]);
        let alone = Switch::merge([switch]);
        prop_assert_eq!(&merged.ports, &alone.ports);
        prop_assert_eq!(diff::diff(&alone, &merged).changes, vec![]);
        let _ = compare::unsaved(&alone);
    }

}

proptest! {
    #[test]
    fn lists_survive_writing_and_reading(vlans in prop::collection::btree_set(1..=vlan_list::LAST, 1..200)) {
        let vlans: Vec<u16> = vlans.into_iter().collect();
        let text = vlan_list::show(&vlans);
        prop_assert_eq!(vlan_list::VlanSet::parse(&text).unwrap().numbers(), vlans);
    }

    /// A list broken by the device after any comma, and by a terminal at its width, is one list.
    #[test]
    fn a_wrapped_trunk_list_is_one_list(vlans in prop::collection::btree_set(1..=vlan_list::LAST, 1..120), width in 20..79_usize) {
        let vlans: Vec<u16> = vlans.into_iter().collect();
        let mut row = "Te1/0/2     ".to_owned();
        let mut text = "Port        Vlans allowed on trunk\n".to_owned();
        for part in vlan_list::show(&vlans).split_inclusive(',') {
            if row.len() + part.len() > width && row.trim_end().ends_with(',') {
                text.push_str(&row);
                text.push('\n');
                row = " ".repeat(12);
            }
            row.push_str(part);
        }
        text.push_str(&row);
        let switch = parse("f", &text).unwrap();
        let port = switch.port("Te1/0/2").unwrap();
        let all = vlans.len() == usize::from(vlan_list::LAST);
        prop_assert_eq!(port.allowed_vlans.clone(), (!all).then_some(vlans));
    }
}
