//! Rules on `/etc/fstab`. Helpers that several of them share are in `line`.

pub mod circular_name_resolution;
pub mod duplicate_target;
pub mod fsck_pass_on_network;
pub mod hostname_source;
pub(crate) mod line;
pub mod missing_source;
pub mod syntax;
pub mod unstable_device_name;
pub mod wrong_fstype;
//! Rules on fstab: what the next boot makes of it.

pub mod device_timeout_ignored;
pub mod fsck_can_stop_boot;
pub mod generator_gives_up;
pub mod libvirt_requires_network_mount;
pub mod missing_netdev;
pub mod missing_nofail;
pub mod network_behind_local;
pub mod nofail_loses_ordering;
pub mod ordering_cycle;
mod planned;
pub mod unbounded_mount_timeout;
