//! What will be done, decided to the last byte before anything is done.
//!
//! A caller gives a [`Draft`] of proposals; [`prepare`] reads the world and makes a [`Plan`], in
//! which each step knows what it finds and what it leaves. The types here *are* the journal's
//! file format `nofail.plan/1`: fields may be added with a default, never renamed.

use crate::acl;
use crate::error::Error;
use crate::journal::Id;
use crate::label;
use crate::origin::Origin;
use crate::root::Root;
use crate::show;
use crate::state::{Bytes, Meta, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema name of a journal's plan.
pub const SCHEMA: &str = "nofail.plan/1";

/// What a caller wants done, in order.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The host it is for.
    pub host: String,
    /// One line: what it is for (`nofail fix`).
    pub title: String,
    /// Who, when, from where, why.
    pub origin: Origin,
    /// What to do.
    pub proposals: Vec<Proposal>,
    /// Anything that the caller wants to find again in the journal, by name.
    pub attachments: BTreeMap<String, String>,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What.
    pub act: Act,
    /// The rules whose findings it mends.
    pub rules: Vec<String>,
    /// Whether it may be done without being asked for one by one.
    pub safe: bool,
}

/// What can be done. A closed list: the engine has no other way to change a host.
#[derive(Clone, Debug)]
pub enum Act {
    /// The file holds these bytes. An existing file keeps owner, mode and attributes; a new one
    /// gets `mode` and the owner of its directory, and missing directories above are made (0755).
    Write {
        /// Path on the host; a link is followed.
        path: String,
        /// The whole content.
        content: Vec<u8>,
        /// Mode if it does not exist yet.
        mode: u32,
    },
    /// A file or link goes.
    Remove {
        /// Path on the host; a link itself is removed.
        path: String,
    },
    /// A symbolic link stands there.
    Link {
        /// Path of the link.
        path: String,
        /// What it holds.
        target: String,
    },
    /// Owner, mode, SELinux label; `None` leaves as it is.
    Attributes {
        /// Path on the host; a link is followed.
        path: String,
        /// Permission bits.
        mode: Option<u32>,
        /// Owner and group.
        owner: Option<(u32, u32)>,
        /// `security.selinux` without its final NUL.
        label: Option<String>,
    },
    /// A command is run; only on the live host.
    Run(Run),
}

/// A command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments, as a person could type them.
    pub argv: Vec<String>,
    /// What it reads on standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

impl Command {
    /// A command without input.
    pub fn new<const N: usize>(argv: [&str; N]) -> Self {
        Self {
            argv: argv.map(str::to_owned).to_vec(),
            input: None,
        }
    }
}

/// A command with its way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What is run.
    pub command: Command,
    /// What it changes, where the command line does not show it: a diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// Holds before the step, and again after it was undone; a rollback runs nothing where it
    /// holds already.
    #[serde(default)]
    pub before: Vec<Probe>,
    /// Holds after the step.
    #[serde(default)]
    pub after: Vec<Probe>,
    /// Files as it is expected to leave them: for foretelling only, not compared afterwards.
    #[serde(default)]
    pub leaves: BTreeMap<String, Bytes>,
    /// How it is undone.
    pub undo: Again,
    /// Seconds that each command may take; a long one's probes only.
    pub seconds: u64,
    /// For a command that takes as long as it takes: how it is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<Long>,
}

/// How a command is watched that may take hours: it is ended when it does not get on any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Long {
    /// What tells how far it is.
    pub gauge: Gauge,
    /// Seconds without getting on after which it is given up.
    pub stall: u64,
}

/// What tells how far a long command is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gauge {
    /// The percent that it prints itself (`qemu-img -p`), and the bytes that it reads and writes.
    Output {
        /// Bytes that are the whole, for a person.
        bytes: u64,
    },
    /// libvirt's block job on a disk of a running guest.
    Job {
        /// The guest.
        guest: String,
        /// The disk's target: `vda`.
        disk: String,
        /// The local file that is copied to.
        to: String,
        /// Whether the command ends when the job has begun: then the step lasts until the copy
        /// follows every write. Otherwise the command itself waits for the job.
        starts: bool,
    },
}

/// How a command is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// By these commands, in order. They must do no harm when run twice.
    By(Vec<Command>),
    /// By what fits the world as it is found.
    Cases(Cases),
    /// It cannot be undone; a rollback says so and closes the plan.
    Never,
    /// By the same command once more, after all other steps were undone: for commands that make
    /// something read files again (`systemctl daemon-reload`).
    Last,
    /// It changes nothing that has to be undone.
    #[default]
    Nothing,
}

