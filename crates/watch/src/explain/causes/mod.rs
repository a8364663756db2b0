//! The causes that are told apart, and the weighing of each against the records.
//!
//! What the records can and cannot tell: libvirt's log has a reason (virDomainShutoffReason), but
//! `shutdown` stands there for a guest that shut down from inside, for `virsh shutdown`, for
//! libvirt-guests and for a SIGTERM alike; `crashed` for a crash, a SIGKILL and the kernel's
//! out-of-memory killer alike. Only other records tell these apart.

mod autostart;
mod host;
mod killed;
mod moved;
mod paused;
mod shutdown;
mod start;

pub use autostart::{never_started, still_off};

use super::moment::{Ending, Moment};
use super::{Candidate, Case, SECOND};
use facts::history::{GuestsAction, Trace, What};

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a guest went down, or stays down.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            /// Its name in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

causes! {
    /// Shut down from inside the guest.
    Inside = "shut-down-inside",
    /// `virsh shutdown`, or another client of libvirt that asked for it.
    VirshShutdown = "virsh-shutdown",
    /// `virsh destroy`: the power cut.
    VirshDestroy = "virsh-destroy",
    /// libvirt-guests at the host's shutdown.
    LibvirtGuests = "libvirt-guests",
    /// The host was shut down, and QEMU ended with it.
    HostShutdown = "host-shutdown",
    /// QEMU was killed by a signal.
    Signal = "qemu-killed",
    /// The kernel killed QEMU for memory.
    OutOfMemory = "out-of-memory",
    /// QEMU crashed.
    QemuCrash = "qemu-crash",
    /// The host was reset or lost power.
    HostReset = "host-reset",
    /// A disk gave an error, and QEMU paused the guest.
    IoErrorPause = "io-error-pause",
    /// Paused by somebody.
    Suspended = "suspended",
    /// Paused for another reason.
    Paused = "paused",
    /// Its start failed: a disk or another file is missing.
    StartMissingDisk = "failed-start-missing-disk",
    /// Its start failed: the bridge or network is missing.
    StartMissingBridge = "failed-start-missing-bridge",
    /// Its start failed: a port is in use.
    StartPortInUse = "failed-start-port-in-use",
    /// Its start failed for another reason.
    StartFailed = "failed-start",
    /// It was moved to another host.
    Migrated = "migrated",
    /// It was saved to disk.
    Saved = "saved",
    /// It was not started after a boot.
    NotAutostarted = "not-autostarted",
    /// The records do not tell.
    Unknown = "unknown",
}

impl Cause {
    /// Whether a person or a script did it: then the question is who.
    pub fn by_somebody(self) -> bool {
        matches!(
            self,
            Self::VirshShutdown
                | Self::VirshDestroy
                | Self::Signal
                | Self::LibvirtGuests
                | Self::HostShutdown
                | Self::Suspended
                | Self::Saved
                | Self::Migrated
        )
    }
}

fn candidate(cause: Cause, confidence: u8, text: impl Into<String>) -> Candidate {
    Candidate {
        cause,
        text: text.into(),
        confidence,
        evidence: Vec::new(),
        against: Vec::new(),
    }
}

impl Candidate {
    fn seen<'a>(mut self, traces: impl IntoIterator<Item = &'a Trace>) -> Self {
        for trace in traces {
            if !self.evidence.contains(&trace.evidence) {
                self.evidence.push(trace.evidence.clone());
            }
        }
        self
    }

    fn but(mut self, text: impl Into<String>) -> Self {
        self.against.push(text.into());
        self
    }
}

/// The records around one moment.
struct Around<'a> {
    case: &'a Case<'a>,
    moment: &'a Moment,
}

