//! The one list of all rules, sorted by ID. A test compares it with the folders.

use crate::rule::Rule;

/// Every rule, sorted by ID.
#[rustfmt::skip] // one line per rule, so that adding one touches one line
pub const ALL: &[&Rule] = &[
    &crate::bridge::default_pvid_1::RULE,
    &crate::bridge::filtering_off_with_vlans::RULE,
    &crate::bridge::not_persistent::RULE,
    &crate::bridge::profile_ignored::RULE,
    &crate::bridge::pvid_differs_along_path::RULE,
    &crate::bridge::pvid_differs_from_plan::RULE,
    &crate::bridge::uplink_down::RULE,
    &crate::bridge::uplink_not_attached::RULE,
    &crate::bridge::vlan_missing_on_uplink::RULE,
    &crate::guests::autostart_off::RULE,
    &crate::nic::bond_member_down::RULE,
    &crate::nic::crc_errors::RULE,
    &crate::nic::half_duplex::RULE,
    &crate::nic::slow_link::RULE,
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
