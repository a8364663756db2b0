//! A guest's disks off the NAS: what is moved, why something is refused, and the steps.
//!
//! [`survey::survey`] looks at the guest, its images and the target and decides nothing that the
//! steps could decide otherwise; [`refuse`] and [`disks`] are pure judgements over a snapshot;
//! [`steps::proposals`] makes the plan. [`remove`] removes the kept originals, later.
//!
//! # What is promised
//! The definition never names an image that is behind the other. Offline it changes once the copy
//! is compared and the old image has not changed; live libvirt itself changes it at the pivot.
//! Where the guest has written to the new image, a rollback brings that back to the old one first.

pub mod disks;
pub mod image;
pub mod refuse;
pub mod remove;
pub mod space;
pub mod steps;
pub mod survey;
pub mod target;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// Ending of an original that was moved out of the way.
pub const KEPT: &str = ".evacuated";

/// Name of the attachment of a plan that says what was moved.
pub const ATTACHMENT: &str = "evacuate";

/// The rule whose finding an evacuation mends.
pub const RULE: &str = "storage/guest-disk-on-network-mount";

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The guest.
    pub guest: String,
    /// A directory, or the name of a pool.
    pub to: String,
    /// Local disks as well.
    pub all: bool,
    /// Although another guest rests on the same backing file.
    pub flatten: bool,
    /// Seconds without getting on after which a copy is given up.
    pub stall: u64,
}

/// How the disks are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The guest is off: copied, compared, redefined.
    Offline,
    /// The guest runs: libvirt's block copy.
    Live,
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Live => "live",
        }
    }
}

/// A disk that is moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// Its target: `vda`.
    pub disk: String,
    /// Its source as the definition names it: the path, or `pool/volume`.
    pub named: String,
    /// The image's path.
    pub from: String,
    /// The new image's path.
    pub to: String,
    /// What the original is renamed to; `None` where it stays (a directory that cannot be written).
    pub kept: Option<String>,
    /// `qcow2` or `raw`; it stays.
    pub format: String,
    /// Size that the guest sees, bytes.
    pub virtual_size: u64,
    /// Bytes that the copy needs.
    pub needs: u64,
    /// Images that it rests on, nearest first; the copy rests on none.
    pub backing: Vec<String>,
    /// Size of the original, bytes.
    pub size: u64,
    /// Time of the original's last change, seconds since 1970.
    pub mtime: i64,
    /// Permission bits of the original.
    pub mode: u32,
    /// Owner of the original.
    pub uid: u32,
}

/// A disk or file that stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The disk's target, or what the file is for.
    pub disk: String,
    /// Where it lies.
    pub source: String,
    /// Why it stays, and what follows.
    pub why: String,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The disk's target, where it is about one.
    pub disk: Option<String>,
    /// Why.
    pub why: String,
    /// What to do.
    pub advice: String,
}

impl Refusal {
    /// One about the guest or the target.
    pub fn new(why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            disk: None,
            why: why.into(),
            advice: advice.into(),
        }
    }

    /// The same about a disk.
    #[must_use]
    pub fn of(mut self, disk: &str) -> Self {
        self.disk = Some(disk.to_owned());
        self
    }
}

/// Everything that the plan rests on.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The host.
    pub host: String,
    /// The guest.
    pub guest: String,
    /// How.
    pub mode: Mode,
    /// The target.
    pub target: target::Target,
    /// What is moved.
    pub moves: Vec<Move>,
    /// What stays.
    pub left: Vec<Left>,
    /// Why nothing may be done; empty where it may.
    pub refused: Vec<Refusal>,
    /// What a person should know besides.
    pub notes: Vec<String>,
    /// The definition as `virsh dumpxml --inactive --security-info` prints it.
    pub definition: String,
    /// Whether SELinux labels files here.
    pub selinux: bool,
    /// Seconds without getting on after which a copy is given up.
    pub stall: u64,
}

/// What was moved, as the journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The guest.
    pub guest: String,
    /// Its disks.
    pub disks: Vec<MovedDisk>,
}

/// One disk that was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedDisk {
    /// Its target.
    pub disk: String,
    /// Where it lay.
    pub from: String,
    /// What the original is called now.
    pub kept: Option<String>,
    /// Where it lies now.
    pub to: String,
    /// What it rested on.
    #[serde(default)]
    pub backing: Vec<String>,
}

impl Survey {
    /// What the journal keeps.
    pub fn moved(&self) -> Moved {
        let disk = |m: &Move| MovedDisk {
            disk: m.disk.clone(),
            from: m.from.clone(),
            kept: m.kept.clone(),
            to: m.to.clone(),
            backing: m.backing.clone(),
        };
        Moved {
            guest: self.guest.clone(),
            disks: self.moves.iter().map(disk).collect(),
        }
    }
}
