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
