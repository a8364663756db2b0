//! An event as others read it: one JSON object, `nofail.event/1`.

use super::{Event, Evidence, Kind, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The schema of one event.
pub const SCHEMA: &str = "nofail.event/1";

/// One event on the wire. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`SCHEMA`].
    pub schema: String,
    /// Number in the recorder of its host; `null` where it was not recorded.
    pub id: Option<i64>,
    /// RFC 3339, UTC.
    pub time: Timestamp,
    /// The host.
    pub host: String,
    /// The kind's name.
    pub kind: String,
    /// The guest, or `null`.
    pub guest: Option<String>,
    /// What it happened to.
    pub subject: String,
    /// `info`, `warning`, `error` or `critical`.
    pub severity: String,
    /// The state before, or `null`.
    pub before: Option<String>,
    /// The state after, or `null`.
    pub after: Option<String>,
    /// One sentence.
    pub message: String,
    /// What it was read from.
    pub evidence: Vec<Evidence>,
    /// The source that saw it.
    pub source: String,
}

/// Why a line is no event.
#[derive(Debug, Error)]
pub enum LineError {
    /// A kind that this version does not know.
    #[error("unknown kind of event `{0}`")]
    Kind(String),
    /// A severity that this version does not know.
    #[error("unknown severity `{0}`")]
    Severity(String),
}

impl Line {
    /// The event as it goes out.
    pub fn of(id: Option<i64>, event: &Event) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id,
            time: event.time,
            host: event.host.clone(),
            kind: event.kind.name().to_owned(),
            guest: event.guest.clone(),
            subject: event.subject.clone(),
            severity: event.severity.name().to_owned(),
            before: event.before.clone(),
            after: event.after.clone(),
            message: event.message.clone(),
            evidence: event.evidence.clone(),
            source: event.source.clone(),
        }
    }

    /// The event that came in.
    ///
    /// # Errors
    /// A kind or severity of a newer version.
    pub fn event(self) -> Result<Event, LineError> {
        Ok(Event {
            time: self.time,
            host: self.host,
            kind: Kind::parse(&self.kind).ok_or(LineError::Kind(self.kind))?,
            guest: self.guest,
            subject: self.subject,
            severity: Severity::parse(&self.severity).ok_or(LineError::Severity(self.severity))?,
            before: self.before,
            after: self.after,
            message: self.message,
            evidence: self.evidence,
            source: self.source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_goes_out_and_comes_back() {
        for kind in Kind::ALL {
            let event = Event::new(Timestamp::UNIX_EPOCH, "h", "s", *kind, "x\n\"y", "m")
                .of_guest("bind-01")
                .change(None, "ö")
                .evidence(Evidence::measured("f", "t"));
            let text = serde_json::to_string(&Line::of(Some(7), &event)).unwrap();
            assert!(!text.contains('\n'));
            let line: Line = serde_json::from_str(&text).unwrap();
            assert_eq!(line.id, Some(7));
            assert_eq!(line.event().unwrap(), event);
        }
    }

    #[test]
    fn a_newer_kind_is_an_error_not_a_panic() {
        let event = Event::new(Timestamp::UNIX_EPOCH, "h", "s", Kind::Remark, "x", "m");
        let mut line = Line::of(None, &event);
        line.kind = "guest.levitated".into();
        assert!(
            line.event()
                .unwrap_err()
                .to_string()
                .contains("guest.levitated")
        );
    }
}
