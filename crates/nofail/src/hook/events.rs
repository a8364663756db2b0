//! What the hook did, as events of the recorder.
//!
//! Written by the second process after it has answered: libvirt never waits for a disk or for
//! another writer. Where the recorder takes nothing, the journal says so and has the same already.

use super::IDENTIFIER;
use super::record::Call;
use change::log::{Entry, Priority};
use change::vlan::{Ending, Outcome, Shown};
use facts::Evidence;
use jiff::Timestamp;
use model::vlan::Wanted;
use std::path::Path;
use std::time::{Duration, Instant};
use watch::recorder::{Limits, Recorder, RecorderError};
use watch::settings::{self, RecorderSettings, Settings};
use watch::{Event, Kind, Severity};

/// The source's name in events.
const SOURCE: &str = "hook";
/// Old events are removed each time that so many more were stored, where no daemon does it.
const PRUNE_EACH: i64 = 256;
/// So long others may hold the database; each try waits some seconds itself.
const PATIENCE: Duration = Duration::from_secs(300);

/// The event on one port; `None` where it was as planned: then nothing was written, and the
/// journal's note is enough.
pub fn port(call: &Call, outcome: &Outcome, wanted: &Wanted, message: &str) -> Option<Event> {
    let severity = match outcome.ending {
        Ending::AlreadySo => return None,
        Ending::Changed { rounds: 1 } => Severity::Info,
        Ending::Changed { .. } | Ending::NoSuchPort => Severity::Warning,
        Ending::Failed(_) => Severity::Error,
    };
    let [before, after] = [&outcome.before, &outcome.after].map(|e| Shown(e).to_string());
    let port = &outcome.port;
    // It is shown with its guest before it.
    let prefix = format!("{}: ", call.object);
    let message = message.strip_prefix(&prefix).unwrap_or(message);
    let event = event(call, port, message)
        .severity(severity)
        .evidence(Evidence::measured(format!("netlink:{port}"), after.clone()))
        .evidence(Evidence::measured(
            wanted.origin.to_string(),
            Shown(&wanted.entries()).to_string(),
        ));
    Some(event.change(Some(before), after))
}

/// The event that the plan for a guest could not be met, or not be made.
pub fn unmet(call: &Call, reason: &str) -> Event {
    event(call, &call.object, reason).severity(Severity::Error)
}

fn event(call: &Call, subject: &str, message: &str) -> Event {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    Event::new(
        Timestamp::now(),
        host,
        SOURCE,
        Kind::GuestHook,
        subject,
        format!("{message} ({})", call.operation),
    )
    .of_guest(&call.object)
}

/// Stores events where this host's daemon keeps its own. To be called by a process for which
/// nobody waits.
pub fn record(mut events: Vec<Event>) {
    if events.is_empty() {
        return;
    }
    let settings = std::fs::read_to_string(settings::DEFAULT_PATH).ok();
    // Settings that cannot be used: the daemon does not start with them, and says so.
    let settings = settings
        .and_then(|text| Settings::parse(settings::DEFAULT_PATH, &text).ok())
        .unwrap_or_default();
    if let Some(host) = settings.host {
        for event in &mut events {
            event.host.clone_from(&host);
        }
    }
    let RecorderSettings { path, .. } = &settings.recorder;
    if let Err(error) = store(path, settings.recorder.limits(), &events) {
        let message = format!("{} events were not recorded: {error}", events.len());
        let entry = Entry {
            priority: Priority::Warning,
            identifier: IDENTIFIER,
            message,
            fields: Vec::new(),
        };
        entry.send();
    }
}

fn store(path: &Path, limits: Limits, events: &[Event]) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match stored(path, limits, events) {
            // Many guests start at once, or the daemon removes old events.
            Err(error) if error.is_busy() && began.elapsed() < PATIENCE => {}
            other => return other.map_err(|error| super::words(&error)),
        }
    }
}

fn stored(path: &Path, limits: Limits, events: &[Event]) -> Result<(), RecorderError> {
    let mut recorder = Recorder::open(path, limits)?;
    let ids = recorder.record(events)?;
    if ids.iter().any(|id| id % PRUNE_EACH == 0) {
        // What cannot be removed now is removed by the next one.
        let _ = recorder.prune(Timestamp::now());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use facts::bridge::Entries;
    use model::vlan::Origin;
    use watch::recorder::Query;

    fn outcome(ending: Ending) -> Outcome {
        let entries = |pvid| Entries {
            pvid: Some(pvid),
            untagged: vec![pvid],
            tagged: Vec::new(),
        };
        Outcome {
            port: "vnet0".to_owned(),
            bridge: "br-mgmt".to_owned(),
            before: entries(1),
            after: entries(100),
            ending,
        }
    }

    #[test]
    fn before_and_after_are_stored_and_bounded() {
        let wanted = Wanted {
            pvid: Some(100),
            tagged: vec![10],
            origin: Origin::Bridge,
        };
        let call = Call {
            object: "bind-01".to_owned(),
            operation: "start".to_owned(),
        };
        let of = |ending| port(&call, &outcome(ending), &wanted, "bind-01: set");
        assert_eq!(of(Ending::AlreadySo), None);
        let changed = of(Ending::Changed { rounds: 1 }).unwrap();
        assert_eq!(changed.before.as_deref(), Some("1 pvid untagged"));
        assert_eq!(changed.after.as_deref(), Some("100 pvid untagged"));
        assert_eq!(changed.severity, Severity::Info);
        assert_eq!(changed.message, "set (start)");
        assert_eq!(
            of(Ending::Failed("no".to_owned())).unwrap().severity,
            Severity::Error
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.db");
        let limits = Limits {
            bytes: 400 << 10,
            ..Limits::default()
        };
        for _ in 0..20 {
            store(&path, limits, &vec![changed.clone(); 500]).unwrap();
        }
        let recorder = Recorder::open_to_read(&path).unwrap();
        // As many as were stored since the last time that room was made, and what may stay.
        assert!(
            recorder.used().unwrap() < 2 * limits.bytes,
            "{:?}",
            recorder.used()
        );
        let newest = recorder.query(&Query::default()).unwrap();
        assert_eq!(newest.last().unwrap().id, 10_000);
        assert_eq!(newest[0].event.guest.as_deref(), Some("bind-01"));
        // A place where nothing can be stored is an error, not a panic.
        assert!(store(Path::new("/proc/no/events.db"), limits, &[changed]).is_err());
    }
}
