//! Rules on guests: whether they come back, and not all on one host.

pub mod autostart_link_broken;
pub mod autostart_off;
pub mod crash_policy;
pub mod ha_members_on_one_host;
pub mod ha_shares_failure_domain;
pub mod libvirt_guests_off;
pub mod libvirt_guests_suspend_without_space;
pub mod managed_save_holds_old_disk;
pub mod network_not_autostarted;
pub mod transient_definition;
