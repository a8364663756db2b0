//! What is on disk of a change: everything that going back takes, written and synced before the
//! first command, and how far it has come.
//!
//! Each change has a directory `net/ID` under nofail's state directory: `record.json` (never
//! changed), `progress.json` (replaced atomically; who moves it holds the record's own lock),
//! `deadman.json` (the process that watches), `left.json` (profile files as confirmed) and the
//! program itself, so that neither an upgrade nor a dead NAS takes it away meanwhile.

use super::difference::Scope;
use super::probe::Probe;
use super::session::{Connection, Process};
use super::state::State;
use crate::error::{Error, advice};
use crate::journal::{self, Status};
use crate::lock::{self, Lock};
use crate::origin::Origin;
use crate::place::replace;
use crate::plan::Step;
use crate::root::Root;
use crate::state::State as FileState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Schema of `record.json`.
pub const SCHEMA: &str = "nofail.net-record/1";

/// Why a record could not be written, read or moved on.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A file or directory.
    #[error("cannot {what} {}{}", .path.display(), advice(.source))]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A record that is no JSON of this shape.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The host's lock, its journal, or a file that is replaced.
    #[error(transparent)]
    Change(#[from] Box<Error>),
    /// Another change is not finished.
    #[error("the change {id} is not finished ({}): confirm it, or `nofail net rollback`", .phase.text())]
    Unfinished {
        /// Which.
        id: String,
        /// How far it is.
        phase: Phase,
    },
    /// Somebody holds the lock.
    #[error("another nofail holds {}", .0.display())]
    Locked(PathBuf),
    /// No such change.
    #[error("there is no change {0}")]
    Unknown(String),
    /// It is no longer (or not yet) where the caller thought.
    #[error("the change {id} is {}", .phase.text())]
    Phase {
        /// Which.
        id: String,
        /// How far it is.
        phase: Phase,
    },
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Recorded; nothing was changed.
    Prepared,
    /// Its commands run.
    Applying,
    /// Its commands ran; the way is probed.
    Applied,
    /// The way is there; a person must confirm.
    Waiting,
    /// Confirmed; the profile is being written.
    Confirming,
    /// Done, kernel and profile.
    Confirmed,
    /// To be taken back.
    Failed,
    /// Being taken back.
    Restoring,
    /// The old state is back.
    Restored,
    /// The old state is not wholly back.
    RestoreFailed,
}

impl Phase {
    /// Whether nothing is left to do.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Confirmed | Self::Restored)
    }

    /// Its name, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Applying => "being applied",
            Self::Applied => "applied, being probed",
            Self::Waiting => "waiting for its confirmation",
            Self::Confirming => "being confirmed",
            Self::Confirmed => "confirmed",
            Self::Failed => "to be taken back",
            Self::Restoring => "being taken back",
            Self::Restored => "taken back",
            Self::RestoreFailed => "not wholly taken back",
        }
    }
}

/// A profile file as it was, which a command of [`Record::persist`] changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Its path.
    pub path: String,
    /// Content, owner, mode, attributes.
    pub before: crate::state::State,
}

/// Everything about one change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Its name.
    pub id: String,
    /// The host.
    pub host: String,
    /// The boot it belongs to.
    pub boot_id: String,
    /// Who, when, from where, why; as a plan has it.
    #[serde(flatten)]
    pub origin: Origin,
    /// The connection that applied it.
    pub connection: Connection,
    /// The process that applies it.
    pub applier: Process,
    /// What the refusals were answered with.
    pub grounds: String,
    /// The state before.
    pub before: State,
    /// The state it leads to.
    pub target: State,
    /// Devices that it touches.
    pub devices: BTreeSet<String>,
    /// Whether the kernel knows VLANs of bridges.
    pub has_vlans: bool,
    /// The commands, as printed.
    pub commands: Vec<String>,
    /// Seconds that a confirmation may take.
    pub confirm_seconds: f64,
    /// Seconds that the way may take to come up.
    pub probe_seconds: f64,
    /// What must answer afterwards.
    pub probes: Vec<Probe>,
    /// Commands that write the profile, once confirmed.
    pub persist: Vec<Vec<String>>,
    /// Profile files that they change, as they were.
    pub profiles: Vec<SavedFile>,
    /// Profile files that are written, once confirmed, before those commands.
    pub edits: Vec<Step>,
    /// The unit that restores after a reboot, where one was made.
    pub boot_unit: Option<PathBuf>,
}