/// Ways back from the worlds in which a command, a kill or what came after may have left things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cases {
    /// The first whose probes hold is taken. Where none holds nothing is done, and said.
    pub cases: Vec<Case>,
    /// Holds afterwards.
    #[serde(default)]
    pub leaves: Vec<Probe>,
    /// Must hold before the rollback of a plan that was done to its end is begun.
    #[serde(default)]
    pub needs: Vec<Probe>,
}

/// One way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The world for which it is meant.
    pub when: Vec<Probe>,
    /// The commands, in order; none where that world is the old one.
    #[serde(default)]
    pub commands: Vec<Command>,
    /// How they are watched, where one of them may take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<Long>,
}

/// What is looked at to tell a world from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A command that succeeds and, where `says` is given, prints just that (trimmed).
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// What it must print.
        says: Option<String>,
    },
    /// A command that succeeds and prints this among other things.
    Mentions {
        /// Program and arguments.
        argv: Vec<String>,
        /// What its output holds.
        text: String,
    },
    /// A file that holds a text just so many times.
    Times {
        /// The path; links are followed.
        path: String,
        /// The text.
        text: String,
        /// How often.
        times: usize,
    },
    /// A guest's disk, as `virsh dumpxml` tells it.
    Disk {
        /// The guest.
        guest: String,
        /// The disk's target: `vda`.
        disk: String,
        /// Whether the definition is asked, not what runs.
        definition: bool,
        /// Where it lies: the path, or `pool/volume`.
        source: String,
        /// Whether it is being copied, where that matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copying: Option<Copying>,
    },
    /// A path (links not followed) that holds this.
    Path {
        /// The path.
        path: String,
        /// What it holds; attributes that are not named are not compared.
        state: State,
    },
}

/// Whether a block job copies a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copying {
    /// No.
    No,
    /// Yes, whether it holds everything by now or not.
    Yes,
    /// Yes, and the copy follows every write.
    Follows,
}

/// A plan, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Its name in the journal: the time it was made.
    pub id: Id,
    /// The host.
    pub host: String,
    /// What it is for.
    pub title: String,
    /// Who, when, from where, why.
    #[serde(flatten)]
    pub origin: Origin,
    /// The steps.
    pub steps: Vec<Step>,
    /// What the caller keeps with it.
    #[serde(default)]
    pub attachments: BTreeMap<String, String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is shown: a diff, or a command line that a person could type.
    pub what: String,
    /// The rules whose findings it mends.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Whether it may be done without being asked for one by one.
    pub safe: bool,
    /// What it does.
    pub act: Change,
}

/// What a step does, decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "kebab-case")]
pub enum Change {
    /// Turns what one path holds into something else.
    Path {
        /// The path inside the root, links at its end resolved.
        path: String,
        /// What it finds.
        before: State,
        /// What it leaves.
        after: State,
    },
    /// Runs a command.
    Run(Run),
}

/// Makes a plan: reads what each step would find, leaves out what is already so, and refuses
/// what could not be done or undone. Changes nothing.
///
/// # Errors
/// The world cannot be read, or a step cannot be planned.
pub fn prepare(root: &Root, draft: Draft) -> Result<Plan, Error> {
    let mut planner = Planner {
        root,
        world: BTreeMap::new(),
        steps: Vec::new(),
    };
    for proposal in draft.proposals {
        planner.add(proposal)?;
    }
    Ok(Plan {
        schema: SCHEMA.to_owned(),
        id: Id::of(&draft.origin.when),
        host: draft.host,
        title: draft.title,
        origin: draft.origin,
        steps: planner.steps,
        attachments: draft.attachments,
    })
}

