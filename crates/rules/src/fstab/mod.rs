//! Rules on fstab: its lines (helpers in `line`), and what the next boot makes of them (`planned`).
//! Rules on `/etc/fstab`. Helpers that several of them share are in `line` (the line as text) and
//! `planned` (the unit that systemd makes of it).

pub mod circular_name_resolution;
pub mod device_timeout_ignored;
pub mod duplicate_target;
pub mod fsck_can_stop_boot;
pub mod fsck_pass_on_network;
pub mod generator_gives_up;
pub mod hostname_source;
pub mod libvirt_requires_network_mount;
pub(crate) mod line;
pub mod missing_netdev;
pub mod missing_nofail;
pub mod missing_source;
pub mod network_behind_local;
pub mod nofail_loses_ordering;
pub mod ordering_cycle;
mod planned;
pub mod syntax;
pub mod unbounded_mount_timeout;
pub mod unstable_device_name;
pub mod wrong_fstype;
