//! Reads a host into a [`facts::Snapshot`]: the only crate that does.
//!
//! A [`HostReader`] gives bytes (this host, a directory tree); one file under `sources/` per
//! source turns them into one section of the snapshot. A source that fails leaves its reason in
//! `unread` and stops no other.

pub mod bmc;
pub mod command;
pub mod history;
pub mod netlink;
pub mod probe;
pub mod reader;
pub mod remote;
pub mod sources;
pub mod systemd;
pub mod vitals;

pub use reader::{HostReader, LocalReader, Stat};

use facts::Snapshot;
use std::time::Duration;

/// How to collect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Deadline of one probe of a path, and of one command.
    pub deadline: Duration,
    /// The program that runs as a disposable child for probes: this very binary.
    /// Started as `PROGRAM probe-child`; see [`sources`].
    pub probe_program: std::path::PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            probe_program: "/proc/self/exe".into(),
        }
    }
}

/// Reads every source of a host. Never fails as a whole: what could not be read is in `unread`.
pub fn collect(reader: &dyn HostReader, options: &Options) -> Snapshot {
    let mut snapshot = Snapshot::new("unknown");
    snapshot.reader = reader.kind().to_owned();
    for source in sources::ALL {
        source(reader, options, &mut snapshot);
    }
    snapshot.unread.sort();
    snapshot.unread.dedup();
    snapshot
}
