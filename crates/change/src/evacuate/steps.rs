//! The steps of an evacuation. Pure: everything was decided by the survey.
//!
//! Both ways end with the same definition. Between them lies a row of definitions, one for each
//! number of disks that have moved: number *i* names the copies of the first *i* disks. Offline
//! the plan walks along that row; live libvirt does so itself, at each pivot.

use super::{ATTACHMENT, Mode, Move, RULE, Survey};
use crate::error::Error;
use crate::origin::Origin;
use crate::plan::{
    Act, Again, Case, Cases, Command, Copying, Draft, Gauge, Long, Probe, Proposal, Run,
};
use crate::show;
use crate::state::{Bytes, Meta, State};

/// Seconds for what takes no time on a server that answers.
const SHORT: u64 = 60;
/// Seconds for a pivot, and for what was cached to reach the disk.
const FLUSH: u64 = 600;

/// The plan's draft.
///
/// # Errors
/// The definition cannot be edited, or what was moved cannot be recorded.
pub fn draft(survey: &Survey, origin: Origin) -> Result<Draft, Error> {
    let texts = texts(survey)?;
    let walk = Walk { survey, texts };
    let runs = match survey.mode {
        Mode::Offline => walk.offline(),
        Mode::Live => walk.live(),
    };
    let moved = serde_json::to_string(&survey.moved()).map_err(|source| Error::JournalForm {
        path: ATTACHMENT.to_owned(),
        source,
    })?;
    let title = format!(
        "nofail evacuate {} --to {}",
        show::quoted(&survey.guest),
        show::quoted(&survey.target.directory)
    );
    Ok(Draft {
        host: survey.host.clone(),
        title,
        origin,
        proposals: runs
            .into_iter()
            .map(|run| Proposal {
                act: Act::Run(run),
                rules: vec![RULE.to_owned()],
                safe: true,
            })
            .collect(),
        attachments: [(ATTACHMENT.to_owned(), moved)].into(),
    })
}

/// The row of definitions: none moved, the first disk moved, …
fn texts(survey: &Survey) -> Result<Vec<String>, Error> {
    let mut texts = vec![survey.definition.clone()];
    for moved in &survey.moves {
        let last = texts.last().map_or("", String::as_str);
        let next = facts::domain::redirect(last, &moved.disk, &moved.to).map_err(|error| {
            Error::Probe {
                line: format!("virsh dumpxml --inactive {}", show::quoted(&survey.guest)),
                said: error.to_string(),
            }
        })?;
        texts.push(next);
    }
    Ok(texts)
}

/// Whether the file that is copied into is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// It is made.
    New,
    /// It is, and stays the same file, with its owner and label.
    There,
}

/// Copies what a disk holds from one image to another of the same format. Without -t the copy would
/// end without being flushed (qemu-img(1): "unsafe"); -n makes no new file.
fn convert(format: &str, from: &str, to: &str, target: Target) -> Command {
    let keep: &[&str] = match target {
        Target::New => &[],
        Target::There => &["-n"],
    };
    let how = [
        "-p",
        "-t",
        "writeback",
        "-f",
        format,
        "-O",
        format,
        from,
        to,
    ];
    command(&[&["qemu-img", "convert"], keep, &how].concat())
}

/// A command line from words of different lifetimes.
fn command(words: &[&str]) -> Command {
    Command {
        argv: words.iter().map(|w| (*w).to_owned()).collect(),
        input: None,
    }
}

fn holds(words: &[&str]) -> Probe {
    Probe::Command {
        argv: command(words).argv,
        says: None,
    }
}

fn says(words: &[&str], text: &str) -> Probe {
    Probe::Command {
        argv: command(words).argv,
        says: Some(text.to_owned()),
    }
}

fn exists(path: &str) -> Probe {
    holds(&["test", "-e", path])
}

fn absent(path: &str) -> Probe {
    holds(&["test", "!", "-e", path])
}

/// The original, not written to since the survey.
fn unchanged(moved: &Move) -> Probe {
    let seen = format!("{} {}", moved.size, moved.mtime);
    says(&["stat", "-c", "%s %Y", &moved.from], &seen)
}

struct Walk<'a> {
    survey: &'a Survey,
    texts: Vec<String>,
}

