//! Rules on storage: what guests' disks rest upon.

pub mod backing_file_on_network_mount;
pub mod backing_format_missing;
pub mod cdrom_blocks_start;
pub mod disk_missing;
pub mod guest_disk_on_network_mount;
pub mod ha_disks_share_storage;
pub mod image_used_twice;
pub mod live_disk_differs;
pub(crate) mod place;
pub mod pool_nearly_full;
pub mod pool_not_autostarted;
pub mod pool_overcommitted;
pub(crate) mod support;
