//! The causes that are told apart, and the weighing of each against the records.
//!
//! What the records can and cannot tell: libvirt's log has a reason (virDomainShutoffReason), but
//! `shutdown` stands there for a guest that shut down from inside, for `virsh shutdown`, for
//! libvirt-guests and for a SIGTERM alike; `crashed` for a crash, a SIGKILL and the kernel's
//! out-of-memory killer alike. Only other records tell these apart.

use super::moment::{Ending, Moment};
use super::{Candidate, Case, SECOND};
use facts::Evidence;
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

    fn shut_down(&self) -> Vec<Candidate> {
        if let Some((trace, number, pid, process)) = self.foreign_signal() {
            return self.signalled(trace, number, pid, process);
        }
        let service = self.guests_service();
        let stopping = self.host_stopping();
        if !service.is_empty() {
            let named = service
                .iter()
                .any(|t| matches!(&t.what, What::GuestsService { guest: Some(_), .. }));
            let confidence = if named { 97 } else { 85 };
            let text = if stopping.is_empty() {
                "libvirt-guests.service was stopped and shut it down"
            } else {
                "the host was shut down, and libvirt-guests shut the guest down with it"
            };
            return vec![
                candidate(Cause::LibvirtGuests, confidence, text)
                    .seen(service)
                    .seen(stopping),
            ];
        }
        let calls = self.asked(600, &["shutdown"]);
        if !calls.is_empty() {
            let text =
                "a client of libvirt asked it to shut down (virsh shutdown), and the guest did";
            return vec![candidate(Cause::VirshShutdown, 96, text).seen(calls)];
        }
        let typed = self.commands(600, &["shutdown"]);
        if !typed.is_empty() {
            let text = "somebody ran virsh shutdown, and the guest followed";
            let inside = candidate(Cause::Inside, 8, "shut down from inside at the same time")
                .but("a command that asked for it stands in the records");
            return vec![
                candidate(Cause::VirshShutdown, 92, text).seen(typed),
                inside,
            ];
        }
        if !stopping.is_empty() {
            let host = candidate(
                Cause::LibvirtGuests,
                75,
                "the host was being shut down: libvirt-guests asks its guests to shut down then",
            )
            .seen(stopping)
            .but("no record of libvirt-guests itself was found");
            return vec![
                host,
                candidate(
                    Cause::Inside,
                    20,
                    "shut down from inside while the host went down",
                ),
            ];
        }
        self.inside_or_asked()
    }

    /// Nothing tells the two apart but what is missing.
    fn inside_or_asked(&self) -> Vec<Candidate> {
        let told = self.find(300, 60, |w| matches!(w, What::GuestTold { .. }));
        let sessions = super::actors::find(self.case, self.moment);
        let strong = sessions.iter().map(|s| s.confidence).max().unwrap_or(0);
        let logged = self.find(i64::MAX / SECOND / 4, i64::MAX / SECOND / 4, |w| {
            matches!(w, What::Asked { .. })
        });
        // Where the daemon logs calls, a call that is not logged was not made.
        let inside = if !logged.is_empty() {
            93
        } else {
            65_u8.saturating_sub(strong / 3)
        };
        let asked = 97 - inside;
        let mut first = candidate(
            Cause::Inside,
            inside,
            "it shut down in good order, most likely from inside: libvirt only saw QEMU end after the guest's own shutdown",
        )
        .seen(told);
        let mut second = candidate(
            Cause::VirshShutdown,
            asked,
            "a client of libvirt asked it to (virsh shutdown, virt-manager, Cockpit): this leaves the same words in libvirt's log",
        );
        if logged.is_empty() {
            first = first.but("libvirt's log has the same words when a client asks for the shutdown, and calls are not logged here");
        } else {
            second = second.but("libvirt's daemon logs calls here, and has none of this time");
        }
        if sessions.is_empty() {
            let read = ["journal", "/var/log/auth.log", "/var/log/secure"]
                .iter()
                .any(|r| self.was_read(r));
            second = if read {
                second.but("no session on this host was open then")
            } else {
                second.but("no session is known to have been open then, but the records of logins were not all read")
            };
        } else {
            first = first.but("somebody was logged in to the host then");
        }
        vec![first, second]
    }

    fn signalled(&self, trace: &Trace, number: u32, pid: u32, process: &str) -> Vec<Candidate> {
        let stopping = self.host_stopping();
        let by_init = pid == 1 && (process.contains("init") || process.contains("systemd"));
        if by_init && !stopping.is_empty() {
            return vec![candidate(
                Cause::HostShutdown,
                95,
                "the host was shut down and systemd ended QEMU: libvirt-guests had not shut the guest down before",
            )
            .seen([trace])
            .seen(stopping)];
        }
        let who = if process.is_empty() {
            format!("process {pid}, which QEMU could not name")
        } else {
            format!("{process} (process {pid})")
        };
        let text =
            format!("QEMU was ended by signal {number} from {who}: a power cut for the guest");
        vec![candidate(Cause::Signal, 97, text).seen([trace])]
    }

    fn destroyed(&self) -> Vec<Candidate> {
        let calls = self.asked(30, &["destroy"]);
        let typed = self.commands(30, &["destroy"]);
        let text = "a client of libvirt cut its power (virsh destroy, or the same from virt-manager, Cockpit, a script)";
        let mut cause = candidate(Cause::VirshDestroy, 96, text)
            .seen(calls)
            .seen(typed);
        let stopping = self.host_stopping();
        if !stopping.is_empty() {
            cause = cause.seen(stopping).but("the host was going down at the time: whatever stopped it may have ended its guests");
        }
        vec![cause]
    }

    fn crashed(&self) -> Vec<Candidate> {
        let guest = self.guest().to_owned();
        let kills = self.find(30, 5, move |w| {
            matches!(w, What::OutOfMemory { process, guest: of, .. } if is_qemu(process)
                && of.as_ref().is_none_or(|g| *g == guest))
        });
        if !kills.is_empty() {
            let of_it = kills
                .iter()
                .any(|t| matches!(&t.what, What::OutOfMemory { guest: Some(_), .. }));
            let in_group = kills
                .iter()
                .any(|t| matches!(&t.what, What::OutOfMemory { cgroup: true, .. }));
            let whose = if in_group {
                "its QEMU went over the memory limit of its cgroup"
            } else {
                "the host ran out of memory"
            };
            let text = format!("{whose}, and the kernel killed it");
            let mut cause =
                candidate(Cause::OutOfMemory, if of_it { 98 } else { 92 }, text).seen(kills);
            if !of_it {
                cause = cause
                    .but("the kernel's record names a QEMU, not this guest: it is matched by time");
            }
            return vec![cause];
        }
        let broke = self.find(
            10,
            10,
            |w| matches!(w, What::Fault { process, .. } if is_qemu(process)),
        );
        let words = self.find(
            10,
            2,
            |w| matches!(w, What::Qemu { text } if is_crash(text)),
        );
        let errors = self.find(30, 2, |w| matches!(w, What::MachineCheck { .. }));
        if !broke.is_empty() || !words.is_empty() {
            return vec![
                candidate(Cause::QemuCrash, 95, "QEMU itself crashed")
                    .seen(broke)
                    .seen(words)
                    .seen(errors),
            ];
        }
        let typed = self.find(
            60,
            2,
            |w| matches!(w, What::Command { line, .. } if line.contains("kill")),
        );
        let read = self.kernel_read();
        let mut killed = candidate(
            Cause::Signal,
            if typed.is_empty() { 65 } else { 88 },
            "QEMU was killed without a word, as SIGKILL does (kill -9): a power cut for the guest",
        )
        .seen(typed);
        let mut crash = candidate(Cause::QemuCrash, 30, "QEMU crashed without leaving a word");
        let mut oom = candidate(Cause::OutOfMemory, 5, "the kernel killed it for memory");
        if read {
            crash =
                crash.but("the kernel's messages have no fault of a QEMU, its log no assertion");
            oom = oom.but("the kernel's messages have no kill at that time");
        } else {
            killed.confidence = 40;
            oom.confidence = 25;
            killed = killed.but("the kernel's messages of that time were not read: they would tell of a crash or of the out-of-memory killer");
        }
        vec![killed, crash, oom]
    }

    fn failed(&self) -> Candidate {
        let words = |w: &What| matches!(w, What::Qemu { .. } | What::DaemonError { .. });
        let said: Vec<&Trace> = self.find(10, 2, words);
        let text = |t: &Trace| match &t.what {
            What::Qemu { text } | What::DaemonError { text } => text.clone(),
            _ => String::new(),
        };
        let classified = said.iter().rev().find_map(|t| {
            let words = text(t);
            Some((failed_start(&words)?, words, *t))
        });
        match classified {
            Some((cause, words, trace)) => {
                let what = match cause {
                    Cause::StartMissingDisk => "a disk or file is not there",
                    Cause::StartMissingBridge => "the bridge or network is not there",
                    _ => "a port is taken",
                };
                candidate(
                    cause,
                    96,
                    format!("it could not be started: {what}: {}", last_words(&words)),
                )
                .seen([trace])
            }
            None => {
                let last = said
                    .last()
                    .map_or_else(String::new, |t| format!(": {}", last_words(&text(t))));
                let mut cause = candidate(
                    Cause::StartFailed,
                    if said.is_empty() { 80 } else { 90 },
                    format!("it could not be started{last}"),
                )
                .seen(said.iter().copied());
                if said.is_empty() {
                    cause = cause.but("the daemon's error of that time was not found: only libvirt's log says that the start failed");
                }
                cause
            }
        }
    }

    fn migrated(&self) -> Vec<Candidate> {
        let began = self.find(86_400, 0, |w| *w == What::MigrationBegan);
        vec![
            candidate(
                Cause::Migrated,
                98,
                "it was moved to another host: it should run there",
            )
            .seen(began),
        ]
    }

    fn saved(&self) -> Vec<Candidate> {
        let service = self.guests_service();
        if !service.is_empty() {
            let text = "the host was shut down, and libvirt-guests saved the guest to disk";
            return vec![
                candidate(Cause::LibvirtGuests, 96, text)
                    .seen(service)
                    .seen(self.host_stopping()),
            ];
        }
        let stopping = self.host_stopping();
        if !stopping.is_empty() {
            let text = "it was saved while the host went down, as libvirt-guests with ON_SHUTDOWN=suspend does";
            return vec![candidate(Cause::LibvirtGuests, 80, text).seen(stopping)];
        }
        let calls = self.asked(600, &["save"]);
        vec![
            candidate(
                Cause::Saved,
                95,
                "its state was saved to disk (virsh save or managedsave)",
            )
            .seen(calls),
        ]
    }

    /// Nobody wrote of its end.
    fn silent(&self) -> Vec<Candidate> {
        let traces = &self.case.history.traces;
        let boot = traces
            .iter()
            .find(|t| t.what == What::HostBooted && t.at > self.moment.earliest);
        let Some(boot) = boot else {
            let mut causes = self.crashed();
            for cause in &mut causes {
                cause.text = format!(
                    "{}; libvirt's daemon was not running to note it",
                    cause.text
                );
                cause.confidence = cause.confidence.saturating_sub(5);
            }
            return causes;
        };
        if let Some((trace, number, pid, process)) = self.foreign_signal() {
            return self.signalled(trace, number, pid, process);
        }
        // Within ten minutes before that boot.
        let stopping: Vec<&Trace> = traces
            .iter()
            .filter(|t| matches!(t.what, What::HostStopping { .. }))
            .filter(|t| {
                t.at <= boot.at && t.at >= boot.at - 1800 * SECOND && t.at > self.moment.earliest
            })
            .collect();
        if !stopping.is_empty() {
            return vec![candidate(Cause::HostShutdown, 90,
                "the host was shut down or rebooted, and QEMU ended with it: libvirt-guests did not shut the guest down before")
                .seen(stopping).seen([boot])];
        }
        let errors = self.find(120, 5, |w| matches!(w, What::MachineCheck { .. }));
        let sure = self.was_read("/var/log/wtmp") || self.was_read("journalctl --list-boots");
        let mut cause = candidate(Cause::HostReset, if sure { 94 } else { 75 },
            "the host was reset, crashed or lost power: it booted again, and nothing tells of a shutdown before")
            .seen(errors).seen([boot]);
        if !self.was_read("journal") {
            cause = cause.but("the journal of that time was not read: a shutdown may stand there");
        }
        vec![cause]
    }

    fn paused(&self, reason: &str) -> Candidate {
        let guest = self.case.guest;
        let status = guest.and_then(|g| g.status_file.clone());
        let shown = status
            .map(|file| Evidence::measured(file, format!("state='paused' reason='{reason}'")));
        let errors = self.find(3600, 3600, |w| {
            matches!(w, What::IoError { .. } | What::StorageServer { .. })
        });
        let recorded = self.find(3600, 60, |w| matches!(w, What::Recorded { .. }));
        let mut cause = match reason {
            "ioerror" => candidate(Cause::IoErrorPause, 98,
                "one of its disks gave an error (or ran out of space), and QEMU paused it so that nothing is lost")
                .seen(errors).seen(recorded),
            "user" => {
                let calls = self.asked(86_400, &["suspend"]);
                candidate(Cause::Suspended, 95, "a client of libvirt paused it (virsh suspend)").seen(calls).seen(recorded)
            }
            other => candidate(Cause::Paused, 80, format!("libvirt paused it, for the reason `{other}`")).seen(recorded),
        };
        cause.evidence.extend(shown);
        cause
    }
}

