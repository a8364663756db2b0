//! What happened: one closed type for everything that is watched, recorded and told.

pub mod json;
mod kind;

pub use facts::Evidence;
pub use kind::{Effect, Kind, Topic};

use jiff::Timestamp;

/// How bad an event is by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth remembering.
    Info,
    /// Worth a look.
    Warning,
    /// Something does not work.
    Error,
    /// Something that others rest on does not work: wake somebody up.
    Critical,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: &'static [Self] = &[Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// Its word in JSON, on the command line and in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.name() == name)
    }

    /// The numerical severity of syslog (RFC 5424, table 2).
    pub fn syslog(self) -> u8 {
        match self {
            Self::Info => 6,
            Self::Warning => 4,
            Self::Error => 3,
            Self::Critical => 2,
        }
    }
}

/// One thing that happened on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, as exactly as the source tells; stored to the microsecond.
    pub time: Timestamp,
    /// The host that it happened on.
    pub host: String,
    /// What it is.
    pub kind: Kind,
    /// The guest that it concerns, where it is one.
    pub guest: Option<String>,
    /// What it happened to: a unit, mount point, interface, pool, BMC, … For an event of a guest
    /// its name, unless a part of it is meant (a disk).
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// The state before, where it is known.
    pub before: Option<String>,
    /// The state after.
    pub after: Option<String>,
    /// One sentence for a person.
    pub message: String,
    /// What it was read from.
    pub evidence: Vec<Evidence>,
    /// The source that saw it: `systemd`, `libvirt`, `kernel-log`, `hook`, …
    pub source: String,
}

impl Event {
    /// An event with the usual severity of its kind.
    pub fn new(
        time: Timestamp,
        host: impl Into<String>,
        source: impl Into<String>,
        kind: Kind,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            time,
            host: host.into(),
            kind,
            guest: None,
            subject: subject.into(),
            severity: kind.severity(),
            before: None,
            after: None,
            message: message.into(),
            evidence: Vec::new(),
            source: source.into(),
        }
    }

    /// The same, of a guest.
    #[must_use]
    pub fn of_guest(mut self, guest: impl Into<String>) -> Self {
        self.guest = Some(guest.into());
        self
    }

    /// The same, with the states before and after.
    #[must_use]
    pub fn change(mut self, before: Option<String>, after: impl Into<String>) -> Self {
        self.before = before;
        self.after = Some(after.into());
        self
    }

    /// The same, with one more piece of evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The same, with another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What an alert about this event is filed under: the topic of its kind and its subject.
    /// Events of one key raise, change and clear one and the same alert.
    pub fn alert_key(&self) -> Option<String> {
        let (Effect::Raises(topic) | Effect::Clears(topic)) = self.kind.effect() else {
            return None;
        };
        Some(format!("{}/{}/{}", self.host, topic.name(), self.subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_raised_and_cleared_under_one_key() {
        let event = |kind, subject: &str| {
            Event::new(Timestamp::UNIX_EPOCH, "kvm-01", "nfs", kind, subject, "x")
        };
        let stale = event(Kind::MountStale, "/mnt/nas");
        let hung = event(Kind::MountNotResponding, "/mnt/nas");
        let well = event(Kind::MountHealthy, "/mnt/nas");
        assert_eq!(stale.alert_key(), well.alert_key());
        assert_eq!(stale.alert_key(), hung.alert_key());
        assert_ne!(
            stale.alert_key(),
            event(Kind::MountStale, "/mnt/b").alert_key()
        );
        assert_eq!(event(Kind::MountAdded, "/a").alert_key(), None);
    }

    #[test]
    fn severities_have_one_name_each() {
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.name()), Some(*severity));
        }
        assert_eq!(Severity::parse("fatal"), None);
        assert!(Severity::Critical > Severity::Error);
    }
}