struct Planner<'a> {
    root: &'a Root,
    /// What the steps so far leave, by resolved path.
    world: BTreeMap<String, State>,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn add(&mut self, proposal: Proposal) -> Result<(), Error> {
        let Proposal { act, rules, safe } = proposal;
        let (path, follow) = match &act {
            Act::Run(run) => {
                if !self.root.is_live() {
                    return Err(Error::CommandInTree(show::command(&run.command.argv)));
                }
                let line = show::command(&run.command.argv);
                let what = match &run.shows {
                    Some(diff) => format!("{}\n{line}", diff.trim_end()),
                    None => line,
                };
                let act = Change::Run(run.clone());
                self.steps.push(Step {
                    what,
                    rules,
                    safe,
                    act,
                });
                return Ok(());
            }
            Act::Write { path, .. } | Act::Attributes { path, .. } => (path.clone(), true),
            Act::Remove { path } | Act::Link { path, .. } => (path.clone(), false),
        };
        if matches!(act, Act::Write { .. } | Act::Link { .. }) {
            self.make_parents(&path, &rules, safe)?;
        }
        let (path, before) = self.look(&path, follow)?;
        let new = match (&before, &act) {
            (State::File { .. }, Act::Write { .. } | Act::Attributes { .. }) => Meta::default(),
            _ => self.new_at(&path, false),
        };
        let after = after(&path, &act, &before, new)?;
        self.change(path, before, after, rules, safe);
        Ok(())
    }

    /// What a path will hold when the steps so far are done, and its resolved name.
    fn look(&self, path: &str, follow: bool) -> Result<(String, State), Error> {
        if let Some(state) = self.world.get(path) {
            return Ok((path.to_owned(), state.clone()));
        }
        match self.root.place(path, follow) {
            Ok(place) => {
                if let Some(state) = self.world.get(place.path()) {
                    return Ok((place.path().to_owned(), state.clone()));
                }
                place.replaceable()?;
                Ok((place.path().to_owned(), place.state()?))
            }
            // Its directory is made by an earlier step.
            Err(_) if self.will_be_directory(path) => Ok((path.to_owned(), State::Absent)),
            Err(error) => Err(error),
        }
    }

    /// Owner and label of what is new at a path.
    fn new_at(&self, path: &str, directory: bool) -> Meta {
        let mut meta = self.owner_above(path);
        if let Some(label) = label::of_new(self.root, path, directory) {
            meta.xattrs.insert(label::ATTRIBUTE.to_owned(), label);
        }
        meta
    }

    /// Who owns the directory that holds a path: what is new in it belongs to the same.
    fn owner_above(&self, path: &str) -> Meta {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let owner = match self.world.get(parent) {
            Some(state) => state.meta().map(|m| (m.uid, m.gid)),
            None => self.root.owner(parent),
        };
        let owner = owner.unwrap_or_default();
        Meta {
            uid: owner.0,
            gid: owner.1,
            ..Meta::default()
        }
    }

    fn will_be_directory(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        matches!(self.world.get(parent), Some(State::Directory { .. }))
    }

    fn make_parents(&mut self, path: &str, rules: &[String], safe: bool) -> Result<(), Error> {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let mut so_far = String::new();
        for part in &parts[..parts.len().saturating_sub(1)] {
            so_far = format!("{so_far}/{part}");
            if self.world.contains_key(&so_far) || self.root.is_directory(&so_far) {
                continue;
            }
            // A dangling link or a file is told by the step itself.
            if State::read(self.root, &so_far, false)? == State::Absent {
                let meta = Meta {
                    mode: 0o755,
                    ..self.new_at(&so_far, true)
                };
                let made = State::Directory { meta };
                self.change(so_far.clone(), State::Absent, made, rules.to_vec(), safe);
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        path: String,
        before: State,
        after: State,
        rules: Vec<String>,
        safe: bool,
    ) {
        if before == after {
            return;
        }
        self.world.insert(path.clone(), after.clone());
        let what = show::change(&path, &before, &after);
        let act = Change::Path {
            path,
            before,
            after,
        };
        self.steps.push(Step {
            what,
            rules,
            safe,
            act,
        });
    }
}

/// What an act leaves of what it finds.
fn after(path: &str, act: &Act, before: &State, new: Meta) -> Result<State, Error> {
    let absent = || Error::path("change", path, rustix::io::Errno::NOENT);
    let directory = || Error::path("change", path, rustix::io::Errno::ISDIR);
    Ok(match act {
        Act::Write { content, mode, .. } => State::File {
            content: Bytes(content.clone()),
            meta: match before {
                State::File { meta, .. } => meta.clone(),
                State::Directory { .. } => return Err(directory()),
                State::Absent | State::Link { .. } => Meta { mode: *mode, ..new },
            },
        },
        Act::Remove { .. } => match before {
            State::Directory { .. } => return Err(directory()),
            _ => State::Absent,
        },
        Act::Link { target, .. } => State::Link {
            target: target.clone(),
            meta: match before {
                State::Link { meta, .. } => meta.clone(),
                State::Directory { .. } => return Err(directory()),
                State::Absent | State::File { .. } => Meta { mode: 0o777, ..new },
            },
        },
        Act::Attributes {
            mode, owner, label, ..
        } => {
            let mut after = before.clone();
            let meta = match &mut after {
                State::Absent | State::Link { .. } => return Err(absent()),
                State::File { meta, .. } | State::Directory { meta } => meta,
            };
            meta.mode = mode.unwrap_or(meta.mode);
            if let (Some(mode), Some(list)) = (mode, meta.xattrs.get_mut(acl::ATTRIBUTE)) {
                *list = Bytes(acl::after_chmod(&list.0, *mode));
            }
            (meta.uid, meta.gid) = owner.unwrap_or((meta.uid, meta.gid));
            if let Some(label) = label {
                // The kernel's own form ends with a NUL.
                let value = Bytes(format!("{label}\0").into_bytes());
                meta.xattrs.insert(label::ATTRIBUTE.to_owned(), value);
            }
            after
        }
        Act::Run(_) => before.clone(),
    })
}
