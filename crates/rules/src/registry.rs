//! The one list of all rules, sorted by ID. A test compares it with the folders.

use crate::rule::Rule;

/// Every rule, sorted by ID.
#[rustfmt::skip] // one line per rule, so that adding one touches one line
pub const ALL: &[&Rule] = &[
    &crate::guests::autostart_off::RULE,
    &crate::switch::allowed_vlan_missing::RULE,
    &crate::switch::bpdu_guard_meets_stp::RULE,
    &crate::switch::channel_member_differs::RULE,
    &crate::switch::channel_member_not_bundled::RULE,
    &crate::switch::crc_errors::RULE,
    &crate::switch::native_vlan_mismatch::RULE,
    &crate::switch::port_security_on_uplink::RULE,
    &crate::switch::radius_group_member_missing::RULE,
    &crate::switch::radius_server_dead::RULE,
    &crate::switch::spanning_tree_blocks_vlan::RULE,
    &crate::switch::unsaved_configuration::RULE,
    &crate::switch::uplink_down::RULE,
    &crate::switch::uplink_not_on_planned_port::RULE,
    &crate::switch::uplink_without_portfast::RULE,
    &crate::switch::vlan_missing_on_switch::RULE,
];

/// The rule of an ID.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_without_doubles() {
        for pair in ALL.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} / {}", pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn every_rule_has_a_whole_page() {
        for rule in ALL {
            for heading in [
                "## What it finds",
                "## Why it matters",
                "## Evidence",
                "## Example",
                "## Remedy",
                "## When to ignore it",
                "## References",
            ] {
                assert!(rule.doc.contains(heading), "{} lacks {heading:?}", rule.id);
            }
            assert!(!rule.summary.ends_with('.'), "{}", rule.id);
        }
    }
}
