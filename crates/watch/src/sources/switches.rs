//! Captures of switches that site.toml names: a new one is compared in meaning with the one before.

use super::{Pulse, Source, SourceError, rest};
use crate::daemon::Context;
use crate::event::{Evidence, Kind, Severity};
use facts::switch::{self, Switch, diff};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

/// The source.
pub const SOURCE: Source = Source {
    name: "switches",
    silent_after: super::usual,
    run,
};

/// Captures come by hand or by a nightly job.
const LOOK: Duration = Duration::from_secs(60);
/// Of a hundred changes a message names some.
const NAMED: usize = 5;

type Stamps = Vec<(String, Option<SystemTime>, u64)>;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let switches = context.site.as_ref().map(|site| &site.switches);
    let Some(switches) = switches.filter(|all| all.values().any(|s| !s.captures.is_empty())) else {
        return Err(SourceError::Absent(
            "site.toml names no captures of switches".into(),
        ));
    };
    let mut known: BTreeMap<&str, (Stamps, Switch)> = BTreeMap::new();
    loop {
        for (name, intent) in switches {
            pulse.beat();
            let stamps = stamps(context, &intent.captures);
            if known
                .get(name.as_str())
                .is_some_and(|(before, _)| *before == stamps)
            {
                continue;
            }
            let Some(now) = read(context, &intent.captures) else {
                continue;
            };
            if let Some((_, before)) = known.insert(name, (stamps, now.clone())) {
                tell(context, name, &before, &now);
            }
        }
        rest(pulse, LOOK);
    }
}

fn stamps(context: &Context, captures: &[String]) -> Stamps {
    let stamp = |capture: &String| {
        let data = std::fs::metadata(context.site_directory.join(capture)).ok();
        (
            capture.clone(),
            data.as_ref().and_then(|d| d.modified().ok()),
            data.map_or(0, |d| d.len()),
        )
    };
    captures.iter().map(stamp).collect()
}

/// All captures as one; `None` while one of them is half written or unreadable.
fn read(context: &Context, captures: &[String]) -> Option<Switch> {
    let mut parsed = Vec::new();
    for capture in captures {
        let bytes = std::fs::read(context.site_directory.join(capture)).ok()?;
        parsed.push(switch::parse(capture, &String::from_utf8_lossy(&bytes)).ok()?);
    }
    (!parsed.is_empty()).then(|| Switch::merge(parsed))
}

fn tell(context: &Context, name: &str, before: &Switch, now: &Switch) {
    let found = diff::diff(before, now);
    if found.changes.is_empty() {
        return;
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
    context.tell(event);
}
