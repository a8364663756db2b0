//! Takes a plan back. Safe to be killed and run again: each path is either as the plan left it
//! (then the old content is put back by one rename) or already as before (then nothing is done).

use crate::engine::{self, Observer};
use crate::error::{Error, chain};
use crate::failpoint::hit;
use crate::journal::{self, Id, Journal, Progress, Record, Status};
use crate::lock::Lock;
use crate::origin::Origin;
use crate::orphan;
use crate::plan::{Again, Case, Cases, Change, Plan, Run};
use crate::root::Root;
use crate::show;
use crate::state::State;
use std::collections::BTreeMap;

/// What to do where a path is neither as before the plan nor as after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Leave it and say so.
    Known,
    /// Put the old content back all the same.
    Force,
}

/// The plan that a rollback without a name means: the last one that is unfinished or applied.
///
/// # Errors
/// The journal cannot be read.
pub fn last(root: &Root) -> Result<Option<Record>, Error> {
    for (_, record) in journal::list(root)?.into_iter().rev() {
        let record = record?;
        if record.status() != Status::RolledBack {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// What a rollback will do, as lines for a person; nothing for what is already as before.
///
/// # Errors
/// [`Error::ChangedSince`] unless forced, or the world cannot be read.
pub fn preview(root: &Root, record: &Record, strictness: Strictness) -> Result<Vec<String>, Error> {
    let plan = &record.plan;
    let mut world: BTreeMap<&str, State> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut last = Vec::new();
    let mut changed = Vec::new();
    for index in open_steps(record).into_iter().rev() {
        match &plan.steps[index].act {
            Change::Path {
                path,
                before,
                after,
            } => {
                let now = match world.get(path.as_str()) {
                    Some(state) => state.clone(),
                    None => State::read(root, path, false)?,
                };
                if now == *before {
                    continue;
                }
                if !now.same(after) && strictness == Strictness::Known {
                    changed.push(path.clone());
                }
                lines.push(show::change(path, &now, before));
                world.insert(path, before.clone());
            }
            Change::Run(run) => match &run.undo {
                Again::By(commands) if !engine::is_before(root, run) => {
                    lines.extend(commands.iter().map(|c| show::command(&c.argv)));
                }
                Again::Last => last.push(show::command(&run.command.argv)),
                Again::Cases(cases) => {
                    if record.status() == Status::Applied {
                        engine::probe_all(root, &cases.needs, run.seconds)
                            .map_err(|error| no_way(run, &[error]))?;
                    }
                    // What fits is known only once the steps after it were taken back.
                    let case = fitting(root, run, cases).ok().or(cases.cases.last());
                    let commands = case.iter().flat_map(|case| &case.commands);
                    lines.extend(commands.map(|c| show::command(&c.argv)));
                }
                Again::Never => lines.push(format!(
                    "# cannot be taken back: {}",
                    show::command(&run.command.argv)
                )),
                Again::By(_) | Again::Nothing => {}
            },
        }
    }
    if !changed.is_empty() {
        return Err(Error::ChangedSince {
            id: plan.id.clone(),
            paths: changed,
        });
    }
    lines.extend(last);
    Ok(lines)
}

/// Takes a plan back.
///
/// # Errors
/// [`Error::Locked`]; [`Error::ChangedSince`], before anything is done; [`Error::NotRolledBack`]
/// with everything that could not be taken back.
pub fn rollback(
    root: &Root,
    id: &Id,
    strictness: Strictness,
    by: &Origin,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let _lock = Lock::take(root, "nofail rollback", by)?;
    let record = journal::load(root, id)?;
    if record.status() == Status::RolledBack {
        return Ok(());
    }
    preview(root, &record, strictness)?;
    let mut journal = Journal::open(root, id)?;
    let steps = open_steps(&record);
    let mut taking = Taking {
        root,
        plan: &record.plan,
        strictness,
        by: &format!("{}, {}", by.who, by.when),
        journal: &mut journal,
        observer,
    };
    let left = taking.back(&steps);
    if !left.is_empty() {
        return Err(Error::NotRolledBack {
            id: id.clone(),
            left,
        });
    }
    Ok(())
}

/// The first way back whose world is the one that is found.
fn fitting<'c>(root: &Root, run: &Run, cases: &'c Cases) -> Result<&'c Case, Error> {
    let mut missing = Vec::new();
    for case in &cases.cases {
        match engine::probe_all(root, &case.when, run.seconds) {
            Ok(()) => return Ok(case),
            Err(error) => missing.push(error),
        }
    }
    Err(no_way(run, &missing))
}

fn no_way(run: &Run, missing: &[Error]) -> Error {
    let mut why: Vec<String> = missing.iter().map(|error| chain(error)).collect();
    why.dedup();
    Error::NoWayBack {
        line: show::command(&run.command.argv),
        why: why.join("; "),
    }
}

/// Steps that may have changed something.
fn open_steps(record: &Record) -> Vec<usize> {
    (0..record.plan.steps.len())
        .filter(|step| record.open(*step))
        .collect()
}

/// A plan that is being taken back.
pub(crate) struct Taking<'a, 'b> {
    pub(crate) root: &'a Root,
    pub(crate) plan: &'a Plan,
    pub(crate) strictness: Strictness,
    pub(crate) by: &'a str,
    pub(crate) journal: &'a mut Journal,
    pub(crate) observer: &'a mut Observer<'b>,
}

impl Taking<'_, '_> {
    /// Undoes steps, the last first, and goes on where one cannot be undone: what else can come
    /// back comes back. Gives what could not.
    pub(crate) fn back(&mut self, steps: &[usize]) -> Vec<Error> {
        let plan = self.plan;
        let last = |step: &usize| matches!(&plan.steps[*step].act, Change::Run(run) if run.undo == Again::Last);
        let (again, others): (Vec<usize>, Vec<usize>) = steps.iter().rev().partition(|s| last(s));
        let mut left = Vec::new();
        for step in others.into_iter().chain(again) {
            let undone = self
                .note(Progress::Undoing { step })
                .and_then(|()| self.step(step))
                .and_then(|()| self.note(Progress::Undone { step }));
            left.extend(undone.err());
        }
        if left.is_empty() {
            let by = self.by.to_owned();
            let closed = engine::unstage(self.root, plan)
                .and_then(|()| self.note(Progress::RolledBack { by }));
            left.extend(closed.err());
        }
        left
    }

    fn note(&mut self, progress: Progress) -> Result<(), Error> {
        self.journal.append(&progress)?;
        (self.observer)(&progress);
        Ok(())
    }

    fn step(&mut self, index: usize) -> Result<(), Error> {
        match &self.plan.steps[index].act {
            Change::Path {
                path,
                before,
                after,
            } => self.path(index, path, before, after),
            Change::Run(run) => match &run.undo {
                Again::By(commands) if !engine::is_before(self.root, run) => {
                    hit();
                    for command in commands {
                        engine::execute(command, run.seconds)?;
                        hit();
                    }
                    engine::probe_all(self.root, &run.before, run.seconds)
                }
                Again::Cases(cases) => self.case(index, run, cases),
                Again::Last => engine::execute(&run.command, run.seconds),
                Again::By(_) | Again::Nothing | Again::Never => Ok(()),
            },
        }
    }

    /// Takes the way back that fits; what a killed run left running is ended before.
    fn case(&mut self, index: usize, run: &Run, cases: &Cases) -> Result<(), Error> {
        if run.long.is_some() {
            orphan::end(&run.command.argv)?;
        }
        let long = cases.cases.iter().filter(|case| case.long.is_some());
        for command in long.flat_map(|case| &case.commands) {
            orphan::end(&command.argv)?;
        }
        let case = fitting(self.root, run, cases)?;
        let observer = &mut *self.observer;
        let mut tell = |done, of| {
            observer(&Progress::At {
                step: index,
                done,
                of,
            });
        };
        hit();
        for command in &case.commands {
            engine::execute_undo(command, run.seconds, case.long.as_ref(), &mut tell)?;
            hit();
        }
        engine::probe_all(self.root, &cases.leaves, run.seconds)
    }

    fn path(&self, index: usize, path: &str, before: &State, after: &State) -> Result<(), Error> {
        let id = &self.plan.id;
        let temporary = id.temporary_undo(index);
        if let Ok(place) = self.root.place(path, false) {
            // What a killed run left; it would also keep a directory from being removed.
            place.remove_temporary(&id.temporary(index))?;
            place.remove_temporary(&temporary)?;
        }
        let now = State::read(self.root, path, false)?;
        if now == *before {
            return Ok(());
        }
        if !now.same(after) && self.strictness == Strictness::Known {
            return Err(Error::ChangedSince {
                id: id.clone(),
                paths: vec![path.to_owned()],
            });
        }
        let place = self.root.place(path, false)?;
        place.replaceable()?;
        match place.put(&now, before, &temporary) {
            Ok(()) => {}
            // Somebody else put something into a directory that the plan made: it stays.
            Err(Error::Path { source, .. })
                if source.kind() == std::io::ErrorKind::DirectoryNotEmpty =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if place.state()?.same(before) {
            Ok(())
        } else {
            Err(Error::NotAsPlanned {
                path: path.to_owned(),
            })
        }
    }
}
