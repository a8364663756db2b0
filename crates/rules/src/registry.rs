//! The one list of all rules, sorted by ID. A test compares it with the folders.

use crate::rule::Rule;

/// Every rule, sorted by ID.
#[rustfmt::skip] // one line per rule, so that adding one touches one line
pub const ALL: &[&Rule] = &[
    &crate::bmc::absent_or_unconfigured::RULE,
    &crate::bmc::unverified::RULE,
    &crate::bridge::default_pvid_1::RULE,
    &crate::bridge::filtering_off_with_vlans::RULE,
    &crate::bridge::not_persistent::RULE,
    &crate::bridge::profile_ignored::RULE,
    &crate::bridge::pvid_differs_along_path::RULE,
    &crate::bridge::pvid_differs_from_plan::RULE,
    &crate::bridge::uplink_down::RULE,
    &crate::bridge::uplink_not_attached::RULE,
    &crate::bridge::vlan_missing_on_uplink::RULE,
    &crate::fstab::circular_name_resolution::RULE,
    &crate::fstab::device_timeout_ignored::RULE,
    &crate::fstab::duplicate_target::RULE,
    &crate::fstab::fsck_can_stop_boot::RULE,
    &crate::fstab::fsck_pass_on_network::RULE,
    &crate::fstab::generator_gives_up::RULE,
    &crate::fstab::hostname_source::RULE,
    &crate::fstab::libvirt_requires_network_mount::RULE,
    &crate::fstab::missing_netdev::RULE,
    &crate::fstab::missing_nofail::RULE,
    &crate::fstab::missing_source::RULE,
    &crate::fstab::network_behind_local::RULE,
    &crate::fstab::nofail_loses_ordering::RULE,
    &crate::fstab::ordering_cycle::RULE,
    &crate::fstab::syntax::RULE,
    &crate::fstab::unbounded_mount_timeout::RULE,
    &crate::fstab::unstable_device_name::RULE,
    &crate::fstab::wrong_fstype::RULE,
    &crate::guests::autostart_link_broken::RULE,
    &crate::guests::autostart_off::RULE,
    &crate::guests::crash_policy::RULE,
    &crate::guests::ha_members_on_one_host::RULE,
    &crate::guests::ha_shares_failure_domain::RULE,
    &crate::guests::libvirt_guests_off::RULE,
    &crate::guests::libvirt_guests_suspend_without_space::RULE,
    &crate::guests::managed_save_holds_old_disk::RULE,
    &crate::guests::network_not_autostarted::RULE,
    &crate::guests::transient_definition::RULE,
    &crate::hook::absent_though_needed::RULE,
    &crate::hook::bad_interpreter::RULE,
    &crate::hook::calls_virsh::RULE,
    &crate::hook::misplaced::RULE,
    &crate::hook::never_fired::RULE,
    &crate::hook::newer_than_daemon::RULE,
    &crate::hook::not_executable::RULE,
    &crate::hook::phase_not_handled::RULE,
    &crate::hook::selinux_boolean_off::RULE,
    &crate::hook::syntax_error::RULE,
    &crate::hook::writable_by_others::RULE,
    &crate::hook::wrong_selinux_label::RULE,
    &crate::host::no_console_access::RULE,
    &crate::host::not_watched::RULE,
    &crate::host::reboot_unguarded::RULE,
    &crate::host::reboots_itself_on_nfs_trouble::RULE,
    &crate::mounts::expected_but_absent::RULE,
    &crate::mounts::not_watched::RULE,
    &crate::mounts::root_only_read::RULE,
    &crate::mounts::stale::RULE,
    &crate::mounts::written_underneath::RULE,
    &crate::nic::bond_member_down::RULE,
    &crate::nic::crc_errors::RULE,
    &crate::nic::half_duplex::RULE,
    &crate::nic::slow_link::RULE,
    &crate::resolver::all_servers_are_local_guests::RULE,
    &crate::storage::backing_file_on_network_mount::RULE,
    &crate::storage::backing_format_missing::RULE,
    &crate::storage::cdrom_blocks_start::RULE,
    &crate::storage::disk_missing::RULE,
    &crate::storage::guest_disk_on_network_mount::RULE,
    &crate::storage::ha_disks_share_storage::RULE,
    &crate::storage::image_used_twice::RULE,
    &crate::storage::live_disk_differs::RULE,
    &crate::storage::pool_nearly_full::RULE,
    &crate::storage::pool_not_autostarted::RULE,
    &crate::storage::pool_overcommitted::RULE,
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
    &crate::units::emergency_in_last_boot::RULE,
    &crate::units::failed_mount::RULE,
    &crate::units::failed_unit::RULE,
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
