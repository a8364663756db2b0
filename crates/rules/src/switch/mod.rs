//! Rules on switches, from their captures: what the other end of an uplink does.

mod link;

pub mod allowed_vlan_missing;
pub mod bpdu_guard_meets_stp;
pub mod channel_member_differs;
pub mod channel_member_not_bundled;
pub mod crc_errors;
pub mod native_vlan_mismatch;
pub mod port_security_on_uplink;
pub mod radius_group_member_missing;
pub mod radius_server_dead;
pub mod spanning_tree_blocks_vlan;
pub mod unsaved_configuration;
pub mod uplink_down;
pub mod uplink_not_on_planned_port;
pub mod uplink_without_portfast;
pub mod vlan_missing_on_switch;

/// Whether a line that mends a finding is typed at the prompt (`clear counters …`) and not in
/// configuration mode.
pub fn is_exec(line: &str) -> bool {
    ["clear ", "copy ", "write ", "show "]
        .iter()
        .any(|start| line.starts_with(start))
}
