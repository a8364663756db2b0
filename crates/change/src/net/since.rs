//! What a confirmed change left, kept at its end: whoever takes it back long after learns first what
//! others changed since, which going back would overwrite.

use super::record::{Handle, Record, RecordError};
use super::run;
use crate::plan::Change;
use crate::root::Root;
use crate::state::State;
use collect::netlink::NetlinkError;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Why it cannot be told.
#[derive(Debug, Error)]
pub enum SinceError {
    /// What was kept, or a profile file.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The kernel's state.
    #[error("cannot read the kernel's state")]
    Kernel(#[from] NetlinkError),
}

/// The profile files that a change writes.
fn paths(record: &Record) -> BTreeSet<&str> {
    let edits = record.edits.iter().filter_map(|step| match &step.act {
        Change::Path { path, .. } => Some(path.as_str()),
        Change::Run(_) => None,
    });
    let commands = record.profiles.iter().map(|file| file.path.as_str());
    edits.chain(commands).collect()
}

fn read(root: &Root, path: &str) -> Result<State, RecordError> {
    Ok(State::read(root, path, false).map_err(Box::new)?)
}

/// Keeps what the profile files hold once they are written. A change that cannot keep it is not
/// confirmed.
///
/// # Errors
/// A file cannot be read, or the disk refuses.
pub fn keep(record: &Record, handle: &Handle) -> Result<(), RecordError> {
    let root = Root::live().map_err(Box::new)?;
    let mut left = BTreeMap::new();
    for path in paths(record) {
        left.insert(path.to_owned(), read(&root, path)?);
    }
    handle.keep_left(&left)
}

/// What is no longer as a confirmed change left it, in words: its profile files, and the kernel as
/// far as the change reached.
///
/// # Errors
/// It cannot be told.
pub fn changed(record: &Record, handle: &Handle) -> Result<Vec<String>, SinceError> {
    let root = Root::live().map_err(|e| RecordError::from(Box::new(e)))?;
    let left = handle.left()?;
    let mut changed = Vec::new();
    for path in paths(record) {
        let now = read(&root, path)?;
        match left.get(path) {
            None => changed.push(format!("{path}: what it held was not kept")),
            Some(left) if now.same(left) => {}
            Some(_) if now == State::Absent => changed.push(format!("{path}: removed since")),
            Some(left) if now.content() == left.content() => {
                changed.push(format!("{path}: owner, mode or label changed since"));
            }
            Some(_) => changed.push(format!("{path}: edited since")),
        }
    }
    let commands = run::left_to_target(record)?;
    changed.extend(
        commands
            .iter()
            .map(|command| format!("the kernel: `{command}` would make it as confirmed")),
    );
    Ok(changed)
}