impl Walk<'_> {
    fn state(&self, state: &str) -> Probe {
        says(&["virsh", "domstate", &self.survey.guest], state)
    }

    /// Where a disk lies: in the definition, or as it runs.
    fn lies(&self, disk: &str, definition: bool, source: &str, copying: Option<Copying>) -> Probe {
        Probe::Disk {
            guest: self.survey.guest.clone(),
            disk: disk.to_owned(),
            definition,
            source: source.to_owned(),
            copying,
        }
    }

    fn defined(&self, moved: &Move, source: &str) -> Probe {
        self.lies(&moved.disk, true, source, None)
    }

    fn runs_on(&self, moved: &Move, source: &str, copying: Copying) -> Probe {
        self.lies(&moved.disk, false, source, Some(copying))
    }

    fn defined_as(&self, text: &str) -> Probe {
        let guest = &self.survey.guest;
        says(
            &["virsh", "dumpxml", "--inactive", "--security-info", guest],
            text,
        )
    }

    fn define(&self, number: usize) -> Command {
        Command {
            input: self.texts.get(number).cloned(),
            ..command(&["virsh", "define", "/dev/stdin"])
        }
    }

    fn job(&self, moved: &Move, to: &str, starts: bool) -> Long {
        Long {
            gauge: Gauge::Job {
                guest: self.survey.guest.clone(),
                disk: moved.disk.clone(),
                to: to.to_owned(),
                starts,
            },
            stall: self.survey.stall,
        }
    }

    fn output(&self, moved: &Move) -> Long {
        let bytes = moved.virtual_size;
        Long {
            gauge: Gauge::Output { bytes },
            stall: self.survey.stall,
        }
    }

    fn offline(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let off = || self.state("shut off");
        for moved in &self.survey.moves {
            let (from, to, format) = (&moved.from, &moved.to, &moved.format);
            runs.push(Run {
                command: convert(format, from, to, Target::New),
                before: vec![off(), absent(to), unchanged(moved)],
                after: vec![exists(to)],
                undo: Again::Cases(Cases {
                    cases: vec![Case {
                        when: vec![self.defined(moved, &moved.named)],
                        commands: vec![command(&["rm", "-f", to])],
                        long: None,
                    }],
                    leaves: vec![absent(to)],
                    needs: Vec::new(),
                }),
                seconds: SHORT,
                long: Some(self.output(moved)),
                ..Run::default()
            });
            let compare = [
                "qemu-img", "compare", "-p", "-f", format, "-F", format, from, to,
            ];
            runs.push(Run {
                command: command(&compare),
                before: vec![off(), unchanged(moved)],
                after: vec![off(), unchanged(moved)],
                seconds: SHORT,
                long: Some(self.output(moved)),
                ..Run::default()
            });
            runs.extend(self.attributes(moved));
        }
        runs.push(self.sync());
        for (number, moved) in self.survey.moves.iter().enumerate() {
            let next = &self.texts[number + 1];
            runs.push(Run {
                command: self.define(number + 1),
                shows: Some(self.difference(number, number + 1)),
                before: vec![
                    off(),
                    unchanged(moved),
                    self.defined_as(&self.texts[number]),
                ],
                after: vec![off(), unchanged(moved), self.defined_as(next)],
                undo: self.home(number, moved, true),
                seconds: SHORT,
                ..Run::default()
            });
        }
        self.end(&mut runs);
        runs
    }

    fn live(&self) -> Vec<Run> {
        let guest = &self.survey.guest;
        let mut runs = Vec::new();
        for moved in &self.survey.moves {
            let (disk, to) = (&moved.disk, &moved.to);
            let copy = [
                "virsh",
                "blockcopy",
                guest,
                disk,
                "--dest",
                to,
                "--format",
                &moved.format,
                "--transient-job",
            ];
            let abort = command(&["virsh", "blockjob", guest, disk, "--abort"]);
            let remove = command(&["rm", "-f", to]);
            let old = |place: &str, copying| {
                vec![
                    self.runs_on(moved, place, copying),
                    self.defined(moved, &moved.named),
                ]
            };
            // A volume that was brought home from its copy runs under its path until it is off.
            let places = [&moved.named, &moved.from];
            let aborting = places.map(|place| Case {
                when: old(place, Copying::Yes),
                commands: vec![abort.clone(), remove.clone()],
                long: None,
            });
            let removing = places.map(|place| Case {
                when: old(place, Copying::No),
                commands: vec![remove.clone()],
                long: None,
            });
            let mut before = vec![
                self.state("running"),
                absent(to),
                says(&["virsh", "blockjob", guest, disk, "--raw"], ""),
            ];
            before.extend(old(&moved.named, Copying::No));
            runs.push(Run {
                command: command(&copy),
                before,
                after: vec![
                    self.runs_on(moved, &moved.named, Copying::Follows),
                    Probe::Mentions {
                        argv: command(&["qemu-img", "info", "-U", "--output=json", to]).argv,
                        text: format!("\"virtual-size\": {}", moved.virtual_size),
                    },
                ],
                undo: Again::Cases(Cases {
                    cases: aborting.into_iter().chain(removing).collect(),
                    leaves: vec![absent(to)],
                    needs: Vec::new(),
                }),
                seconds: SHORT,
                long: Some(self.job(moved, to, true)),
                ..Run::default()
            });
            runs.push(Run {
                // Owner and label are libvirt's while the guest runs.
                command: command(&["chmod", &format!("{:04o}", moved.mode), to]),
                seconds: SHORT,
                ..Run::default()
            });
        }
        runs.push(self.sync());
        for (number, moved) in self.survey.moves.iter().enumerate() {
            // Before the first pivot every disk's copy must follow.
            let waiting = &self.survey.moves[number..];
            runs.push(Run {
                command: command(&["virsh", "blockjob", guest, &moved.disk, "--pivot"]),
                before: waiting
                    .iter()
                    .map(|m| self.runs_on(m, &m.named, Copying::Follows))
                    .collect(),
                after: vec![
                    self.runs_on(moved, &moved.to, Copying::No),
                    self.defined(moved, &moved.to),
                ],
                undo: self.home(number, moved, false),
                seconds: FLUSH,
                ..Run::default()
            });
        }
        // libvirt wrote the new place into the definition itself, and an empty <backingStore/>
        // beside it: back to what was there but for the place.
        let all = self.survey.moves.len();
        let settled = |m: &Move| [self.runs_on(m, &m.to, Copying::No), self.defined(m, &m.to)];
        let settled: Vec<Probe> = self.survey.moves.iter().flat_map(settled).collect();
        runs.push(Run {
            command: self.define(all),
            shows: Some(self.difference(0, all)),
            before: settled.clone(),
            after: settled
                .into_iter()
                .chain([self.defined_as(&self.texts[all])])
                .collect(),
            seconds: SHORT,
            ..Run::default()
        });
        self.end(&mut runs);
        runs
    }

    /// Brings a disk that was switched to its copy back to the original, with what the guest wrote
    /// meanwhile. `compared`: as long as the copy bears the original's time nothing was written.
    fn home(&self, number: usize, moved: &Move, compared: bool) -> Again {
        let guest = &self.survey.guest;
        let Move {
            disk,
            from,
            to,
            format,
            named,
            ..
        } = moved;
        let define = self.define(number);
        let back = command(&[
            "virsh",
            "blockcopy",
            guest,
            disk,
            "--dest",
            from,
            "--format",
            format,
            "--reuse-external",
            "--transient-job",
            "--wait",
            "--verbose",
            "--pivot",
        ]);
        let abort = command(&["virsh", "blockjob", guest, disk, "--abort"]);
        let write = convert(format, to, from, Target::There);
        let off = || vec![self.state("shut off"), self.defined(moved, to)];
        let job = Some(self.job(moved, from, false));
        // The way back of a file that libvirt calls by its path, not by pool and volume.
        let mut cases: Vec<Case> = [named, from]
            .map(|place| Case {
                when: vec![
                    self.runs_on(moved, place, Copying::No),
                    self.defined(moved, place),
                ],
                commands: vec![define.clone()],
                long: None,
            })
            .into();
        // Not pivoted yet: the copy's own step takes care of it.
        cases.push(Case {
            when: vec![self.runs_on(moved, named, Copying::Yes)],
            ..Case::default()
        });
        if compared {
            let mut when = off();
            when.push(says(&["stat", "-c", "%Y", to], &moved.mtime.to_string()));
            cases.push(Case {
                when,
                commands: vec![define.clone()],
                long: None,
            });
        }
        cases.push(Case {
            when: vec![self.runs_on(moved, to, Copying::Yes), self.state("running")],
            commands: vec![abort, back.clone(), define.clone()],
            long: job.clone(),
        });
        cases.push(Case {
            when: vec![self.runs_on(moved, to, Copying::No), self.state("running")],
            commands: vec![back, define.clone()],
            long: job,
        });
        cases.push(Case {
            when: off(),
            commands: vec![write, define],
            long: Some(self.output(moved)),
        });
        let last = number + 1 == self.survey.moves.len();
        Again::Cases(Cases {
            cases,
            leaves: vec![self.defined(moved, named)],
            // What an administrator changed in the definition since must not be lost with it.
            needs: if last {
                vec![self.defined_as(&self.texts[number + 1])]
            } else {
                Vec::new()
            },
        })
    }

    /// Owner, mode and time of the original; the label that the policy has for the place.
    fn attributes(&self, moved: &Move) -> Vec<Run> {
        let squashed = moved.uid == 65534;
        let keep = if squashed {
            "--preserve=mode,timestamps"
        } else {
            "--preserve=mode,ownership,timestamps"
        };
        let mut commands = vec![command(&[
            "cp",
            "--attributes-only",
            keep,
            &moved.from,
            &moved.to,
        ])];
        if self.survey.selinux {
            commands.push(command(&["restorecon", &moved.to]));
        }
        commands
            .into_iter()
            .map(|command| Run {
                command,
                seconds: SHORT,
                ..Run::default()
            })
            .collect()
    }

    /// The copies and their names are on the disk before anything points to them.
    fn sync(&self) -> Run {
        let mut words = vec!["sync"];
        words.extend(self.survey.moves.iter().map(|m| m.to.as_str()));
        words.push(&self.survey.target.directory);
        Run {
            command: command(&words),
            seconds: FLUSH,
            ..Run::default()
        }
    }

    /// The originals out of the way, each with a note; the pool looks again.
    fn end(&self, runs: &mut Vec<Run>) {
        for moved in &self.survey.moves {
            let Some(kept) = &moved.kept else { continue };
            let from = &moved.from;
            runs.push(Run {
                command: command(&["mv", "-n", "-T", from, kept]),
                before: vec![exists(from), absent(kept), self.defined(moved, &moved.to)],
                after: vec![exists(kept), absent(from)],
                undo: Again::Cases(Cases {
                    cases: vec![
                        Case {
                            when: vec![exists(from)],
                            commands: Vec::new(),
                            long: None,
                        },
                        Case {
                            when: vec![absent(from), exists(kept)],
                            commands: vec![command(&["mv", "-n", "-T", kept, from])],
                            long: None,
                        },
                    ],
                    leaves: vec![exists(from), absent(kept)],
                    needs: vec![exists(kept)],
                }),
                seconds: SHORT,
                ..Run::default()
            });
            let note = format!("{kept}.txt");
            runs.push(Run {
                command: Command {
                    input: Some(self.note(moved)),
                    ..command(&["tee", &note])
                },
                before: vec![absent(&note)],
                undo: Again::By(vec![command(&["rm", "-f", &note])]),
                seconds: SHORT,
                ..Run::default()
            });
        }
        if let Some(pool) = &self.survey.target.pool {
            runs.push(Run {
                command: command(&["virsh", "pool-refresh", pool]),
                undo: Again::Last,
                seconds: SHORT,
                ..Run::default()
            });
        }
    }

    fn note(&self, moved: &Move) -> String {
        format!(
            "This was disk {} of the guest {} until nofail moved it to {}:{}.\n\
             It is behind the copy since the guest ran there: start no guest from it.\n\
             On {}: nofail rollback brings it back, nofail evacuate {} --remove-source removes it.\n",
            moved.disk,
            self.survey.guest,
            self.survey.host,
            moved.to,
            self.survey.host,
            show::quoted(&self.survey.guest),
        )
    }

    fn difference(&self, from: usize, to: usize) -> String {
        let state = |text: &String| State::File {
            content: Bytes::from(text.as_str()),
            meta: Meta::default(),
        };
        let name = format!("/{}.xml", self.survey.guest);
        show::change(&name, &state(&self.texts[from]), &state(&self.texts[to]))
    }
}
