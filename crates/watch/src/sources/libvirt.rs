//! libvirt's events: `virsh event --loop --all --timestamp`, the same for the monolithic and the
//! modular daemons and for every version. At the start the states are compared with those that
//! were known last, so that what happened unwatched is told as well.

mod parse;

pub use parse::{Heard, parse};

use super::child::Talker;
use super::{IDLE, Pulse, Source, SourceError, usual};
use crate::daemon::Context;
use crate::event::{Event, Evidence, Kind, Severity};
use collect::command;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The source.
pub const SOURCE: Source = Source {
    name: "libvirt",
    silent_after: usual,
    run,
};

/// Which connection: the system's.
const URI: &str = "qemu:///system";
/// One question to libvirt.
const DEADLINE: Duration = Duration::from_secs(20);
/// The name under which states are kept.
const STATES: &str = "libvirt.states";
/// Sockets of libvirtd and virtqemud.
const SOCKETS: &[&str] = &["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];

type States = BTreeMap<String, String>;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    if !SOCKETS.iter().any(|path| Path::new(path).exists()) {
        let looked = SOCKETS.join(" nor ");
        return Err(SourceError::Absent(format!("there is neither {looked}")));
    }
    // Listens first and asks then: nothing falls between.
    let args = ["-c", URI, "event", "--loop", "--all", "--timestamp"];
    let talker = Talker::start("virsh", &args)?;
    let mut states = states()?;
    pulse.beat();
    let known: Option<States> = context
        .state(STATES)
        .and_then(|text| serde_json::from_str(&text).ok());
    let missed = known.map_or_else(Vec::new, |known| missed(context, &known, &states));
    store(context, missed, &states);
    loop {
        let line = match talker.lines.recv_timeout(IDLE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                pulse.beat();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(SourceError::Failed(
                    "virsh event ended: libvirt's daemon went away".into(),
                ));
            }
        };
        pulse.beat();
        if line.starts_with("error:") {
            return Err(SourceError::Failed(format!("virsh event: {line}")));
        }
        // Lines of a migration's statistics and the like have no form of their own.
        let Some(heard) = parse(&line) else { continue };
        let Some(event) = judge(context, &heard, &mut states, &line) else {
            continue;
        };
        if matches!(event.kind, Kind::GuestResumed | Kind::GuestStarted) {
            // Resumed after an error: QEMU goes on once the disk takes its writes again.
            let message = "its disks work again";
            let recovered = context.event("libvirt", Kind::GuestIoRecovered, &heard.guest, message);
            context.tell_once(recovered.of_guest(&heard.guest));
        }
        store(context, vec![event], &states);
    }
}

fn store(context: &Context, events: Vec<Event>, states: &States) {
    context.gauges.clear("nofail_guests");
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for state in states.values() {
        *counts.entry(state).or_default() += 1;
    }
    for (state, count) in counts {
        context
            .gauges
            .set("nofail_guests", &[("state", state)], count.into());
    }
    let text = serde_json::to_string(states).unwrap_or_default();
    context.tell_with(events, vec![(STATES.to_owned(), text)]);
}

/// What a line says, as an event. Keeps the states.
fn judge(context: &Context, heard: &Heard, states: &mut States, line: &str) -> Option<Event> {
    let told = heard.kind()?;
    let before = states.get(&heard.guest).cloned();
    if let Some(state) = told.state {
        if state.is_empty() {
            states.remove(&heard.guest);
        } else {
            states.insert(heard.guest.clone(), state.to_owned());
        }
    }
    let mut event = context
        .event("libvirt", told.kind, &heard.guest, told.message)
        .of_guest(&heard.guest)
        .evidence(Evidence::measured("virsh event", line));
    if let Some(time) = heard.time {
        event.time = time;
    }
    if let Some(severity) = told.severity {
        event.severity = severity;
    }
    if let Some(state) = told.state {
        event = event.change(before, if state.is_empty() { "undefined" } else { state });
    }
    Some(event)
}

/// Guests and their states, as libvirt tells them now.
fn states() -> Result<States, SourceError> {
    let mut states = States::new();
    for (flag, state) in [
        ("--state-running", "running"),
        ("--state-paused", "paused"),
        ("--state-shutoff", "shut off"),
        ("--state-other", "other"),
    ] {
        let args = ["-c", URI, "-q", "list", "--all", "--name", flag];
        let output = command::output("virsh", &args, DEADLINE)
            .map_err(|e| SourceError::failed("cannot ask libvirt", &e))?;
        let text = String::from_utf8_lossy(&output);
        let names = text.lines().filter(|name| !name.is_empty());
        states.extend(names.map(|name| (name.to_owned(), state.to_owned())));
    }
    Ok(states)
}

/// What differs from the last known states: it happened while nobody watched.
fn missed(context: &Context, known: &States, now: &States) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |guest: &str, kind, before: &str, after: &str| {
        let message = format!("was {before} when last seen, is {after}: it happened unwatched");
        events.push(
            context
                .event("libvirt", kind, guest, message)
                .of_guest(guest)
                .change(Some(before.to_owned()), after)
                .severity(Severity::Warning)
                .evidence(Evidence::measured(
                    "virsh list --all",
                    format!("{guest}: {after}"),
                )),
        );
    };
    for (guest, state) in now {
        match known.get(guest) {
            Some(before) if before == state => {}
            Some(before) if state == "running" => add(guest, Kind::GuestStarted, before, state),
            Some(before) if state == "paused" => add(guest, Kind::GuestSuspended, before, state),
            Some(before) => add(guest, Kind::GuestShutdown, before, state),
            None => add(guest, Kind::GuestDefined, "undefined", state),
        }
    }
    for (guest, before) in known.iter().filter(|(guest, _)| !now.contains_key(*guest)) {
        add(guest, Kind::GuestUndefined, before, "undefined");
    }
    events
}
