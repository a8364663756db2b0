//! `nofail.explain/1`.

use facts::Evidence;
use facts::domain::Guest;
use jiff::Timestamp;
use serde::Serialize;
use watch::explain::{Actor, Candidate, Explanation};

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    host: &'a str,
    guest: &'a str,
    state: Option<&'a str>,
    state_reason: Option<&'a str>,
    went_down_at: Option<String>,
    causes: Vec<Cause<'a>>,
    still_off: Option<Cause<'a>>,
    actors: Vec<Who<'a>>,
    timeline: Vec<Entry<'a>>,
    other_stops: Vec<Stop<'a>>,
    next_time: &'a [String],
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Cause<'a> {
    cause: &'static str,
    text: &'a str,
    confidence: u8,
    word: &'static str,
    evidence: &'a [Evidence],
    against: &'a [String],
}

#[derive(Debug, Serialize)]
struct Who<'a> {
    user: &'a str,
    address: Option<&'a str>,
    command: Option<&'a str>,
    confidence: u8,
    why: &'a str,
    evidence: &'a [Evidence],
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    time: String,
    evidence: &'a Evidence,
}

#[derive(Debug, Serialize)]
struct Stop<'a> {
    time: String,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct NotChecked<'a> {
    source: &'a str,
    reason: &'a str,
}

fn time(at: i64) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |t| t.to_string())
}

impl<'a> Cause<'a> {
    fn of(cause: &'a Candidate) -> Self {
        Self {
            cause: cause.cause.name(),
            text: &cause.text,
            confidence: cause.confidence,
            word: cause.word(),
            evidence: &cause.evidence,
            against: &cause.against,
        }
    }
}

impl<'a> Who<'a> {
    fn of(actor: &'a Actor) -> Self {
        Self {
            user: &actor.user,
            address: actor.address.as_deref(),
            command: actor.command.as_deref(),
            confidence: actor.confidence,
            why: &actor.why,
            evidence: &actor.evidence,
        }
    }
}

impl<'a> Document<'a> {
    /// Of an answer.
    pub fn of(
        host: &'a str,
        name: &'a str,
        guest: Option<&'a Guest>,
        answer: &'a Explanation,
    ) -> Self {
        Self {
            schema: "nofail.explain/1",
            host,
            guest: name,
            state: guest.and_then(|g| g.state.as_deref()),
            state_reason: guest.and_then(|g| g.state_reason.as_deref()),
            went_down_at: answer.at.map(time),
            causes: answer.causes.iter().map(Cause::of).collect(),
            still_off: answer.still_off.as_ref().map(Cause::of),
            actors: answer.actors.iter().map(Who::of).collect(),
            timeline: answer
                .timeline
                .iter()
                .map(|t| Entry {
                    time: time(t.at),
                    evidence: &t.evidence,
                })
                .collect(),
            other_stops: answer
                .other_stops
                .iter()
                .map(|(at, reason)| Stop {
                    time: time(*at),
                    reason,
                })
                .collect(),
            next_time: &answer.next_time,
            not_checked: answer
                .not_checked
                .iter()
                .map(|n| NotChecked {
                    source: &n.source,
                    reason: &n.reason,
                })
                .collect(),
        }
    }
}
