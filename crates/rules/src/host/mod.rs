//! Rules on the host as a whole: what may take it down, the way in when it is, and who would know.

pub mod no_console_access;
pub mod not_watched;
pub mod reboot_unguarded;
pub mod reboots_itself_on_nfs_trouble;

use facts::Snapshot;

/// Whether guests live here, or could: a definition, or a libvirt daemon.
fn is_hypervisor(snapshot: &Snapshot) -> bool {
    let mode = snapshot.daemons.mode.as_deref();
    !snapshot.guests.is_empty() || mode.is_some_and(|mode| mode != "none")
}