impl Record {
    /// The scope of its restoration.
    pub fn scope(&self) -> Scope {
        Scope {
            devices: self.devices.clone(),
            kernel_routes: true,
            has_vlans: self.has_vlans,
        }
    }
}

/// How far it is, and since when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// How far.
    pub phase: Phase,
    /// Since when, seconds after boot.
    pub since: f64,
    /// When the commands had run, seconds after boot; 0 before.
    pub applied: f64,
    /// Who moved it there.
    pub by: Process,
    /// Why, where something went wrong; what was done, where nothing did.
    pub why: Option<String>,
    /// Time of day, RFC 3339.
    pub at: String,
}

/// All changes of a host.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// One change on disk.
#[derive(Clone, Debug)]
pub struct Handle {
    dir: PathBuf,
    /// Its name.
    pub id: String,
}

impl Store {
    /// Under nofail's state directory (`/var/lib/nofail`).
    pub fn new(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.join("net"),
        }
    }

    /// Writes a new change to disk, synced, in the phase `prepared`. From then on no plan starts
    /// before it is at its end.
    ///
    /// # Errors
    /// Another change or a plan is unfinished or running, or the disk refuses.
    pub fn create(
        &self,
        root: &Root,
        record: &Record,
        program: &Path,
    ) -> Result<Handle, RecordError> {
        let _lock = self.lock(root, &record.origin)?;
        for (id, plan) in journal::list(root).map_err(Box::new)? {
            if plan.map_err(Box::new)?.status() == Status::Unfinished {
                return Err(Box::new(Error::Unfinished(id)).into());
            }
        }
        fs::create_dir_all(&self.dir).map_err(io("make", &self.dir))?;
        if let Some((handle, progress)) = self.unfinished()? {
            return Err(RecordError::Unfinished {
                id: handle.id,
                phase: progress.phase,
            });
        }
        self.sweep();
        let dir = self.dir.join(&record.id);
        fs::create_dir(&dir).map_err(io("make", &dir))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(io("guard", &dir))?;
        let handle = Handle {
            dir: dir.clone(),
            id: record.id.clone(),
        };
        let copy = handle.program();
        fs::copy(program, &copy).map_err(io("copy nofail to", &copy))?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o700))
            .map_err(io("guard", &copy))?;
        sync(&copy)?;
        // A directory without a record counts for nothing, so the record comes last.
        handle.write_progress(Phase::Prepared, 0.0, None)?;
        write(&dir.join("record.json"), record)?;
        sync(&self.dir)?;
        Ok(handle)
    }

    /// The host's lock, which plans take as well; `root` has its home where this store lies.
    ///
    /// # Errors
    /// Somebody holds it, or the disk refuses.
    pub fn lock(&self, root: &Root, origin: &Origin) -> Result<Lock, RecordError> {
        Ok(Lock::host(root, "nofail net", origin).map_err(Box::new)?)
    }

    /// Removes what a kill left of changes that were never recorded, and the programs of those
    /// at their end. The lock is held; what cannot be removed stays.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let dir = entry.path();
            if dir.is_dir() && !dir.join("record.json").is_file() {
                let _ = fs::remove_dir_all(&dir);
            }
        }
        for handle in self.all().unwrap_or_default() {
            if handle.progress().is_ok_and(|p| p.phase.is_end()) {
                let _ = fs::remove_file(handle.program());
            }
        }
    }

    /// Every change, latest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<Vec<Handle>, RecordError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io("read", &self.dir)(error)),
        };
        let mut handles = Vec::new();
        for entry in entries.flatten() {
            let (dir, record) = (entry.path(), entry.path().join("record.json"));
            match fs::metadata(&record) {
                Ok(found) if found.is_file() => handles.push(Handle {
                    id: entry.file_name().to_string_lossy().into_owned(),
                    dir,
                }),
                // What only root may look into is there all the same.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err(io("read", &record)(error));
                }
                _ => {}
            }
        }
        handles.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(handles)
    }

    /// The change that is not at its end, if there is one.
    ///
    /// # Errors
    /// A record is damaged or cannot be read.
    pub fn unfinished(&self) -> Result<Option<(Handle, Progress)>, RecordError> {
        for handle in self.all()? {
            let progress = handle.progress()?;
            if !progress.phase.is_end() {
                return Ok(Some((handle, progress)));
            }
        }
        Ok(None)
    }

    /// A change by its name; the unfinished one, else the latest, where none is given.
    ///
    /// # Errors
    /// There is no such change.
    pub fn pick(&self, id: Option<&str>) -> Result<Option<Handle>, RecordError> {
        if let Some(id) = id {
            let found = self.all()?.into_iter().find(|h| h.id == id);
            return found
                .map(Some)
                .ok_or_else(|| RecordError::Unknown(id.to_owned()));
        }
        if let Some((handle, _)) = self.unfinished()? {
            return Ok(Some(handle));
        }
        Ok(self.all()?.into_iter().next())
    }
}

