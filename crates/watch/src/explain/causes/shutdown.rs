//! Shut down in good order: from inside, by a client of libvirt, or by libvirt-guests.

use super::{Around, Cause, candidate};
use crate::explain::{Candidate, SECOND, actors};
use facts::history::What;

impl Around<'_> {
    pub(super) fn shut_down(&self) -> Vec<Candidate> {
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
    pub(super) fn inside_or_asked(&self) -> Vec<Candidate> {
        let told = self.find(300, 60, |w| matches!(w, What::GuestTold { .. }));
        let sessions = actors::find(self.case, self.moment);
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
}
