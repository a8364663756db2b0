//! One line of `virsh event --timestamp`, and what it means (virsh(1), libvirt's
//! `virDomainEventType` and its details).

use crate::event::{Kind, Severity};
use jiff::Timestamp;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When libvirt told it, to the millisecond; `None` where the line has no time.
    pub time: Option<Timestamp>,
    /// The event's name: `lifecycle`, `io-error-reason`, …
    pub name: String,
    /// The guest.
    pub guest: String,
    /// What follows the colon.
    pub detail: String,
}

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub kind: Kind,
    pub message: String,
    /// The guest's state from now on; empty where it is gone.
    pub state: Option<&'static str>,
    /// Where it is not the kind's own.
    pub severity: Option<Severity>,
}

/// Reads `2026-11-22 23:53:38.033+0000: event 'lifecycle' for domain 'a': Started Booted`.
/// Newer versions put the name of the guest in the same quotes; a name may hold blanks and
/// quotes.
pub fn parse(line: &str) -> Option<Heard> {
    let (before, rest) = line.split_once("event '")?;
    let (name, rest) = rest.split_once("' for domain ")?;
    let rest = rest.strip_prefix('\'')?;
    // The last quote that ends the line or stands before a colon: the detail holds none.
    let end = rest
        .rfind("':")
        .or_else(|| rest.strip_suffix('\'').map(str::len))?;
    let detail = rest.get(end + 1..).unwrap_or("");
    Some(Heard {
        time: time(before.trim().trim_end_matches(':')),
        name: name.to_owned(),
        guest: rest.get(..end)?.to_owned(),
        detail: detail.trim_start_matches(':').trim().to_owned(),
    })
}

/// `2026-11-22 23:53:38.033+0000`.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f%z", text).ok()
}

impl Heard {
    /// What it means; `None` for what is not worth remembering (clock adjustments, balloons).
    pub(super) fn kind(&self) -> Option<Told> {
        let told = |kind, message: String, state| {
            Some(Told {
                kind,
                message,
                state,
                severity: None,
            })
        };
        let detail = &self.detail;
        match self.name.as_str() {
            "lifecycle" => self.lifecycle(),
            "reboot" => told(
                Kind::GuestRebooted,
                "restarted from within, or was reset".into(),
                None,
            ),
            "watchdog" => told(
                Kind::GuestWatchdog,
                format!("its watchdog fired: {detail}"),
                None,
            ),
            "io-error" | "io-error-reason" => told(
                Kind::GuestIoError,
                format!("a disk gave an error: {detail}"),
                None,
            ),
            "control-error" => told(
                Kind::GuestFailed,
                "libvirt lost QEMU's monitor".into(),
                None,
            )
            .map(|t| Told {
                severity: Some(Severity::Warning),
                ..t
            }),
            "disk-change"
            | "tray-change"
            | "device-removed"
            | "device-added"
            | "device-removal-failed" => {
                told(Kind::GuestDevice, format!("{}: {detail}", self.name), None)
            }
            "agent-lifecycle" => told(Kind::GuestAgent, format!("its agent: {detail}"), None),
            "block-job" | "block-job-2" | "job-completed" | "block-threshold" => {
                told(Kind::GuestJob, format!("{}: {detail}", self.name), None)
            }
            "memory-failure" => told(
                Kind::KernelHardware,
                format!("memory failed under it: {detail}"),
                None,
            ),
            "pmsuspend" | "pmsuspend-disk" => told(
                Kind::GuestSuspended,
                "put itself to sleep".into(),
                Some("pmsuspended"),
            ),
            "pmwakeup" => told(Kind::GuestResumed, "woke up".into(), Some("running")),
            _ => None,
        }
    }