impl Handle {
    /// The copy of nofail that stands by.
    pub fn program(&self) -> PathBuf {
        self.dir.join("nofail")
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was recorded.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn record(&self) -> Result<Record, RecordError> {
        read(&self.dir.join("record.json"))
    }

    /// How far it is.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn progress(&self) -> Result<Progress, RecordError> {
        read(&self.dir.join("progress.json"))
    }

    /// Moves it on, where it is in one of the phases `from`.
    ///
    /// # Errors
    /// [`RecordError::Phase`] where it is in another; or the disk refuses.
    pub fn advance(
        &self,
        from: &[Phase],
        to: Phase,
        why: Option<String>,
    ) -> Result<Progress, RecordError> {
        let _lock = own_lock(&self.dir.join("lock"))?;
        let now = self.progress()?;
        if !from.contains(&now.phase) {
            return Err(RecordError::Phase {
                id: self.id.clone(),
                phase: now.phase,
            });
        }
        let applied = if to == Phase::Applied {
            super::session::seconds_since_boot()
        } else {
            now.applied
        };
        // The first reason is the one that counts.
        let why = match (now.why, why) {
            (Some(first), Some(more)) if first != more => Some(format!("{first}; {more}")),
            (Some(first), None) => Some(first),
            (_, why) => why,
        };
        self.write_progress(to, applied, why)
    }

    fn write_progress(
        &self,
        phase: Phase,
        applied: f64,
        why: Option<String>,
    ) -> Result<Progress, RecordError> {
        let progress = Progress {
            phase,
            since: super::session::seconds_since_boot(),
            applied,
            by: Process::own(),
            why,
            at: now(),
        };
        write(&self.dir.join("progress.json"), &progress)?;
        self.note(&format!(
            "{}{}",
            phase.text(),
            progress
                .why
                .as_deref()
                .map(|w| format!(": {w}"))
                .unwrap_or_default()
        ));
        Ok(progress)
    }

    /// Says that this process watches.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn stand_by(&self) -> Result<(), RecordError> {
        write(&self.dir.join("deadman.json"), &Process::own())
    }

    /// The process that watches, if one ever did.
    pub fn watcher(&self) -> Option<Process> {
        read(&self.dir.join("deadman.json")).ok()
    }

    /// Keeps what the profile files held when it was confirmed, by path.
    pub(super) fn keep_left(&self, left: &BTreeMap<String, FileState>) -> Result<(), RecordError> {
        write(&self.dir.join("left.json"), left)
    }

    /// What was kept so; nothing where it was confirmed without.
    pub(super) fn left(&self) -> Result<BTreeMap<String, FileState>, RecordError> {
        match read(&self.dir.join("left.json")) {
            Err(RecordError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(BTreeMap::new())
            }
            other => other,
        }
    }

    /// Adds a line to its log. A log that cannot be written stops nothing.
    pub fn note(&self, text: &str) {
        let mut options = fs::OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        if let Ok(mut log) = options.open(self.dir.join("log")) {
            let _ = writeln!(log, "{} {text}", now());
        }
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

/// Time of day with milliseconds, UTC.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// A change's own lock, held until dropped: short, for one step of its progress.
fn own_lock(path: &Path) -> Result<File, RecordError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(io("open", path))?;
    match lock::flock(&file, Duration::from_secs(5)) {
        Ok(true) => Ok(file),
        Ok(false) => Err(RecordError::Locked(path.into())),
        Err(error) => Err(io("lock", path)(error.into())),
    }
}

/// Writes JSON: a new file beside it, synced, renamed, the directory synced.
fn write(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|source| RecordError::Damaged {
        path: path.to_owned(),
        source,
    })?;
    Ok(replace(path, &bytes, 0o600).map_err(Box::new)?)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, RecordError> {
    let text = fs::read_to_string(path).map_err(io("read", path))?;
    serde_json::from_str(&text).map_err(|source| RecordError::Damaged {
        path: path.to_owned(),
        source,
    })
}

fn sync(path: &Path) -> Result<(), RecordError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io("sync", path))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io { what, path, source }
}
