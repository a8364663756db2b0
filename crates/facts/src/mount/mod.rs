//! The mount table and the health of network mounts.

mod parse;

pub use parse::{mount_of, parse_mountinfo};

use serde::{Deserialize, Serialize};

/// One line of `/proc/self/mountinfo`, see proc_pid_mountinfo(5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Mount ID.
    pub id: u32,
    /// ID of the parent mount.
    pub parent: u32,
    /// `major:minor` of the device.
    pub device: String,
    /// Path inside the file system that is mounted here (`/` but for binds and subvolumes).
    pub root: String,
    /// Mount point.
    pub target: String,
    /// Per-mount options.
    pub options: Vec<String>,
    /// File system type, with subtype (`nfs4`, `fuse.sshfs`).
    pub fstype: String,
    /// Source, `host:/path` for NFS.
    pub source: String,
    /// Per-superblock options.
    pub super_options: Vec<String>,
    /// What a probe of a network mount found; `None` where it was not probed.
    pub health: Option<Health>,
}

impl Mount {
    /// Whether the data come over a network or from a process that may hang, so that nobody
    /// looks into it without a deadline: network types, and every FUSE file system but
    /// `fuseblk` (a local disk).
    pub fn is_network(&self) -> bool {
        crate::fstab::fstype_is_network(&self.fstype)
            || self.fstype.starts_with("fuse.")
            || matches!(
                self.fstype.as_str(),
                "fuse" | "9p" | "virtiofs" | "coda" | "beegfs" | "gpfs" | "panfs"
            )
    }

    /// Whether it is mounted read-only, by the mount or by the file system.
    pub fn is_read_only(&self) -> bool {
        [&self.options, &self.super_options]
            .iter()
            .any(|list| list.iter().any(|o| o == "ro"))
    }
}

/// What a probe of a network mount found, in a child process with a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub state: HealthState,
    /// What the kernel answered, or how long nothing came.
    pub detail: String,
    /// How long the probe took, milliseconds.
    pub milliseconds: u64,
}

/// The verdict of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// Answers, holds something, writable where it is mounted so.
    Ok,
    /// `ESTALE`: the server no longer knows the handle.
    Stale,
    /// No answer within the deadline.
    NotResponding,
    /// Answers and holds nothing.
    Empty,
    /// Mounted `rw`, but the server or the kernel refuses writing.
    ReadOnly,
    /// Alive, but this user may not look into it: somebody else's FUSE mount, or a directory of
    /// mode 0700 behind `root_squash`.
    NoPermission,
    /// Another error; the detail says which.
    Failed,
}

/// A directory that an fstab line (or a mount) covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountPoint {
    /// The directory.
    pub target: String,
    /// Whether something is mounted there now; `None` where not known (a tree).
    pub mounted: Option<bool>,
    /// Whether the bare directory exists.
    pub exists: Option<bool>,
    /// Number of entries in the bare directory, under the mount where there is one; `None` where
    /// it could not be seen.
    pub entries: Option<u64>,
    /// Names of some of these entries (at most 5).
    pub examples: Vec<String>,
    /// Permission bits of what is seen at the mount point: of the mounted file system's root
    /// where something is mounted, else of the bare directory.
    pub mode: Option<u32>,
    /// Owner of the same.
    pub uid: Option<u32>,
    /// Group of the same.
    pub gid: Option<u32>,
}
