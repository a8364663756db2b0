//! What to do at each of libvirt's operations: pure. See libvirt, "Hooks for specific system
//! management"; what the XML holds at each was seen with libvirt 9.0.
//!
//! | operation | devices | what is done | may block |
//! |---|---|---|---|
//! | `prepare begin` | none yet | whether a plan can be made | the start |
//! | `start begin` | taps are there and on their bridge, the guest does not run yet | VLANs are set | the start |
//! | `started begin` | as above, the guest runs | VLANs are looked at once more, and set where they differ | nothing: libvirt would kill the guest |
//! | `reconnect begin` | as above; libvirt's daemon was restarted | the same | nothing: libvirt would kill the guest |
//! | `restore begin`, `migrate begin` | those of another time or host | whether a plan can be made | the restoring, the incoming migration |
//! | `stopped end`, `release end` | gone with the guest | nothing | nothing |
//! | network's `port-created begin` | none yet | whether a plan can be made | the port, and the start or hot-plug with it |

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Set the VLANs of the guest's ports.
    Set,
    /// Look whether a plan can be made.
    Foresee,
    /// Leave a note that libvirt called.
    Note,
}

/// What is to be done at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The deed.
    pub deed: Deed,
    /// Whether failing keeps the guest from starting, and harms no guest that runs.
    pub may_block: bool,
}

/// The phase of an operation and its sub-operation.
pub fn of(operation: &str, sub_operation: &str) -> Phase {
    let (deed, may_block) = match (operation, sub_operation) {
        ("prepare" | "restore" | "migrate" | "port-created", "begin") => (Deed::Foresee, true),
        ("start", "begin") => (Deed::Set, true),
        ("started" | "reconnect" | "attach", "begin") => (Deed::Set, false),
        _ => (Deed::Note, false),
    };
    Phase { deed, may_block }
}

impl Deed {
    /// The word by which the worker is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Foresee => "foresee",
            Self::Note => "note",
        }
    }

    /// Reads [`Deed::word`].
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Set, Self::Foresee, Self::Note]
            .into_iter()
            .find(|deed| deed.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_runs_is_never_blocked() {
        for operation in [
            "started",
            "reconnect",
            "stopped",
            "release",
            "attach",
            "what",
        ] {
            for sub in ["begin", "end", "-", ""] {
                assert!(!of(operation, sub).may_block, "{operation} {sub}");
            }
        }
        assert_eq!(of("start", "begin").deed, Deed::Set);
        assert_eq!(of("reconnect", "begin").deed, Deed::Set);
        assert_eq!(of("restore", "begin").deed, Deed::Foresee);
        assert_eq!(of("port-created", "begin").deed, Deed::Foresee);
        assert_eq!(of("stopped", "end").deed, Deed::Note);
        assert_eq!(of("start", "end").deed, Deed::Note);
        for deed in [Deed::Set, Deed::Foresee, Deed::Note] {
            assert_eq!(Deed::of_word(deed.word()), Some(deed));
        }
    }
}
