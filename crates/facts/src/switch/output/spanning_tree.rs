//! `show spanning-tree`: the state of each port in each VLAN. Instances of MST are passed over:
//! the output does not tell which VLANs they carry.

use super::super::{StpState, command::is_instance, terminal::Line};
use super::{Reader, leading_port};

/// Reads the tables of ports below the headings of VLANs.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut vlan = None;
    for line in lines {
        let text = line.text.trim_end();
        if is_instance(text.trim()) {
            vlan = text
                .trim()
                .strip_prefix("VLAN")
                .and_then(|n| n.parse::<u16>().ok());
            continue;
        }
        let (Some(vlan), Some((port, rest))) = (vlan, leading_port(text)) else {
            continue;
        };
        let mut words = rest.split_whitespace();
        let (Some(role), Some(state)) = (words.next(), words.next()) else {
            continue;
        };
        // `BKN*4`: a broken port's mark runs into its cost.
        let state = state.split('*').next().unwrap_or(state);
        if !matches!(state, "FWD" | "BLK" | "LIS" | "LRN" | "BKN" | "DSC" | "DIS") {
            continue;
        }
        let inconsistency =
            words.find_map(|word| word.strip_prefix('*').filter(|w| w.ends_with("_Inc")));
        let told = StpState {
            state: state.to_owned(),
            role: role.to_owned(),
            inconsistency: inconsistency.map(str::to_owned),
            place: reader.place(line),
        };
        reader.port(&port, line, &["spanning_tree"], |port| {
            port.spanning_tree.insert(vlan, told);
        });
    }
}
