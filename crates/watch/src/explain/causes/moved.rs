//! Moved to another host, or saved to disk.

use super::{Around, Cause, candidate};
use crate::explain::Candidate;
use facts::history::What;

impl Around<'_> {
    pub(super) fn migrated(&self) -> Vec<Candidate> {
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

    pub(super) fn saved(&self) -> Vec<Candidate> {
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
}
