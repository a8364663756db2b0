//! It is paused.

use super::{Around, Cause, candidate};
use crate::explain::Candidate;
use facts::Evidence;
use facts::history::What;

impl Around<'_> {
    pub(super) fn paused(&self, reason: &str) -> Candidate {
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
