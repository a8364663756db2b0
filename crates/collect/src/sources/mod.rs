//! One file per source; the list below is the order in which they run. A later source may use
//! what an earlier one found.

mod block_devices;
mod bmc;
mod boots;
mod bridges;
mod daemons;
mod files;
mod fstab;
mod hooks;
mod host;
mod kernel;
mod mount_points;
mod mounts;
mod names;
mod nics;
mod profiles;
mod units;

use crate::{HostReader, Options};
use facts::Snapshot;
use std::io;

/// Fills one section of the snapshot, or says in `unread` why it could not.
pub type Collector = fn(&dyn HostReader, &Options, &mut Snapshot);

/// Every source, in the order in which they run.
pub const ALL: &[Collector] = &[
    host::collect,
    units::collect,
    boots::collect,
    daemons::collect,
    hooks::collect,
    names::collect,
    kernel::collect,
    bmc::collect,
    nics::collect,
    bridges::collect,
    profiles::collect,
    fstab::collect,
    mounts::collect,
    mount_points::collect,
    block_devices::collect,
];

/// A person's words for an error at a path.
pub fn why(path: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{path}: no such file"),
        io::ErrorKind::PermissionDenied => format!("{path}: permission denied (run as root)"),
        _ => format!("{path}: {error}"),
    }
}
