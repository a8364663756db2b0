//! Runs a plan: lock, journal, then step by step: as planned? do it, read it again. A step that
//! fails takes everything back.

use crate::error::{Error, chain};
use crate::failpoint::hit;
use crate::journal::{self, Journal, Progress, Status};
use crate::lock::Lock;
use crate::long;
use crate::plan::{Change, Command, Copying, Long, Plan, Probe, Run, Step};
use crate::root::Root;
use crate::show;
use crate::state::State;
use crate::undo;
use collect::command;
use std::time::Duration;

/// Told after each event, for a person who watches.
pub type Observer<'a> = dyn FnMut(&Progress) + 'a;

/// Runs a plan to its end. On success every step is done and verified, and the plan can be taken
/// back with [`undo::rollback`]. The plan's ID may change (see [`Journal::create`]).
///
/// # Errors
/// Before step one: [`Error::Locked`], [`Error::Unfinished`], [`Error::Stale`],
/// [`Error::Journal`], or no room for the new files; nothing was changed. Later:
/// [`Error::Undone`] (as before) or [`Error::Stuck`].
pub fn apply(root: &Root, plan: &mut Plan, observer: &mut Observer<'_>) -> Result<(), Error> {
    let _lock = Lock::take(root, &plan.title, &plan.origin)?;
    close_unbegun(root)?;
    check_world(root, plan)?;
    let mut journal = Journal::create(root, plan)?;
    if let Err(error) = stage(root, plan) {
        unstage(root, plan)?;
        let by = plan.origin.who.clone();
        journal.append(&Progress::RolledBack { by })?;
        return Err(error);
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let mut record = |progress: Progress, observer: &mut Observer<'_>| {
            journal.append(&progress)?;
            observer(&progress);
            Ok::<(), Error>(())
        };
        // How many steps may have changed something, should this fail.
        let mut touched = index;
        let done = long::not_interrupted()
            .and_then(|()| record(Progress::Begun { step: index }, observer))
            .and_then(|()| check(root, step))
            .and_then(|()| {
                touched = index + 1;
                run(root, plan, index, step, observer)
            })
            .and_then(|()| record(Progress::Done { step: index }, observer));
        if let Err(cause) = done {
            // What cannot be recorded any more is still taken back.
            let why = chain(&cause);
            let _ = record(Progress::Failed { step: index, why }, observer);
            let steps: Vec<usize> = (0..touched).collect();
            let mut taking = undo::Taking {
                root,
                plan,
                strictness: undo::Strictness::Known,
                by: &plan.origin.who,
                journal: &mut journal,
                observer,
            };
            let left = taking.back(&steps);
            return Err(failed(plan, index, cause, left));
        }
    }
    journal.append(&Progress::Applied)?;
    observer(&Progress::Applied);
    Ok(())
}

/// Refuses to start over a plan that broke off; one of which nothing was begun is closed.
fn close_unbegun(root: &Root) -> Result<(), Error> {
    for (id, record) in journal::list(root)? {
        let record = record?;
        match record.status() {
            Status::Unfinished => return Err(Error::Unfinished(id)),
            Status::Prepared => {
                unstage(root, &record.plan)?;
                let by = "the next plan: no step of it was begun".to_owned();
                Journal::open(root, &id)?.append(&Progress::RolledBack { by })?;
            }
            Status::Applied | Status::RolledBack => {}
        }
    }
    Ok(())
}

/// Whether everything that the plan will touch is still as it was, before anything is written.
fn check_world(root: &Root, plan: &Plan) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for step in &plan.steps {
        if let Change::Path { path, before, .. } = &step.act
            && seen.insert(path)
            && State::read(root, path, false)? != *before
        {
            return Err(Error::Stale { path: path.clone() });
        }
    }
    Ok(())
}

/// Writes all new content beside the old before step one: from then on a step needs no room.
/// What lies in directories that do not exist yet is written at its step.
fn stage(root: &Root, plan: &Plan) -> Result<(), Error> {
    for (index, step) in plan.steps.iter().enumerate() {
        if let Change::Path {
            path,
            before,
            after,
        } = &step.act
            && let Ok(place) = root.place(path, false)
        {
            place.stage(before, after, &plan.id.temporary(index))?;
        }
    }
    Ok(())
}

/// Removes what was staged and not used.
pub(crate) fn unstage(root: &Root, plan: &Plan) -> Result<(), Error> {
    for (index, step) in plan.steps.iter().enumerate() {
        if let Change::Path { path, .. } = &step.act
            && let Ok(place) = root.place(path, false)
        {
            place.remove_temporary(&plan.id.temporary(index))?;
            place.remove_temporary(&plan.id.temporary_undo(index))?;
        }
    }
    Ok(())
}

/// Whether the world is as a step expects it; changes nothing.
fn check(root: &Root, step: &Step) -> Result<(), Error> {
    match &step.act {
        Change::Path { path, before, .. } => {
            let place = root.place(path, false)?;
            place.replaceable()?;
            // Not `==`: what an earlier step made may have got a label from the policy.
            if place.state()?.same(before) {
                Ok(())
            } else {
                Err(Error::Stale { path: path.clone() })
            }
        }
        Change::Run(run) => probe_all(root, &run.before, run.seconds),
    }
}

