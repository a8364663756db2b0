//! Nobody wrote of its end: the host went down with it, or libvirt's daemon did not run.

use super::{Around, Cause, candidate, is_libvirt};
use crate::explain::{Candidate, SECOND};
use facts::history::{Trace, What};

impl Around<'_> {
    /// Nobody wrote of its end.
    pub(super) fn silent(&self) -> Vec<Candidate> {
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
            return vec![self.went_down_with_the_host().seen(stopping).seen([boot])];
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

    /// The host was going down, and libvirt's daemon wrote nothing of the guest's end: it may have ended
    /// before, though libvirt-guests had done its work.
    fn went_down_with_the_host(&self) -> Candidate {
        let service: Vec<&Trace> = self
            .guests_service()
            .into_iter()
            .filter(|t| matches!(&t.what, What::GuestsService { guest: Some(_), .. }))
            .filter(|t| t.at > self.moment.earliest)
            .collect();
        if let Some(asked) = service.first() {
            let complete = service.iter().any(|t| {
                let text = t.evidence.text.as_deref();
                text.is_some_and(|text| text.contains(" complete"))
            });
            // libvirt's daemon leaves guests alone when it ends; it signals a QEMU whose guest has shut down.
            // The journal has the script's words when it got them.
            let after = asked.at - 5 * SECOND;
            let signal = self.case.history.traces.iter().find(|t| {
                matches!(&t.what, What::Signal { process, .. } if is_libvirt(process))
                    && t.at >= after
                    && t.at <= self.moment.at + 5 * SECOND
            });
            if complete || signal.is_some() {
                let text = "the host was shut down, and libvirt-guests shut the guest down with it; libvirt's \
                            daemon ended before it noted that";
                return candidate(Cause::LibvirtGuests, 93, text)
                    .seen(service)
                    .seen(signal);
            }
        }
        let text = if service.is_empty() {
            "the host was shut down or rebooted, and QEMU ended with it: libvirt-guests did not shut the guest down before"
        } else {
            "the host was shut down or rebooted, and QEMU ended with it: libvirt-guests had asked the guest to shut \
             down, and nothing tells that it did"
        };
        candidate(Cause::HostShutdown, 90, text).seen(service)
    }
}
