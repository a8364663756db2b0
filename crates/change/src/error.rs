//! Why a change was not made, or not made to its end.

use crate::journal::Id;
use collect::command::CommandError;
use std::io;
use thiserror::Error;

/// Why a plan, a step or a rollback failed. Each says what to do next where that is known.
#[derive(Debug, Error)]
pub enum Error {
    /// A path could not be read or written.
    #[error("cannot {doing} {path}{}", advice(.source))]
    Path {
        /// The verb: `read`, `replace`, `create`.
        doing: &'static str,
        /// The path, as on the host.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The file has other names, which a replacement would leave behind with the old content.
    #[error(
        "{path} has {links} hard links; replacing it would part them. Make it a file of its own \
         first: cp -p {path} {path}.own && mv {path}.own {path}"
    )]
    HardLinks {
        /// The path.
        path: String,
        /// How many names it has.
        links: u64,
    },
    /// `chattr +i` or `+a`.
    #[error(
        "{path} is set immutable or append-only; if that is no longer meant: chattr -ia {path}"
    )]
    Immutable {
        /// The path.
        path: String,
    },
    /// Neither a regular file, a link nor a directory.
    #[error("{path} is a {kind}, which nofail does not replace")]
    Kind {
        /// The path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A file that is too large to be configuration.
    #[error("{path} is larger than {} MiB, which no file that nofail changes is", crate::state::MAX_FILE >> 20)]
    Large {
        /// The path.
        path: String,
    },
    /// Owner, mode or an attribute could not be carried over to the new file.
    #[error("the new {path} would not keep {what} of the old one")]
    Metadata {
        /// The path.
        path: String,
        /// What differs.
        what: String,
    },
    /// A step's world is not as it was when the plan was made.
    #[error(
        "{path} has changed since the plan was made; nothing more was done. Make the plan again"
    )]
    Stale {
        /// The path.
        path: String,
    },
    /// What a step left is not what the plan says.
    #[error("after the step {path} is not as planned")]
    NotAsPlanned {
        /// The path.
        path: String,
    },
    /// A command's check found the world otherwise than planned.
    #[error("`{line}` says that the world is not as planned: {said}")]
    Probe {
        /// The command of the check.
        line: String,
        /// What it said.
        said: String,
    },
    /// A block job did not end as it should.
    #[error("the copy of disk {disk} of {guest} ended before its time: {why}")]
    Job {
        /// The guest.
        guest: String,
        /// The disk's target.
        disk: String,
        /// What is known of the reason, and what to do.
        why: String,
    },
    /// A step that may take long does not get on.
    #[error(
        "nothing moved for {seconds} s while disk {disk} of {guest} was copied: does the server of the old image answer?"
    )]
    Stalled {
        /// The guest.
        guest: String,
        /// The disk's target.
        disk: String,
        /// How long.
        seconds: u64,
    },
    /// The user asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// A process that a killed run left behind cannot be ended.
    #[error(
        "process {pid} (`{line}`) hangs in the kernel and cannot be ended: probably the server that it reads from does not answer. Once it does: nofail rollback"
    )]
    Orphan {
        /// The process.
        pid: i32,
        /// Its command line.
        line: String,
    },
    /// None of the known ways back fits the world as it is.
    #[error(
        "`{line}` cannot be taken back: the world is none of those for which a way back is known ({why})"
    )]
    NoWayBack {
        /// The step's command.
        line: String,
        /// What each way back misses.
        why: String,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A command in a plan for a tree.
    #[error("`{0}` cannot run in a tree; with --root only files are changed")]
    CommandInTree(String),
    /// Another plan is running.
    #[error("another nofail is changing this host: {0}. Wait for it")]
    Locked(String),
    /// A network change is neither confirmed nor taken back.
    #[error(
        "the network change {id} is {phase}: confirm it, or take it back with `nofail net \
         rollback`"
    )]
    OpenChange {
        /// Which.
        id: String,
        /// How far it is.
        phase: &'static str,
    },
    /// The records of network changes cannot be used.
    #[error(transparent)]
    Net(Box<crate::net::record::RecordError>),
    /// A plan broke off.
    #[error("plan {0} was broken off; first take it back: nofail rollback {0}")]
    Unfinished(Id),
    /// No such plan.
    #[error("there is no plan {0:?}; `nofail plans` lists them")]
    NoPlan(String),
    /// The journal could not be written: nothing was changed.
    #[error("the journal cannot be written, so nothing was changed")]
    Journal(#[source] Box<Error>),
    /// A journal file is not what nofail writes.
    #[error("{path} is no journal of nofail")]
    JournalForm {
        /// The file.
        path: String,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// A step failed; everything was put back.
    #[error("step {} failed; what was done before it was taken back", .step + 1)]
    Undone {
        /// The step, from 0.
        step: usize,
        /// Why it failed.
        source: Box<Error>,
    },
    /// A step failed, and taking back failed as well.
    #[error(
        "step {} failed ({cause}), and not all could be taken back: {}. When the cause is mended: nofail rollback {id}",
        .step + 1, list(.left)
    )]
    Stuck {
        /// The plan.
        id: Id,
        /// The step, from 0.
        step: usize,
        /// Why it failed.
        cause: Box<Error>,
        /// What could not be taken back.
        left: Vec<Error>,
    },
    /// A rollback could not take everything back.
    #[error("not all could be taken back: {}. When the cause is mended: nofail rollback {id}", list(.left))]
    NotRolledBack {
        /// The plan.
        id: Id,
        /// What could not be taken back.
        left: Vec<Error>,
    },
    /// Someone changed what a rollback would put back.
    #[error("{} changed since plan {id} did; a rollback would destroy that. Look at it, then `nofail rollback {id} --force`, or keep it", join(.paths))]
    ChangedSince {
        /// The plan.
        id: Id,
        /// The paths.
        paths: Vec<String>,
    },
}

fn join(paths: &[String]) -> String {
    paths.join(", ")
}

fn list(errors: &[Error]) -> String {
    let texts: Vec<String> = errors.iter().map(|error| chain(error)).collect();
    texts.join("; ")
}

/// An error with all its causes, in one line; a cause that was told already is not told again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// What to do about the commonest reasons; in front of the system's own words.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (the file system is full: make room first)"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            " (the file system is read-only: mount -o remount,rw it first)"
        }
        io::ErrorKind::PermissionDenied => " (run as root)",
        _ => "",
    }
}

impl Error {
    /// An error about a path.
    pub fn path(doing: &'static str, path: &str, source: impl Into<io::Error>) -> Self {
        Self::Path {
            doing,
            path: path.to_owned(),
            source: source.into(),
        }
    }
}
