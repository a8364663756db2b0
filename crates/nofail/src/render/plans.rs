//! Plans of the journal, for a person.

use super::print;
use super::style::{Style, paint};
use change::journal::{Listed, Record};
use std::fmt::Write as _;

/// Every plan, one line each.
///
/// # Errors
/// Standard output cannot be written.
pub fn list(all: &[Listed]) -> anyhow::Result<()> {
    let mut text = String::new();
    if all.is_empty() {
        text.push_str("nofail has changed nothing here\n");
    }
    for (id, record) in all {
        match record {
            Ok(record) => {
                let plan = &record.plan;
                let steps = plan.steps.len();
                let _ = writeln!(
                    text,
                    "{id}  {:<11}  {steps} step{}  {} by {}{}",
                    record.status().name(),
                    if steps == 1 { " " } else { "s" },
                    plan.title,
                    plan.origin.who,
                    reason(record),
                );
            }
            Err(error) => {
                let error = change::error::chain(error);
                let _ = writeln!(text, "{id}  unreadable   {error}");
            }
        }
    }
    print(&text)
}

fn reason(record: &Record) -> String {
    let reason = record.plan.origin.reason.as_deref();
    reason.map_or_else(String::new, |r| format!(": {r}"))
}

fn head(text: &mut String, record: &Record) {
    let plan = &record.plan;
    let title = format!("plan {} ({})", plan.id, record.status().name());
    let _ = writeln!(text, "{}", paint(Style::Bold, &title));
    let _ = writeln!(text, "  what   {}, host {}", plan.title, plan.host);
    let _ = writeln!(text, "  who    {}", plan.origin.who);
    let _ = writeln!(text, "  when   {}", plan.origin.when);
    if !plan.origin.from.is_empty() {
        let _ = writeln!(text, "  from   {}", plan.origin.from);
    }
    if let Some(reason) = &plan.origin.reason {
        let _ = writeln!(text, "  why    {reason}");
    }
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
