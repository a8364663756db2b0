//! Traces that hooks leave in the journal.
//!
//! A script that logs with `logger -t "libvirt-hook[GUEST]"` does not get that identifier: what
//! stands between brackets at the end of a tag is where syslog writes a process ID, and journald
//! takes it apart into `SYSLOG_IDENTIFIER=libvirt-hook` and `SYSLOG_PID=GUEST`.

use super::HookTrace;
use crate::unit::journal::Record;

/// Identifiers that are always asked for: the convention of many scripts, and nofail's own.
pub const IDENTIFIERS: &[&str] = &["libvirt-hook", "nofail-hook"];

/// The fixed part of a tag as a script writes it: up to the first bracket or variable. `None`
/// where there is none, as for `-t "$0"`.
pub fn identifier_of_tag(tag: &str) -> Option<&str> {
    let fixed = tag.split(['[', '$', '`', '{', ' ']).next().unwrap_or("");
    let fixed = fixed.trim_end_matches(['-', '_', '.', '/']);
    (!fixed.is_empty()).then_some(fixed)
}

/// The guest that an entry speaks of: the field `GUEST` (nofail's own entries), what stands in
/// brackets in the identifier or stands for its process ID, else a known guest's name as a whole
/// word in the message.
pub fn guest_of(record: &Record, guests: &[&str]) -> Option<String> {
    if let Some(guest) = record.field("GUEST") {
        return Some(guest.to_owned());
    }
    let identifier = record.field("SYSLOG_IDENTIFIER").unwrap_or("");
    if let Some((_, rest)) = identifier.split_once('[') {
        return Some(rest.trim_end_matches(']').to_owned());
    }
    if let Some(inside) = record.field("SYSLOG_PID")
        && inside.parse::<u32>().is_err()
    {
        return Some(inside.to_owned());
    }
    let message = record.field("MESSAGE")?;
    let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    message
        .split(|c| !part_of_name(c))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| guests.contains(word))
        .map(str::to_owned)
}

/// The latest trace of each guest, sorted by guest. `rfc3339` turns microseconds since 1970 into
/// the snapshot's form.
pub fn latest(
    records: &[Record],
    guests: &[&str],
    rfc3339: impl Fn(i64) -> Option<String>,
) -> Vec<HookTrace> {
    let mut found: Vec<(i64, HookTrace)> = Vec::new();
    for record in records {
        let Some(at) = record.realtime() else {
            continue;
        };
        let guest = guest_of(record, guests).unwrap_or_default();
        let trace = HookTrace {
            at: rfc3339(at).unwrap_or_default(),
            text: record.field("MESSAGE").unwrap_or("").to_owned(),
            guest,
        };
        match found.iter_mut().find(|(_, t)| t.guest == trace.guest) {
            Some(known) if known.0 <= at => *known = (at, trace),
            Some(_) => {}
            None => found.push((at, trace)),
        }
    }
    let mut traces: Vec<HookTrace> = found.into_iter().map(|(_, trace)| trace).collect();
    traces.sort_by(|a, b| a.guest.cmp(&b.guest));
    traces
}
