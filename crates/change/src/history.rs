//! One history of a host: every plan and every network change, by age. Both carry the same record
//! of who, when, from where and why.

use crate::error::Error;
use crate::journal::{self, Id, Listed, Status};
use crate::net::record::{Phase, Progress, Record, RecordError, Store};
use crate::origin::Origin;
use crate::root::Root;
use rustix::fs::OFlags;
use std::os::fd::AsRawFd;
use std::path::Path;

/// A network change with how far it is.
#[derive(Clone, Debug)]
pub struct NetChange {
    /// Its record.
    pub record: Record,
    /// How far it is.
    pub progress: Progress,
    /// What was done, a line each with its time.
    pub log: String,
}

/// A change of the host.
#[derive(Debug)]
pub enum Entry {
    /// A plan.
    Plan(Listed),
    /// A network change: its name, and what is on disk of it.
    Net(String, Result<Box<NetChange>, RecordError>),
}

impl NetChange {
    /// What became of it, in a plan's words.
    pub fn status(&self) -> Status {
        match self.progress.phase {
            Phase::Prepared => Status::Prepared,
            Phase::Confirmed => Status::Applied,
            Phase::Restored => Status::RolledBack,
            _ => Status::Unfinished,
        }
    }

    /// What it is for, as a plan's title.
    pub fn title(&self) -> String {
        let devices: Vec<&str> = self.record.devices.iter().map(String::as_str).collect();
        format!("nofail net apply ({})", devices.join(", "))
    }

    /// What it did: its commands, then what was to be written into the profile.
    pub fn steps(&self) -> Vec<String> {
        let commands = self.record.commands.iter().cloned();
        let edits = self.record.edits.iter().map(|step| step.what.clone());
        let persist = self.record.persist.iter().map(|words| {
            let words: Vec<String> = words
                .iter()
                .map(|word| rules::bridge::persist::quoted(word))
                .collect();
            words.join(" ")
        });
        commands.chain(edits).chain(persist).collect()
    }

    /// What became of its `index`th step, in a plan's words.
    pub fn step_state(&self, index: usize) -> &'static str {
        let in_profile = index >= self.record.commands.len();
        match self.progress.phase {
            Phase::Prepared => "planned",
            Phase::Applied | Phase::Waiting if in_profile => "planned",
            Phase::Applied | Phase::Waiting | Phase::Confirmed => "done",
            Phase::Confirming if !in_profile => "done",
            Phase::Restored => "undone",
            _ => "begun",
        }
    }

    /// Who, when, from where, why.
    pub fn origin(&self) -> &Origin {
        &self.record.origin
    }
}

impl Entry {
    /// Its name; names sort by age.
    pub fn id(&self) -> &str {
        match self {
            Self::Plan((id, _)) => id.as_str(),
            Self::Net(id, _) => id,
        }
    }

    /// What became of it; `None` where that cannot be read.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Plan((_, record)) => record.as_ref().ok().map(journal::Record::status),
            Self::Net(_, change) => change.as_ref().ok().map(|c| c.status()),
        }
    }
}

/// Every change, oldest first. What cannot be read of one hides no other.
///
/// # Errors
/// The folders cannot be read.
pub fn list(root: &Root) -> Result<Vec<Entry>, Error> {
    let mut all: Vec<Entry> = journal::list(root)?.into_iter().map(Entry::Plan).collect();
    all.extend(changes(root)?);
    all.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(all)
}

/// One change by its name.
///
/// # Errors
/// There is none of that name, or it cannot be read.
pub fn load(root: &Root, id: &str) -> Result<Entry, Error> {
    let net = changes(root)?.into_iter().find(|entry| entry.id() == id);
    match net {
        Some(entry) => Ok(entry),
        None => {
            let id = Id::parse(id)?;
            let record = journal::load(root, &id)?;
            Ok(Entry::Plan((id, Ok(record))))
        }
    }
}

fn changes(root: &Root) -> Result<Vec<Entry>, Error> {
    // Through a handle: a link in a tree must not lead out of it.
    let home = match root.open(root.home(), OFlags::PATH | OFlags::DIRECTORY) {
        Ok(home) => home,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::path("open", root.home(), error)),
    };
    let store = Store::new(Path::new(&format!("/proc/self/fd/{}", home.as_raw_fd())));
    let handles = store.all().map_err(|e| Error::Net(Box::new(e)))?;
    let read = |handle: crate::net::record::Handle| {
        let change = handle.record().and_then(|record| {
            Ok(Box::new(NetChange {
                record,
                progress: handle.progress()?,
                log: handle.log(),
            }))
        });
        Entry::Net(handle.id, change)
    };
    Ok(handles.into_iter().map(read).collect())
}
