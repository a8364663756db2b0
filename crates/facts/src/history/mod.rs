//! What happened to a host and one of its guests, from the records that are there anyway: QEMU's and
//! libvirt's logs, the journal, syslog, the kernel's log, wtmp, the audit log, package managers.
//!
//! Each parser turns one record's text into [`Trace`]s; what says nothing about a stop or a start
//! of guest or host is passed over. Judging them is for others.

pub mod audit;
pub mod daemon_log;
pub mod journal;
pub mod message;
pub mod packages;
pub mod qemu_log;
pub mod shell;
pub mod syslog;
#[cfg(test)]
mod tests;
pub mod time;
pub mod wtmp;

use crate::Evidence;
use serde::{Deserialize, Serialize};

/// Everything found about one guest and its host in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// The guest asked for.
    pub guest: String,
    /// What was found, oldest first.
    pub traces: Vec<Trace>,
    /// The records that were read.
    pub read: Vec<String>,
    /// The records that were not, and why.
    pub not_read: Vec<NotRead>,
}

/// A record that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotRead {
    /// File, command or log.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// One thing that a record tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// When, microseconds since 1970 UTC.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Where it was read.
    pub evidence: Evidence,
}

/// How a host went down in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopping {
    /// It was to come back.
    Reboot,
    /// Power off or halt.
    PowerOff,
    /// One of these; the record does not tell which.
    Either,
}

/// What libvirt-guests.service did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestsAction {
    /// It asked a guest to shut down.
    ShutDown,
    /// It saved a guest to disk.
    Suspend,
    /// It started or resumed a guest.
    Start,
}

/// What a record tells, as far as it matters to the question why a guest went down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// libvirt began to start the guest's QEMU.
    Started {
        /// Host name that libvirt wrote.
        host: Option<String>,
        /// As the receiving end of a migration or restored from a file (`-incoming`).
        incoming: bool,
    },
    /// libvirt saw QEMU end: `shutdown`, `destroyed`, `crashed`, `migrated`, `saved`, `failed`,
    /// `from-snapshot`, `daemon`, `unknown` (virDomainShutoffReason).
    Stopped {
        /// The reason as libvirt wrote it.
        reason: String,
    },
    /// QEMU was ended by a signal and named the sender.
    Signal {
        /// Signal number.
        number: u32,
        /// Sender's process, in QEMU's view.
        pid: u32,
        /// Sender's program; empty where QEMU could not tell.
        process: String,
    },
    /// libvirt began to move the guest away.
    MigrationBegan,
    /// Something else that QEMU said.
    Qemu {
        /// Its words.
        text: String,
    },
    /// An error of libvirt's daemon.
    DaemonError {
        /// Its words.
        text: String,
    },
    /// A client called libvirt (known where the daemon logs calls, or from its audit records).
    Asked {
        /// `shutdown`, `destroy`, `reboot`, `reset`, `suspend`, `save`, `migrate`, `start`.
        act: String,
    },
    /// The kernel killed a process for memory.
    OutOfMemory {
        /// Process.
        pid: u32,
        /// Its name, 15 characters at most.
        process: String,
        /// The guest of its cgroup, where the record names it.
        guest: Option<String>,
        /// Whether it was the limit of a cgroup, not the host's memory.
        cgroup: bool,
    },
    /// A process broke: segmentation fault, trap, abort with a core dump.
    Fault {
        /// Process, where told.
        pid: Option<u32>,
        /// Its name.
        process: String,
    },
    /// A disk, controller or file system reported an error.
    IoError {
        /// The words.
        text: String,
    },
    /// A storage server did not answer, or did again.
    StorageServer {
        /// The words.
        text: String,
    },
    /// Hardware reported an error.
    MachineCheck {
        /// The words.
        text: String,
    },
    /// libvirt-guests.service acted.
    GuestsService {
        /// How.
        action: GuestsAction,
        /// On which guest; `None` for the service as a whole.
        guest: Option<String>,
    },
    /// The host began to go down in good order.
    HostStopping {
        /// For what.
        how: Stopping,
    },
    /// The host booted.
    HostBooted,
    /// The last sign of life of a boot.
    HostLast,
    /// Somebody came in.
    SessionOpened {
        /// User.
        user: String,
        /// From where; `None` at the console.
        address: Option<String>,
        /// What tells this session from others in the same record: `sshd[PID]`, `pts/0`.
        key: String,
    },
    /// That session ended.
    SessionClosed {
        /// As in [`What::SessionOpened`].
        key: String,
    },
    /// A person or script ran a command that bears on guests or on the host's power.
    Command {
        /// Who; the one who became root, where known.
        user: String,
        /// Terminal, where known.
        terminal: Option<String>,
        /// The command line.
        line: String,
    },
    /// A package was installed, upgraded or removed that guests depend on.
    Package {
        /// The words.
        text: String,
    },
    /// The guest itself told something (its agent, its console).
    GuestTold {
        /// The words.
        text: String,
    },
    /// nofail's own recorder.
    Recorded {
        /// Kind of event.
        kind: String,
        /// Its message.
        text: String,
    },
}

impl Trace {
    /// A trace of one line of a file.
    pub fn of_line(at: i64, what: What, file: &str, line: usize, text: &str) -> Self {
        let number = u32::try_from(line).unwrap_or(u32::MAX);
        Self {
            at,
            what,
            evidence: Evidence::line(file, number, clipped(text)),
        }
    }

    /// A trace of a record without lines.
    pub fn of_record(at: i64, what: What, file: &str, text: &str) -> Self {
        Self {
            at,
            what,
            evidence: Evidence::measured(file, clipped(text)),
        }
    }
}

/// A line as evidence: QEMU's command lines run to thousands of characters.
fn clipped(text: &str) -> String {
    const MOST: usize = 300;
    let text = text.trim_end();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl History {
    /// Adds traces.
    pub fn add(&mut self, source: impl Into<String>, traces: Vec<Trace>) {
        self.read.push(source.into());
        self.traces.extend(traces);
    }

    /// Records that a record was not read.
    pub fn missing(&mut self, source: impl Into<String>, reason: impl Into<String>) {
        self.not_read.push(NotRead {
            source: source.into(),
            reason: reason.into(),
        });
    }

    /// Sorts by time; what stands in two records under the same words (journal and syslog) is
    /// kept once.
    pub fn settle(&mut self) {
        self.traces.sort_by_key(|trace| trace.at);
        let mut kept: Vec<Trace> = Vec::with_capacity(self.traces.len());
        for trace in self.traces.drain(..) {
            let again = |other: &&Trace| {
                trace.at - other.at < 2_000_000
                    && other.what == trace.what
                    && other.evidence.file != trace.evidence.file
            };
            if kept.iter().rev().take(20).find(again).is_none() {
                kept.push(trace);
            }
        }
        self.traces = kept;
    }
}