/// Does one step and verifies what it left.
fn run(
    root: &Root,
    plan: &Plan,
    index: usize,
    step: &Step,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    match &step.act {
        Change::Path {
            path,
            before,
            after,
        } => {
            let place = root.place(path, false)?;
            place.put(before, after, &plan.id.temporary(index))?;
            if !place.state()?.same(after) {
                return Err(Error::NotAsPlanned { path: path.clone() });
            }
        }
        Change::Run(run) => {
            hit();
            let mut tell = |done, of| {
                observer(&Progress::At {
                    step: index,
                    done,
                    of,
                });
            };
            match &run.long {
                None => execute(&run.command, run.seconds)?,
                Some(watch) => {
                    long::execute(&run.command, run.seconds, watch, true, &mut tell)?;
                }
            }
            hit();
            probe_all(root, &run.after, run.seconds)?;
        }
    }
    Ok(())
}

/// Runs a command that must succeed.
pub(crate) fn execute(command: &Command, seconds: u64) -> Result<(), Error> {
    succeeded(
        command,
        output(&command.argv, command.input.as_deref(), seconds)?,
    )
}

/// What a command gave, as an error where it failed.
pub(crate) fn succeeded(command: &Command, done: command::Output) -> Result<(), Error> {
    if done.status.success() {
        return Ok(());
    }
    Err(Error::Command(command::CommandError::Failed {
        line: show::command(&command.argv),
        status: done.status,
        stderr: done.stderr,
    }))
}

/// Runs a command of an undo, which nothing interrupts.
pub(crate) fn execute_undo(
    command: &Command,
    seconds: u64,
    watch: Option<&Long>,
    tell: &mut long::Tell<'_>,
) -> Result<(), Error> {
    match watch {
        None => execute(command, seconds),
        Some(watch) => long::execute(command, seconds, watch, false, tell),
    }
}

pub(crate) fn output(
    argv: &[String],
    input: Option<&str>,
    seconds: u64,
) -> Result<command::Output, command::CommandError> {
    let (program, args) = argv
        .split_first()
        .map_or(("", &[] as &[String]), |(program, args)| (program, args));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let input = input.unwrap_or_default().as_bytes();
    command::run(program, &args, input, Duration::from_secs(seconds))
}

/// Whether all of these hold.
pub(crate) fn probe_all(root: &Root, probes: &[Probe], seconds: u64) -> Result<(), Error> {
    probes.iter().try_for_each(|p| probe(root, p, seconds))
}

fn probe(root: &Root, probe: &Probe, seconds: u64) -> Result<(), Error> {
    match probe {
        Probe::Path { path, state } => {
            if State::read(root, path, false)?.same(state) {
                Ok(())
            } else {
                Err(Error::Stale { path: path.clone() })
            }
        }
        Probe::Times { path, text, times } => {
            let state = State::read(root, path, true)?;
            let content = String::from_utf8_lossy(state.content().unwrap_or_default());
            if content.matches(text.as_str()).count() == *times {
                Ok(())
            } else {
                Err(Error::Stale { path: path.clone() })
            }
        }
        Probe::Command { argv, says } => said(argv, seconds, |text| {
            says.as_ref().is_none_or(|wanted| wanted.trim() == text)
        }),
        Probe::Mentions { argv, text } => said(argv, seconds, |said| said.contains(text)),
        Probe::Disk {
            guest,
            disk,
            definition,
            source,
            copying,
        } => {
            let found = long::disk(guest, disk, *definition, seconds)?;
            let now = match (&found.mirror, found.mirror_ready) {
                (None, _) => Copying::No,
                (Some(_), false) => Copying::Yes,
                (Some(_), true) => Copying::Follows,
            };
            let fits = match copying {
                None => true,
                Some(Copying::Yes) => now != Copying::No,
                Some(wanted) => now == *wanted,
            };
            if fits && found.source.as_ref() == Some(source) {
                return Ok(());
            }
            let place = found.source.as_deref().unwrap_or("nothing");
            let busy = match now {
                Copying::No => "",
                Copying::Yes | Copying::Follows => ", and a block job copies it",
            };
            let inactive = if *definition { " --inactive" } else { "" };
            Err(Error::Probe {
                line: format!("virsh dumpxml{inactive} {}", show::quoted(guest)),
                said: format!("disk {disk} lies on {place}{busy}, expected {source}"),
            })
        }
    }
}

/// Whether a command succeeds and says what is wanted.
fn said(argv: &[String], seconds: u64, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
    let done = output(argv, None, seconds)?;
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.success() && wanted(said.trim()) {
        return Ok(());
    }
    let said = if done.stderr.is_empty() {
        // The first lines tell what it is; all of a definition would drown it.
        said.lines().take(5).collect::<Vec<_>>().join(" ")
    } else {
        done.stderr
    };
    Err(Error::Probe {
        line: show::command(argv),
        said,
    })
}

/// Whether a command's world is as before it.
pub(crate) fn is_before(root: &Root, run: &Run) -> bool {
    !run.before.is_empty() && probe_all(root, &run.before, run.seconds).is_ok()
}

fn failed(plan: &Plan, step: usize, cause: Error, left: Vec<Error>) -> Error {
    let cause = Box::new(cause);
    if left.is_empty() {
        return Error::Undone {
            step,
            source: cause,
        };
    }
    Error::Stuck {
        id: plan.id.clone(),
        step,
        cause,
        left,
    }
}
