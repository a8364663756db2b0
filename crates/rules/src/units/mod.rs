//! Rules on systemd units and on how the host booted.

pub mod emergency_in_last_boot;
pub mod failed_mount;
pub mod failed_unit;
