//! Plans on disk: `/var/lib/nofail/plans/ID/` with `plan.json` (the whole [`Plan`], with all that
//! was there before) and `progress` (one JSON object per line, appended and synced before and
//! after each step). Under `--root` they lie in that tree.
//!
//! A plan appears whole or not at all: it is written under another name, synced, then renamed.

use crate::error::Error;
use crate::failpoint::hit;
use crate::plan::Plan;
use crate::root::Root;
use rustix::fs::{self as rfs, AtFlags, FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

/// Room taken for the progress in advance, so that a disk that fills up meanwhile cannot keep a
/// step or its undo from being recorded.
const PROGRESS_ROOM: u64 = 64 << 10;

/// Name of a plan: digits of the time at which it was made, so that names sort by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// The ID of a time in RFC 3339: `20261122-232641-123456`.
    pub fn of(when: &str) -> Self {
        let digits: String = when.chars().filter(char::is_ascii_digit).collect();
        let part = |from: usize, to: usize| digits.get(from..to.min(digits.len())).unwrap_or("");
        Self(format!(
            "{}-{}-{:0<6}",
            part(0, 8),
            part(8, 14),
            part(14, 20)
        ))
    }

    /// Reads one that a user typed.
    ///
    /// # Errors
    /// It cannot be a plan's name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fits = !text.is_empty()
            && text.len() < 64
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::NoPlan(text.to_owned()))
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Temporary name of a step's new content.
    pub(crate) fn temporary(&self, step: usize) -> String {
        format!(".nofail-{self}-{step}")
    }

    /// Temporary name of what a step's undo puts back.
    pub(crate) fn temporary_undo(&self, step: usize) -> String {
        format!(".nofail-{self}-{step}-undo")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Progress {
    /// A step is about to be done.
    Begun {
        /// The step, from 0.
        step: usize,
    },
    /// A step was done and verified.
    Done {
        /// The step.
        step: usize,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// A step is about to be taken back.
    Undoing {
        /// The step.
        step: usize,
    },
    /// A step was taken back.
    Undone {
        /// The step.
        step: usize,
    },
    /// How far a long step is. Told to who watches, never written.
    At {
        /// The step.
        step: usize,
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        of: u64,
    },
    /// Every step is done.
    Applied,
    /// Everything was taken back.
    RolledBack {
        /// Who did so, when.
        by: String,
    },
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// On disk, but no step of it was begun.
    Prepared,
    /// Broke off, while it was done or taken back.
    Unfinished,
    /// Done.
    Applied,
    /// Taken back.
    RolledBack,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Unfinished => "unfinished",
            Self::Applied => "applied",
            Self::RolledBack => "rolled back",
        }
    }
}

/// A plan of the journal with what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The plan.
    pub plan: Plan,
    /// What happened, in order.
    pub progress: Vec<Progress>,
}

impl Record {
    /// What became of it.
    pub fn status(&self) -> Status {
        let last = self
            .progress
            .iter()
            .rev()
            .find(|p| !matches!(p, Progress::Failed { .. }));
        match last {
            None => Status::Prepared,
            Some(Progress::Applied) => Status::Applied,
            Some(Progress::RolledBack { .. }) => Status::RolledBack,
            Some(_) => Status::Unfinished,
        }
    }

    /// Whether a step may have changed something that was not taken back since.
    pub fn open(&self, step: usize) -> bool {
        let of = |p: &Progress| match p {
            Progress::Begun { step: s } => (*s == step).then_some(true),
            Progress::Undone { step: s } => (*s == step).then_some(false),
            Progress::RolledBack { .. } => Some(false),
            _ => None,
        };
        self.progress.iter().rev().find_map(of).unwrap_or(false)
    }

    /// What became of a step: `planned`, `begun`, `done`, `failed`, `undone`.
    pub fn step_state(&self, step: usize) -> &'static str {
        let of = |p: &Progress| match p {
            Progress::Begun { step: s } if *s == step => Some("begun"),
            Progress::Done { step: s } if *s == step => Some("done"),
            Progress::Failed { step: s, .. } if *s == step => Some("failed"),
            Progress::Undone { step: s } if *s == step => Some("undone"),
            _ => None,
        };
        self.progress.iter().rev().find_map(of).unwrap_or("planned")
    }
}

/// The folder of all plans.
pub fn folder(root: &Root) -> String {
    format!("{}/plans", root.home())
}

/// A plan's journal, open for its progress.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: String,
}

impl Journal {
    /// Puts a plan on disk. Takes the next free ID if the plan's is taken, and sets it.
    ///
    /// # Errors
    /// [`Error::Journal`]: it cannot be written; nothing is left of it.
    pub fn create(root: &Root, plan: &mut Plan) -> Result<Self, Error> {
        Self::write(root, plan).map_err(|error| Error::Journal(Box::new(error)))
    }

