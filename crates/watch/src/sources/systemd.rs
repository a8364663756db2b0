//! systemd, over D-Bus: units that fail and recover (mounts first), emergency and rescue mode.
//! See org.freedesktop.systemd1(5).

use super::{IDLE, Pulse, Source, SourceError, usual};
use crate::daemon::Context;
use crate::event::{Event, Evidence, Kind};
use collect::systemd::{MANAGER, PATH, SERVICE, failed_units};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use zbus::export::futures_core::Stream;
use zbus::{Connection, MatchRule, MessageStream, OwnedVariant, Proxy, message};

/// The source.
pub const SOURCE: Source = Source {
    name: "systemd",
    silent_after: usual,
    run,
};

/// After this all failed units are listed anew.
const AGAIN: Duration = Duration::from_secs(600);
const UNIT: &str = "org.freedesktop.systemd1.Unit";

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    // sd_booted(3).
    if !Path::new("/run/systemd/system").exists() {
        return Err(SourceError::Absent("systemd does not run this host".into()));
    }
    let (sender, receiver) = mpsc::sync_channel::<Heard>(256);
    // In a thread of its own: zbus has no deadline, and a bus that hangs must be missed.
    std::thread::spawn(move || {
        let ended = zbus::block_on(listen(&sender));
        let _ = sender.send(Heard::End(ended.err()));
    });
    let mut known = BTreeSet::new();
    let mut let_in = false;
    loop {
        match receiver.recv_timeout(IDLE) {
            Ok(Heard::Failed(listed)) => {
                for unit in listed.difference(&known) {
                    unit_failed(context, unit, "failed");
                }
                recovered(context, &listed);
                known = listed;
                let_in = true;
            }
            Ok(Heard::Unit(unit, state)) => told(context, &mut known, unit, &state),
            // The bus has not even let us in: no sign of life.
            Err(RecvTimeoutError::Timeout) if !let_in => continue,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Heard::End(Some(error))) => {
                return Err(SourceError::failed("systemd over D-Bus", &error));
            }
            Ok(Heard::End(None)) | Err(RecvTimeoutError::Disconnected) => {
                return Err(SourceError::Failed(
                    "the connection to the bus ended".into(),
                ));
            }
        }
        pulse.beat();
    }
}

/// What the listening thread hands over.
enum Heard {
    /// Every unit that is failed now.
    Failed(BTreeSet<String>),
    /// A unit's new `ActiveState`.
    Unit(String, String),
    /// It ended.
    End(Option<zbus::Error>),
}

/// Listens until the bus closes the connection, or nobody takes what is heard.
async fn listen(sender: &mpsc::SyncSender<Heard>) -> zbus::Result<()> {
    let connection = Connection::system().await?;
    let manager = Proxy::new(&connection, SERVICE, PATH, MANAGER).await?;
    // Only units' own properties; systemd sends nothing to those who did not subscribe.
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(SERVICE)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .arg(0, UNIT)
        .build()?;
    let mut signals =
        MessageStream::for_match_rule(rule, &connection, NonZeroUsize::new(256)).await?;
    manager.call_method("Subscribe", &()).await?;
    let mut asked: Option<Instant> = None;
    loop {
        // Asked again now and then, at the next signal: a queue that was overrun drops some.
        if asked.is_none_or(|at| at.elapsed() > AGAIN) {
            asked = Some(Instant::now());
            let rows = failed_units(&connection).await?;
            let listed = rows.into_iter().map(|row| row.0).collect();
            if sender.send(Heard::Failed(listed)).is_err() {
                return Ok(());
            }
        }
        let next = std::future::poll_fn(|cx| Pin::new(&mut signals).poll_next(cx));
        let Some(signal) = next.await else {
            return Ok(());
        };
        let Some((unit, state)) = change(&signal?) else {
            continue;
        };
        if sender.send(Heard::Unit(unit, state)).is_err() {
            return Ok(());
        }
    }
}

/// Unit and new `ActiveState` of a signal.
fn change(signal: &zbus::Message) -> Option<(String, String)> {
    let path = signal.header().path()?.as_str().to_owned();
    let escaped = path.strip_prefix("/org/freedesktop/systemd1/unit/")?;
    let body = signal.body();
    let (_, changed, _): (String, HashMap<String, OwnedVariant>, Vec<String>) =
        body.deserialize().ok()?;
    let state = String::try_from(changed.get("ActiveState")?.clone()).ok()?;
    Some((unescape(escaped), state))
}

/// The unit of an object path: `_2e` is a dot (`sd_bus_path_decode`).
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'_')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn told(context: &Context, known: &mut BTreeSet<String>, unit: String, state: &str) {
    if let Some(event) = mode(context, &unit, state) {
        context.tell_once(event);
    }
    if state == "failed" {
        unit_failed(context, &unit, state);
        known.insert(unit);
    } else if known.contains(&unit) && matches!(state, "active" | "inactive") {
        known.remove(&unit);
        let message = format!("no longer failed: {state}");
        context.tell_once(context.event("systemd", Kind::UnitRecovered, &unit, message));
    }
}

fn unit_failed(context: &Context, unit: &str, state: &str) {
    let (kind, message) = if unit.ends_with(".mount") || unit.ends_with(".automount") {
        (Kind::UnitMountFailed, "the mount failed")
    } else {
        (Kind::UnitFailed, "the unit failed")
    };
    let event = context.event(
        "systemd",
        kind,
        unit,
        format!("{message}: see `systemctl status {unit}`"),
    );
    let evidence = Evidence::measured(format!("systemd:{unit}"), format!("ActiveState={state}"));
    context.tell_once(event.change(None, state).evidence(evidence));
}

/// Clears what stood when the daemon last ran and is well now.
fn recovered(context: &Context, listed: &BTreeSet<String>) {
    for (key, kind) in context.standing() {
        let unit = key.splitn(3, '/').nth(2).unwrap_or_default();
        if matches!(kind, Kind::UnitFailed | Kind::UnitMountFailed) && !listed.contains(unit) {
            context.tell_once(context.event(
                "systemd",
                Kind::UnitRecovered,
                unit,
                "no longer failed",
            ));
        }
    }
}

fn mode(context: &Context, unit: &str, state: &str) -> Option<Event> {
    let (raised, word) = match unit {
        "emergency.target" | "emergency.service" => (Kind::ModeEmergency, "emergency mode"),
        "rescue.target" | "rescue.service" => (Kind::ModeRescue, "rescue mode"),
        _ => return None,
    };
    let (kind, message) = match state {
        "active" => (raised, format!("the host is in {word}")),
        "inactive" => (Kind::ModeNormal, format!("the host left {word}")),
        _ => return None,
    };
    Some(context.event("systemd", kind, "systemd", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_paths_to_unit_names() {
        assert_eq!(unescape("mnt_2dnas_2emount"), "mnt-nas.mount");
        assert_eq!(
            unescape("mnt_2dnas_5cx2dvms_2emount"),
            "mnt-nas\\x2dvms.mount"
        );
        assert_eq!(unescape("sshd_40x_2eservice_"), "sshd@x.service_");
        assert_eq!(unescape("_"), "_");
    }
}
