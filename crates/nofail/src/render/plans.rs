//! Plans of the journal, for a person.

use super::print;
use super::style::{Style, paint};
use change::history::{Entry, NetChange};
use change::journal::Record;
use change::origin::Origin;
use std::fmt::Write as _;

/// Every change, one line each.
///
/// # Errors
/// Standard output cannot be written.
pub fn list(all: &[Entry]) -> anyhow::Result<()> {
    let mut text = String::new();
    if all.is_empty() {
        text.push_str("nofail has changed nothing here\n");
    }
    for entry in all {
        let (status, title, origin, steps) = match entry {
            Entry::Plan((_, Ok(record))) => {
                let plan = &record.plan;
                let title = plan.title.clone();
                (record.status(), title, &plan.origin, plan.steps.len())
            }
            Entry::Net(_, Ok(change)) => {
                let steps = change.steps().len();
                (change.status(), change.title(), change.origin(), steps)
            }
            Entry::Plan((_, Err(_))) | Entry::Net(_, Err(_)) => {
                let why = crate::wire::plans::why(entry);
                let _ = writeln!(text, "{}  unreadable   {why}", entry.id());
                continue;
            }
        };
        let reason = origin.reason.as_deref();
        let _ = writeln!(
            text,
            "{}  {:<11}  {steps} step{}  {title} by {}{}",
            entry.id(),
            status.name(),
            if steps == 1 { " " } else { "s" },
            origin.who,
            reason.map_or_else(String::new, |r| format!(": {r}")),
        );
    }
    print(&text)
}

fn head(text: &mut String, record: &Record) {
    let plan = &record.plan;
    let title = format!("plan {} ({})", plan.id, record.status().name());
    let _ = writeln!(text, "{}", paint(Style::Bold, &title));
    let _ = writeln!(text, "  what   {}, host {}", plan.title, plan.host);
    who(text, &plan.origin);
}

fn who(text: &mut String, origin: &Origin) {
    let _ = writeln!(text, "  who    {}", origin.who);
    let _ = writeln!(text, "  when   {}", origin.when);
    if !origin.from.is_empty() {
        let _ = writeln!(text, "  from   {}", origin.from);
    }
    if let Some(reason) = &origin.reason {
        let _ = writeln!(text, "  why    {reason}");
    }
}

/// One network change with its steps.
///
/// # Errors
/// Standard output cannot be written.
pub fn net(change: &NetChange) -> anyhow::Result<()> {
    let mut text = String::new();
    let record = &change.record;
    let phase = change.progress.phase.text();
    let title = format!("network change {} ({phase})", record.id);
    let _ = writeln!(text, "{}", paint(Style::Bold, &title));
    let _ = writeln!(text, "  what   {}, host {}", change.title(), record.host);
    who(&mut text, change.origin());
    let _ = writeln!(text, "  may    {}", record.grounds);
    for (index, step) in change.steps().iter().enumerate() {
        let _ = writeln!(text, "\nstep {} ({})", index + 1, change.step_state(index));
        indented(&mut text, step);
    }
    text.push_str("\nwhat happened:\n");
    indented(&mut text, &change.log);
    if record_is_open(change) {
        let _ = writeln!(text, "\nto take it back: nofail net rollback {}", record.id);
    }
    print(&text)
}

fn record_is_open(change: &NetChange) -> bool {
    change.status() != change::journal::Status::RolledBack
}

/// One plan with its steps.
///
/// # Errors
/// Standard output cannot be written.
pub fn one(record: &Record) -> anyhow::Result<()> {
    let mut text = String::new();
    head(&mut text, record);
    for (index, step) in record.plan.steps.iter().enumerate() {
        let state = record.step_state(index);
        let rules = step.rules.join(", ");
        let _ = writeln!(
            text,
            "\nstep {} ({state}) {}",
            index + 1,
            paint(Style::Dim, &rules)
        );
        indented(&mut text, &step.what);
    }
    print(&text)
}

/// Lines of a diff or commands, moved to the right; a diff's in colour.
pub fn indented(text: &mut String, lines: &str) {
    for line in lines.lines() {
        let painted = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] | [b'@', ..] => paint(Style::Dim, line),
            [b'-', ..] => paint(Style::Red, line),
            [b'+', ..] => paint(Style::Green, line),
            _ => line.to_owned(),
        };
        let _ = writeln!(text, "    {painted}");
    }
}

/// What a rollback will do.
///
/// # Errors
/// Standard output cannot be written.
pub fn rollback(record: &Record, lines: &[String]) -> anyhow::Result<()> {
    let mut text = String::new();
    head(&mut text, record);
    text.push_str("\nto take it back:\n");
    if lines.is_empty() {
        text.push_str("    nothing: everything is as before\n");
    }
    for line in lines {
        indented(&mut text, line);
    }
    print(&text)
}