    fn write(root: &Root, plan: &mut Plan) -> Result<Self, Error> {
        let folder = folder(root);
        root.make_directories(&folder, 0o755)?;
        let plans = root
            .open(&folder, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| Error::path("open", &folder, e))?;
        // What a killed run left before its plan was whole. The caller holds the lock.
        for name in names(&plans, &folder)?.iter().filter(|n| n.ends_with(NEW)) {
            discard(&plans, name);
        }
        let base = plan.id.clone();
        let mut number = 1;
        while rfs::statat(&plans, plan.id.0.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            number += 1;
            plan.id = Id(format!("{base}-{number}"));
        }
        let new = format!("{}{NEW}", plan.id);
        let written = write_new(&plans, &folder, &new, plan);
        if written.is_err() {
            discard(&plans, &new);
        }
        written?;
        hit();
        let path = format!("{folder}/{}", plan.id);
        rfs::renameat(&plans, new.as_str(), &plans, plan.id.0.as_str())
            .map_err(|e| Error::path("create", &path, e))?;
        hit();
        rfs::fsync(&plans).map_err(|e| Error::path("sync", &folder, e))?;
        hit();
        Self::open(root, &plan.id)
    }

    /// Opens the progress of a plan that is on disk.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(root: &Root, id: &Id) -> Result<Self, Error> {
        let path = format!("{}/{id}/progress", folder(root));
        let file = root
            .open(&path, OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW)
            .map_err(|e| Error::path("open", &path, e))?;
        Ok(Self {
            file: File::from(file),
            path,
        })
    }

    /// Appends what happened and waits until it is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, progress: &Progress) -> Result<(), Error> {
        let mut line = serde_json::to_string(progress).map_err(|source| Error::JournalForm {
            path: self.path.clone(),
            source,
        })?;
        // A line that a killed run did not finish is ended first; it is skipped when read.
        line.insert(0, '\n');
        line.push('\n');
        hit();
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::path("write", &self.path, e))?;
        hit();
        Ok(())
    }
}

/// Ending of a plan's directory that is not whole yet.
const NEW: &str = ".new";

fn write_new(plans: &OwnedFd, folder: &str, name: &str, plan: &Plan) -> Result<(), Error> {
    let path = format!("{folder}/{name}");
    let fail = |e: Errno| Error::path("create", &path, e);
    rfs::mkdirat(plans, name, Mode::RWXU).map_err(fail)?;
    hit();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rfs::openat(plans, name, flags, Mode::empty()).map_err(fail)?;
    let create = |file: &str| {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rfs::openat(&directory, file, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(fail)
    };
    let text = serde_json::to_vec_pretty(plan).map_err(|source| Error::JournalForm {
        path: path.clone(),
        source,
    })?;
    let mut file = create("plan.json")?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::path("write", &path, e))?;
    hit();
    let progress = create("progress")?;
    match rfs::fallocate(&progress, FallocateFlags::KEEP_SIZE, 0, PROGRESS_ROOM) {
        // A file system without preallocation (NFS, some FUSE).
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => {}
        Err(error) => return Err(Error::path("write", &path, error)),
    }
    rfs::fsync(&progress).map_err(fail)?;
    rfs::fsync(&directory).map_err(fail)
}

/// Removes a plan that never was whole; what stays behind is removed the next time.
fn discard(plans: &OwnedFd, name: &str) {
    for file in ["plan.json", "progress"] {
        let _ = rfs::unlinkat(plans, format!("{name}/{file}"), AtFlags::empty());
    }
    let _ = rfs::unlinkat(plans, name, AtFlags::REMOVEDIR);
}

fn names(directory: &OwnedFd, path: &str) -> Result<Vec<String>, Error> {
    let fail = |e| Error::path("read", path, e);
    let mut names = Vec::new();
    for entry in rfs::Dir::read_from(directory).map_err(fail)? {
        names.push(
            entry
                .map_err(fail)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

/// A plan's name, and what the journal holds of it.
pub type Listed = (Id, Result<Record, Error>);

/// Every plan, oldest first; empty where there is no journal. A plan that cannot be read is an
/// error of its own and hides no other.
///
/// # Errors
/// The folder cannot be read.
pub fn list(root: &Root) -> Result<Vec<Listed>, Error> {
    let folder = folder(root);
    let plans = match root.open(&folder, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(plans) => plans,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::path("open", &folder, error)),
    };
    let ids = names(&plans, &folder)?;
    let ids = ids.iter().filter_map(|name| Id::parse(name).ok());
    Ok(ids.map(|id| (id.clone(), load(root, &id))).collect())
}

/// One plan.
///
/// # Errors
/// There is none of that name, or it cannot be read.
pub fn load(root: &Root, id: &Id) -> Result<Record, Error> {
    let folder = format!("{}/{id}", folder(root));
    let read = |name: &str| {
        let path = format!("{folder}/{name}");
        let file = match root.open(&path, OFlags::RDONLY | OFlags::NOFOLLOW) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoPlan(id.to_string()));
            }
            Err(error) => return Err(Error::path("open", &path, error)),
        };
        let mut bytes = Vec::new();
        File::from(file)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::path("read", &path, e))?;
        Ok((path, bytes))
    };
    let (path, plan) = read("plan.json")?;
    let plan =
        serde_json::from_slice(&plan).map_err(|source| Error::JournalForm { path, source })?;
    let (_, progress) = read("progress")?;
    let progress = String::from_utf8_lossy(&progress)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    Ok(Record { plan, progress })
}
