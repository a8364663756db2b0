//! Why a guest went down: a judgement over records ([`facts::history`]) and over what libvirt's files
//! say of the guest now. Pure.
//!
//! [`explain`] finds the moment ([`moment`]), weighs the causes that could have led to it
//! ([`causes`]), and says who was there ([`actors`]) and how to be sure next time ([`advice`]).

pub mod actors;
pub mod advice;
pub mod causes;
pub mod moment;
#[cfg(test)]
mod tests;

use facts::Evidence;
use facts::domain::Guest;
use facts::history::{History, NotRead, Trace};

pub use actors::Actor;
pub use causes::Cause;

/// One second in the unit of [`Trace::at`].
pub const SECOND: i64 = 1_000_000;

/// What is judged.
#[derive(Debug)]
pub struct Case<'a> {
    /// The guest as libvirt's files have it now; `None` where none of that name is defined.
    pub guest: Option<&'a Guest>,
    /// The records.
    pub history: &'a History,
    /// Only stops since then are explained, microseconds since 1970.
    pub since: Option<i64>,
}

/// A cause that could have led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The cause.
    pub cause: Cause,
    /// In words, with what is particular to this case.
    pub text: String,
    /// How sure, in percent: a weighing of the evidence by fixed rules, not a measured frequency.
    pub confidence: u8,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// What speaks against it.
    pub against: Vec<String>,
}

impl Candidate {
    /// The confidence as a word.
    pub fn word(&self) -> &'static str {
        match self.confidence {
            90.. => "certain",
            70..=89 => "very likely",
            45..=69 => "likely",
            20..=44 => "possible",
            _ => "unlikely",
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// When it went down (or was paused), microseconds since 1970; `None` where nothing tells.
    pub at: Option<i64>,
    /// Whether it runs now, where that is known.
    pub runs: Option<bool>,
    /// Causes, the most probable first; empty where it did not go down.
    pub causes: Vec<Candidate>,
    /// Why it is still off, where that is another question.
    pub still_off: Option<Candidate>,
    /// Who may have done it, the most probable first.
    pub actors: Vec<Actor>,
    /// What the records tell around that time.
    pub timeline: Vec<Trace>,
    /// Earlier stops within the span asked for: time and reason.
    pub other_stops: Vec<(i64, String)>,
    /// How to be sure next time.
    pub next_time: Vec<String>,
    /// Records that could not be read.
    pub not_checked: Vec<NotRead>,
}

/// Judges a case.
pub fn explain(case: &Case<'_>) -> Explanation {
    let runs = case
        .guest
        .and_then(|g| g.state.as_deref())
        .map(|s| s == "running");
    let mut answer = Explanation {
        runs,
        not_checked: case.history.not_read.clone(),
        other_stops: moment::stops(case),
        ..Explanation::default()
    };
    let Some(moment) = moment::find(case) else {
        answer.still_off = causes::never_started(case);
        return answer;
    };
    answer.at = Some(moment.at);
    answer
        .other_stops
        .retain(|(at, _)| (at - moment.at).abs() > SECOND);
    answer.causes = causes::weigh(case, &moment);
    if runs == Some(false) {
        answer.still_off = causes::still_off(case, &moment);
    }
    let by_person = answer.causes.iter().any(|c| c.cause.by_somebody());
    if by_person {
        answer.actors = actors::find(case, &moment);
    }
    answer.timeline = timeline(case.history, &moment);
    answer.next_time = advice::of(&answer, case);
    answer
}

/// The traces around the moment, the nearest ones where there are very many.
fn timeline(history: &History, moment: &moment::Moment) -> Vec<Trace> {
    const MOST: usize = 40;
    let from = moment.earliest.min(moment.at) - 900 * SECOND;
    let to = moment.at + 600 * SECOND;
    let near = |t: &&Trace| (from..=to).contains(&t.at);
    let mut traces: Vec<Trace> = history.traces.iter().filter(near).cloned().collect();
    traces.sort_by_key(|t| (t.at - moment.at).abs());
    traces.truncate(MOST);
    traces.sort_by_key(|t| t.at);
    traces
}
