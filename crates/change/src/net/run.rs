//! Runs commands, and brings an old state back.

use super::command::Command;
use super::difference::commands;
use super::read;
use super::record::{Handle, Record};
use collect::command::{self, CommandError};
use collect::netlink::NetlinkError;
use std::time::Duration;
use thiserror::Error;

/// Time for one command, and for one look at the kernel.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How often the difference to the old state is worked off: what one round takes along (routes
/// with an address, addresses with a link) the next one brings.
const ROUNDS: u32 = 6;

/// Why the old state is not wholly back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The kernel cannot be read.
    #[error("cannot read the kernel's state")]
    Read(#[from] NetlinkError),
    /// Something is left.
    #[error("not restored: {}", .0.join("; "))]
    Left(Vec<String>),
}

/// Runs one command.
///
/// # Errors
/// It fails, or takes over ten seconds.
pub fn run(words: &[String]) -> Result<(), CommandError> {
    let Some((program, args)) = words.split_first() else {
        return Ok(());
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    command::output(program, &args, DEADLINE).map(|_| ())
}

/// Whether the kernel is where a record wants to lead, as far as it reaches: the commands that
/// are left.
///
/// # Errors
/// The kernel cannot be read.
pub fn left_to_target(record: &Record) -> Result<Vec<Command>, NetlinkError> {
    let now = read::state(DEADLINE)?;
    let mut scope = record.scope();
    scope.kernel_routes = false;
    Ok(commands(&now, &record.target, &scope))
}

/// Brings the recorded kernel state back, from wherever the kernel is now. A command that fails
/// stops no other.
///
/// # Errors
/// [`RestoreError`]: what is not back.
pub fn restore_kernel(record: &Record, handle: &Handle) -> Result<(), RestoreError> {
    let scope = record.scope();
    let mut failures = Vec::new();
    for _ in 0..ROUNDS {
        let now = read::state(DEADLINE)?;
        let todo = commands(&now, &record.before, &scope);
        if todo.is_empty() {
            return Ok(());
        }
        failures.clear();
        for command in todo {
            match run(&command.words()) {
                Ok(()) => handle.note(&format!("restore: {command}")),
                Err(error) => {
                    handle.note(&format!("restore failed: {error}"));
                    failures.push(error.to_string());
                }
            }
        }
    }
    let now = read::state(DEADLINE)?;
    let left = commands(&now, &record.before, &scope);
    if left.is_empty() {
        return Ok(());
    }
    let left = left.iter().map(ToString::to_string).chain(failures);
    Err(RestoreError::Left(left.collect()))
}