/// Why a guest that ended is not running again, where the host has booted or tried since.
pub fn still_off(case: &Case<'_>, moment: &Moment) -> Option<Candidate> {
    let traces = &case.history.traces;
    let boot = traces
        .iter()
        .rev()
        .find(|t| t.what == What::HostBooted && t.at > moment.earliest)?;
    // A boot that came before the stop has nothing to do with it.
    if boot.at < moment.at && moment.ending != Ending::Silent {
        return None;
    }
    let mut cause = not_autostarted(case)?;
    cause.evidence.push(boot.evidence.clone());
    Some(cause)
}

/// A guest of which no start is known.
pub fn never_started(case: &Case<'_>) -> Option<Candidate> {
    let guest = case.guest?;
    if guest.state.as_deref() != Some("shut-off") {
        return None;
    }
    not_autostarted(case)
}

fn not_autostarted(case: &Case<'_>) -> Option<Candidate> {
    let guest = case.guest?;
    let shown = Evidence::line(
        guest.file.clone(),
        guest.line,
        format!("<name>{}</name>", guest.name),
    );
    let mut cause = match (guest.autostart, &guest.autostart_broken, guest.persistent) {
        (_, _, false) => candidate(Cause::NotAutostarted, 95, "it has no persistent definition: nothing starts it"),
        (_, Some(why), _) => candidate(Cause::NotAutostarted, 95, format!("its autostart link is broken: {why}")),
        (Some(false), ..) => candidate(Cause::NotAutostarted, 96,
            "it has no autostart: libvirt does not start it after a boot, somebody must"),
        (Some(true), ..) => candidate(Cause::NotAutostarted, 40,
            "it has autostart, but did not come up: libvirt starts such guests once per boot, and a failed start is not tried again")
            .but("autostart is set"),
        (None, ..) => candidate(Cause::NotAutostarted, 30, "whether it has autostart could not be read"),
    };
    cause.evidence.push(shown);
    Some(cause)
}

