//! What the hook leaves in the journal: one entry for each port, before and after.

use super::IDENTIFIER;
use change::log::{Entry, Priority};
use change::vlan::{Ending, Outcome, Shown};
use model::vlan::Wanted;

/// What an entry is about: the call of libvirt.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The guest, or the network.
    pub object: String,
    /// `start`, `port-created`, …
    pub operation: String,
}

impl Call {
    /// An entry on the call as a whole.
    pub fn entry(&self, priority: Priority, message: &str) -> Entry {
        let object = &self.object;
        Entry {
            priority,
            identifier: IDENTIFIER,
            message: format!("{object}: {message}"),
            fields: vec![("GUEST", object.clone()), ("PHASE", self.operation.clone())],
        }
    }

    /// An entry on one port.
    pub fn port(&self, outcome: &Outcome, wanted: &Wanted) -> Entry {
        let (before, after) = (
            Shown(&outcome.before).to_string(),
            Shown(&outcome.after).to_string(),
        );
        let port = &outcome.port;
        let (priority, word, message) = match &outcome.ending {
            Ending::AlreadySo => (
                Priority::Info,
                "already-so",
                format!("{port} on {} has {after}, as planned", outcome.bridge),
            ),
            Ending::Changed { rounds: 1 } => (
                Priority::Notice,
                "changed",
                format!("{port} on {} set from {before} to {after}", outcome.bridge),
            ),
            Ending::Changed { rounds } => (
                Priority::Warning,
                "changed",
                format!(
                    "{port} on {} set from {before} to {after}, at try {rounds}",
                    outcome.bridge
                ),
            ),
            Ending::Failed(reason) => (
                Priority::Error,
                "failed",
                format!("{port} on {} has {after}: {reason}", outcome.bridge),
            ),
            Ending::NoSuchPort => (
                Priority::Warning,
                "no-such-port",
                format!("{port} is no port of any bridge any more"),
            ),
        };
        let mut entry = self.entry(priority, &message);
        entry.fields.extend([
            ("PORT", port.clone()),
            ("BRIDGE", outcome.bridge.clone()),
            ("BEFORE", before),
            ("AFTER", after),
            ("ORIGIN", wanted.origin.to_string()),
            ("RESULT", word.to_owned()),
        ]);
        entry
    }
}
