//! The one list of all rules, sorted by ID. A test compares it with the folders.

use crate::rule::Rule;
use crate::{bmc, guests, hook, host, resolver, units};

/// Every rule, sorted by ID.
#[rustfmt::skip] // one line per rule, so that adding one touches one line
pub const ALL: &[&Rule] = &[
    &crate::guests::autostart_off::RULE,
pub const ALL: &[&Rule] = &[
    &bmc::absent_or_unconfigured::RULE,
    &guests::autostart_off::RULE,
    &hook::absent_though_needed::RULE,
    &hook::bad_interpreter::RULE,
    &hook::calls_virsh::RULE,
    &hook::never_fired::RULE,
    &hook::newer_than_daemon::RULE,
    &hook::not_executable::RULE,
    &hook::phase_not_handled::RULE,
    &hook::selinux_boolean_off::RULE,
    &hook::syntax_error::RULE,
    &hook::writable_by_others::RULE,
    &hook::wrong_selinux_label::RULE,
    &host::no_console_access::RULE,
    &host::reboots_itself_on_nfs_trouble::RULE,
    &resolver::all_servers_are_local_guests::RULE,
    &units::emergency_in_last_boot::RULE,
    &units::failed_mount::RULE,
    &units::failed_unit::RULE,
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
