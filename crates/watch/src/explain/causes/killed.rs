//! Its power was cut: by a client of libvirt, by a signal, by the kernel for memory, by a crash.

use super::{Around, Cause, candidate};
use crate::explain::Candidate;
use facts::history::{Trace, What};

impl Around<'_> {
    pub(super) fn signalled(
        &self,
        trace: &Trace,
        number: u32,
        pid: u32,
        process: &str,
    ) -> Vec<Candidate> {
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

    pub(super) fn destroyed(&self) -> Vec<Candidate> {
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

    pub(super) fn crashed(&self) -> Vec<Candidate> {
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
