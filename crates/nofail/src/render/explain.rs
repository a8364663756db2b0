//! Why a guest went down, as a person reads it.

use super::boot::{heading, item};
use super::style::{Style, paint};
use facts::Evidence;
use facts::domain::Guest;
use jiff::Timestamp;
use watch::explain::{Candidate, Explanation};

/// A time in UTC to the second.
pub fn time(at: i64) -> String {
    Timestamp::from_microsecond(at)
        .map(|t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn place(evidence: &Evidence) -> String {
    let line = evidence.line.map_or_else(String::new, |n| format!(":{n}"));
    let text = evidence.text.as_deref().unwrap_or("");
    format!("{}{line}: {text}", evidence.file)
}

fn candidate(out: &mut String, first: bool, cause: &Candidate) {
    let style = if first { Style::Bold } else { Style::Dim };
    let label = format!(
        "  {} ({} %)  ",
        paint(style, cause.word()),
        cause.confidence
    );
    item(out, &label, &cause.text);
    for evidence in &cause.evidence {
        item(out, "      seen     ", &place(evidence));
    }
    for text in &cause.against {
        item(out, "      against  ", text);
    }
}

/// The whole text.
pub fn text(host: &str, name: &str, guest: Option<&Guest>, answer: &Explanation) -> String {
    let mut out = String::new();
    let state = match guest {
        Some(guest) => guest
            .state
            .as_deref()
            .unwrap_or("in a state that is not known here"),
        None => "not defined any more",
    };
    let head = match (answer.at, answer.causes.first()) {
        (Some(at), Some(cause)) => format!(
            "{name} on {host} is {state}; it went down {}: {}",
            time(at),
            cause.cause.name()
        ),
        _ if answer.runs == Some(true) => {
            format!("{name} on {host} runs; nothing that was read tells of a stop")
        }
        _ => format!(
            "{name} on {host} is {state}; nothing that was read tells when or why it stopped"
        ),
    };
    item(&mut out, "", &head);
    for (at, cause) in answer.causes.iter().enumerate() {
        candidate(&mut out, at == 0, cause);
    }
    if let Some(cause) = &answer.still_off {
        heading(&mut out, "Why it is still off");
        candidate(&mut out, true, cause);
    }
    if !answer.actors.is_empty() {
        heading(&mut out, "Who may have done it");
        for actor in &answer.actors {
            let from = actor
                .address
                .as_deref()
                .map_or_else(String::new, |a| format!(" from {a}"));
            let command = actor
                .command
                .as_deref()
                .map_or_else(String::new, |c| format!(", `{c}`"));
            let text = format!(
                "{}{from}{command}: {} ({} %)",
                actor.user, actor.why, actor.confidence
            );
            item(&mut out, "  - ", &text);
        }
    }
    if !answer.timeline.is_empty() {
        heading(&mut out, "Around that time");
        for trace in &answer.timeline {
            let evidence = &trace.evidence;
            let text = evidence.text.as_deref().unwrap_or("");
            let file = evidence.file.rsplit('/').next().unwrap_or(&evidence.file);
            item(
                &mut out,
                &format!("  {}  ", time(trace.at)),
                &format!("{file}: {text}"),
            );
        }
    }
    if !answer.other_stops.is_empty() {
        heading(&mut out, "Other stops");
        for (at, reason) in &answer.other_stops {
            item(&mut out, &format!("  {}  ", time(*at)), reason);
        }
    }
    if !answer.next_time.is_empty() {
        heading(&mut out, "Next time");
        for text in &answer.next_time {
            item(&mut out, "  - ", text);
        }
    }
    if !answer.not_checked.is_empty() {
        heading(&mut out, "Not checked");
        for record in &answer.not_checked {
            item(
                &mut out,
                "  - ",
                &format!("{}: {}", record.source, record.reason),
            );
        }
    }
    out
}