/// The causes of a moment, the most probable first.
pub fn weigh(case: &Case<'_>, moment: &Moment) -> Vec<Candidate> {
    let around = Around { case, moment };
    let mut causes = match &moment.ending {
        Ending::Paused(reason) => vec![around.paused(reason)],
        Ending::Silent => around.silent(),
        Ending::Reason(reason) => match reason.as_str() {
            "shutdown" => around.shut_down(),
            "destroyed" => around.destroyed(),
            "crashed" => around.crashed(),
            "failed" => vec![around.failed()],
            "migrated" => around.migrated(),
            "saved" => around.saved(),
            "daemon" => around.silent(),
            other => vec![candidate(
                Cause::Unknown,
                50,
                format!("libvirt's reason is `{other}`, which tells no cause"),
            )],
        },
    };
    let told = moment.trace.and_then(|at| case.history.traces.get(at));
    for cause in &mut causes {
        if let Some(trace) = told.filter(|t| !cause.evidence.contains(&t.evidence)) {
            cause.evidence.push(trace.evidence.clone());
        }
    }
    causes.sort_by_key(|c| std::cmp::Reverse(c.confidence));
    causes
}

impl Around<'_> {
    /// Traces from `before` seconds before the moment to `after` seconds after it.
    fn near(&self, before: i64, after: i64) -> impl Iterator<Item = &Trace> {
        let span = self.moment.at - before * SECOND..=self.moment.at + after * SECOND;
        let traces = self.case.history.traces.iter();
        traces.filter(move |t| span.contains(&t.at))
    }

    fn find(&self, before: i64, after: i64, which: impl Fn(&What) -> bool) -> Vec<&Trace> {
        self.near(before, after)
            .filter(|t| which(&t.what))
            .collect()
    }

    fn was_read(&self, record: &str) -> bool {
        self.case.history.read.iter().any(|r| r == record)
    }

    /// Whether the kernel's messages of that time were read.
    fn kernel_read(&self) -> bool {
        [
            "journal",
            "dmesg",
            "/var/log/kern.log",
            "/var/log/messages",
            "/var/log/syslog",
        ]
        .iter()
        .any(|r| self.was_read(r))
    }

    fn guest(&self) -> &str {
        &self.case.history.guest
    }

    /// The signal that ended QEMU, where somebody else than libvirt's daemon sent it.
    fn foreign_signal(&self) -> Option<(&Trace, u32, u32, &str)> {
        // Not the one that ended the run before.
        let of_this_run = |t: &&Trace| self.moment.started.is_none_or(|s| t.at >= s);
        self.near(20, 3)
            .filter(of_this_run)
            .find_map(|trace| match &trace.what {
                What::Signal {
                    number,
                    pid,
                    process,
                } if !is_libvirt(process) => Some((trace, *number, *pid, process.as_str())),
                _ => None,
            })
    }

    fn host_stopping(&self) -> Vec<&Trace> {
        self.find(900, 60, |w| matches!(w, What::HostStopping { .. }))
    }

    /// What libvirt-guests did to this guest, or as a whole.
    fn guests_service(&self) -> Vec<&Trace> {
        let name = self.guest().to_owned();
        self.find(900, 30, move |w| {
            matches!(w, What::GuestsService { action, guest } if *action != GuestsAction::Start
                && guest.as_ref().is_none_or(|g| *g == name))
        })
    }

    fn asked(&self, before: i64, acts: &[&str]) -> Vec<&Trace> {
        self.find(
            before,
            2,
            |w| matches!(w, What::Asked { act } if acts.contains(&act.as_str())),
        )
    }

    /// Commands that name this guest and one of these words.
    fn commands(&self, before: i64, words: &[&str]) -> Vec<&Trace> {
        let guest = self.guest().to_owned();
        self.find(before, 2, move |w| {
            matches!(w, What::Command { line, .. } if line.contains(&guest) && words.iter().any(|word| line.contains(word)))
        })
    }
}

fn is_libvirt(process: &str) -> bool {
    let name = process.rsplit('/').next().unwrap_or(process);
    matches!(name, "libvirtd" | "virtqemud")
}
