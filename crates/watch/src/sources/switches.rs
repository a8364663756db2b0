//! Captures of switches that site.toml names: a new one is compared in meaning with the one before.

mod read;

use super::{Pulse, Source, SourceError, rest};
use crate::daemon::Context;
use crate::event::{Event, Evidence, Kind, Severity};
use facts::switch::{Switch, diff};
use read::{Known, Reader};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// The source.
pub const SOURCE: Source = Source {
    name: "switches",
    silent_after: super::usual,
    run,
};

/// Of a hundred changes a message names some.
const NAMED: usize = 5;
/// Looks without success before it is told: a capture may be in the middle of being written.
const PATIENCE: u32 = 2;
/// What is known of a switch, before its name: what changes while the watch does not run is seen
/// when it runs again.
const KNOWN: &str = "switch ";

/// One switch of site.toml.
struct Watched {
    reader: Reader,
    known: Option<Known>,
    failures: u32,
}

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let switches = context.site.as_ref().map(|site| &site.switches);
    let Some(switches) = switches.filter(|all| all.values().any(|s| !s.captures.is_empty())) else {
        return Err(SourceError::Absent(
            "site.toml names no captures of switches".into(),
        ));
    };
    let mut watched: BTreeMap<&str, Watched> = BTreeMap::new();
    for (name, intent) in switches.iter().filter(|(_, s)| !s.captures.is_empty()) {
        let paths = intent.captures.iter();
        let paths = paths.map(|c| (c.clone(), context.site_directory.join(c)));
        let known = context.state(&format!("{KNOWN}{name}"));
        let one = Watched {
            reader: Reader::new(&context.options, paths.collect()),
            known: known.and_then(|text| serde_json::from_str(&text).ok()),
            failures: 0,
        };
        watched.insert(name, one);
    }
    loop {
        for (name, one) in &mut watched {
            pulse.beat();
            look(context, name, one);
        }
        rest(pulse, context.settings.switches.interval);
    }
}

fn look(context: &Context, name: &str, one: &mut Watched) {
    let subject = format!("switches: {name}");
    match one.reader.read(one.known.as_ref()) {
        Ok(now) => {
            one.failures = 0;
            let message = "its captures can be read again";
            context.tell_once(context.event("switches", Kind::SourceRecovered, subject, message));
            let Some(now) = now else { return };
            let mut events = Vec::new();
            if let Some(before) = &one.known {
                events.extend(changed(context, name, &before.switch, &now.switch));
            }
            // The state first seen anew and what is said of it: stored both or neither.
            let state = serde_json::to_string(&now).unwrap_or_default();
            context.tell_with(events, vec![(format!("{KNOWN}{name}"), state)]);
            one.known = Some(now);
        }
        Err(why) => {
            one.failures += 1;
            if one.failures >= PATIENCE {
                let message = format!("{why}: what changes on the switch is not seen");
                context.tell_once(context.event("switches", Kind::SourceFailed, subject, message));
            }
        }
    }
}

/// What a new capture says that the one before did not; nothing where that is of no meaning.
fn changed(context: &Context, name: &str, before: &Switch, now: &Switch) -> Option<Event> {
    let found = diff::diff(before, now);
    if found.changes.is_empty() {
        return None;
    }
    let worse = found.changes.iter().any(|c| c.effect == diff::Effect::Loss);
    let named: Vec<&str> = found
        .changes
        .iter()
        .take(NAMED)
        .map(|c| c.message.as_str())
        .collect();
    let more = found.changes.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    let mut event = context.event(
        "switches",
        Kind::SwitchChanged,
        name,
        format!("{}{more}", named.join("; ")),
    );
    if worse {
        event.severity = Severity::Error;
    }
    for change in &found.changes {
        event = event.evidence(Evidence::measured(
            format!("switch:{name}"),
            &change.message,
        ));
    }
    Some(event)
}