/// What a start failed of, by the words of libvirt or QEMU.
fn failed_start(words: &str) -> Option<Cause> {
    let has = |any: &[&str]| any.iter().any(|w| words.contains(w));
    if has(&[
        "Address already in use",
        "Failed to find an available port",
        "Unable to find an unused port",
    ]) {
        return Some(Cause::StartPortInUse);
    }
    if has(&[
        "Cannot get interface MTU",
        "Unable to add port",
        "Unable to add bridge",
        "Network not found",
        "is not active",
    ]) && !words.contains("storage pool")
    {
        return Some(Cause::StartMissingBridge);
    }
    let missing = has(&[
        "Cannot access storage file",
        "Storage volume not found",
        "Storage pool not found",
        "Could not open",
        "Cannot access backing file",
        "storage pool",
        "cannot stat",
    ]) || (words.contains("No such file or directory") && words.contains('/'));
    missing.then_some(Cause::StartMissingDisk)
}

/// The last part of a long error.
fn last_words(words: &str) -> &str {
    const BEFORE: &str = "qemu-system";
    match words
        .find(BEFORE)
        .and_then(|at| words[at..].split_once(": "))
    {
        Some((_, rest)) => rest,
        None => words,
    }
}

fn is_libvirt(process: &str) -> bool {
    let name = process.rsplit('/').next().unwrap_or(process);
    matches!(name, "libvirtd" | "virtqemud")
}

/// Whether the kernel's name of a thread is one of QEMU's: it names the thread that broke.
fn is_qemu(process: &str) -> bool {
    let threads = ["qemu-", "CPU ", "IO ", "SPICE ", "vnc_worker", "call_rcu"];
    threads.iter().any(|t| process.starts_with(t)) || process == "kvm"
}

fn is_crash(text: &str) -> bool {
    [
        "Assertion",
        "assertion failed",
        "ERROR:",
        "stack smashing",
        "double free",
        "corrupted",
        "KVM: entry failed",
        "KVM internal error",
        "Bail out",
    ]
    .iter()
    .any(|w| text.contains(w))
}