    fn lifecycle(&self) -> Option<Told> {
        let (what, why) = self.detail.split_once(' ').unwrap_or((&self.detail, ""));
        let (kind, message, state, severity) = match (what, why) {
            ("Defined", _) => (
                Kind::GuestDefined,
                "its definition was added or changed",
                None,
                None,
            ),
            ("Undefined", _) => (
                Kind::GuestUndefined,
                "its definition was removed",
                Some(""),
                None,
            ),
            ("Started", "Booted") => (Kind::GuestStarted, "was started", Some("running"), None),
            ("Started", "Migrated") => (
                Kind::GuestStarted,
                "came here by migration",
                Some("running"),
                None,
            ),
            ("Started", "Restored") => (
                Kind::GuestStarted,
                "was restored from a saved state",
                Some("running"),
                None,
            ),
            ("Started", "Snapshot") => (
                Kind::GuestStarted,
                "was started from a snapshot",
                Some("running"),
                None,
            ),
            ("Started", _) => (Kind::GuestStarted, "was started", Some("running"), None),
            ("Suspended", "I/O Error") => (
                Kind::GuestIoError,
                "was paused for a disk that gives errors",
                Some("paused"),
                None,
            ),
            ("Suspended", "Watchdog") => (
                Kind::GuestWatchdog,
                "was paused by its watchdog",
                Some("paused"),
                None,
            ),
            ("Suspended", "Migrated" | "Post-copy") => (
                Kind::GuestJob,
                "is paused for its migration",
                Some("paused"),
                None,
            ),
            ("Suspended", "Paused") => (Kind::GuestSuspended, "was paused", Some("paused"), None),
            ("Suspended", _) => (Kind::GuestSuspended, "was paused", Some("paused"), None),
            ("Resumed", "Migrated" | "Post-copy") => (
                Kind::GuestResumed,
                "goes on after its migration",
                Some("running"),
                None,
            ),
            ("Resumed", _) => (Kind::GuestResumed, "goes on", Some("running"), None),
            // The step before Stopped: who wished it is told here only.
            ("Shutdown", "Finished after guest request") => (
                Kind::GuestShutdown,
                "shut itself down, from within",
                Some("shutting down"),
                None,
            ),
            ("Shutdown", "Finished after host request") => (
                Kind::GuestShutdown,
                "shuts down since the host asked it to or ended QEMU",
                Some("shutting down"),
                None,
            ),
            ("Shutdown", _) => (
                Kind::GuestShutdown,
                "shuts down",
                Some("shutting down"),
                None,
            ),
            ("Stopped", "Shutdown") => {
                (Kind::GuestShutdown, "has shut down", Some("shut off"), None)
            }
            ("Stopped", "Destroyed") => (
                Kind::GuestDestroyed,
                "was destroyed: its power was cut",
                Some("shut off"),
                None,
            ),
            ("Stopped", "Crashed") => (Kind::GuestCrashed, "crashed", Some("shut off"), None),
            ("Stopped", "Migrated") => (
                Kind::GuestStopped,
                "went away by migration",
                Some("shut off"),
                None,
            ),
            ("Stopped", "Saved") => (
                Kind::GuestStopped,
                "was saved to disk and stopped",
                Some("shut off"),
                None,
            ),
            ("Stopped", "Failed") => (
                Kind::GuestFailed,
                "QEMU failed, was killed, or did not start",
                Some("shut off"),
                None,
            ),
            ("Stopped", "Snapshot") => (
                Kind::GuestStopped,
                "was stopped for a snapshot",
                Some("shut off"),
                None,
            ),
            ("Stopped", _) => (Kind::GuestStopped, "stopped", Some("shut off"), None),
            ("PMSuspended", _) => (
                Kind::GuestSuspended,
                "put itself to sleep",
                Some("pmsuspended"),
                None,
            ),
            ("Crashed", _) => (
                Kind::GuestCrashed,
                "its kernel panicked",
                Some("crashed"),
                Some(Severity::Critical),
            ),
            _ => return None,
        };
        let severity = severity.or_else(|| {
            (kind == Kind::GuestSuspended && what == "Suspended").then_some(Severity::Warning)
        });
        Some(Told {
            kind,
            message: format!("{message} (libvirt: {})", self.detail),
            state,
            severity,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As virsh 9.0 wrote it.
    const REAL: &str = include_str!("../../../../../testdata/fixtures/virsh-event/9.0.txt");

    #[test]
    fn a_real_recording() {
        let heard: Vec<Heard> = REAL.lines().filter_map(parse).collect();
        assert!(heard.iter().all(|h| h.time.is_some()));
        let kinds = |guest: &str| -> Vec<&str> {
            let mine = heard.iter().filter(|h| h.guest == guest);
            mine.filter_map(Heard::kind)
                .map(|t| t.kind.name())
                .collect()
        };
        assert_eq!(
            kinds("b c"),
            [
                "guest.defined",
                "guest.resumed",
                "guest.started",
                "guest.failed"
            ]
        );
        let a = kinds("a");
        assert_eq!(
            a[..4],
            [
                "guest.defined",
                "guest.started",
                "guest.suspended",
                "guest.resumed"
            ]
        );
        assert_eq!(a.last(), Some(&"guest.undefined"));
        assert_eq!(a.iter().filter(|k| **k == "guest.destroyed").count(), 2);
    }

    #[test]
    fn names_with_quotes_and_lines_that_are_none() {
        let heard = parse("2026-11-22 23:53:38.033+0000: event 'lifecycle' for domain 'it's ': x': Stopped Crashed").unwrap();
        assert_eq!(heard.guest, "it's ': x");
        assert_eq!(heard.time.unwrap().to_string(), "2026-11-22T23:53:38.033Z");
        let heard = parse("event 'reboot' for domain 'a'").unwrap();
        assert_eq!((heard.guest.as_str(), heard.time), ("a", None));
        assert_eq!(heard.kind().unwrap().kind, Kind::GuestRebooted);
        for line in [
            "",
            "operation: 2",
            "event 'x' for domain",
            "event 'x' for domain 'a",
            "events received: 1",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
