//! The hook, for a person.

use super::plans::indented;
use super::print;
use super::style::{Style, paint};
use crate::wire::hook::Installed;
use std::fmt::Write as _;

/// What was or would be done.
///
/// # Errors
/// Standard output cannot be written.
pub fn installed(told: &Installed, dry_run: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    if told.steps.is_empty() && told.notes.is_empty() {
        text.push_str("everything is in place already\n");
    } else if !told.steps.is_empty() {
        let head = if dry_run { "would do" } else { "done" };
        let _ = writeln!(text, "{}", paint(Style::Bold, head));
    }
    for step in &told.steps {
        indented(&mut text, step);
    }
    for note in &told.notes {
        let _ = writeln!(text, "{} {note}", paint(Style::Yellow, "note:"));
    }
    if let Some(plan) = &told.plan {
        let _ = writeln!(text, "taken back by: nofail rollback {plan}");
    }
    if let Some(reload) = &told.reload {
        let _ = writeln!(
            text,
            "{} looked for hooks when it started, and found none then: `{}` makes it look again",
            reload.daemon, reload.command
        );
    }
    print(&text)
}

/// What comes next.
///
/// # Errors
/// Standard output cannot be written.
pub fn next(told: &Installed) -> anyhow::Result<()> {
    let mut text = String::new();
    match &told.reload {
        Some(reload) if reload.done => {
            let _ = writeln!(text, "{} has looked again", reload.daemon);
        }
        Some(reload) => {
            let _ = writeln!(text, "until `{}` the hook does not fire", reload.command);
        }
        None => {}
    }
    if told.applied {
        text.push_str("prove that it fires: nofail hook verify --start-probe\n");
    }
    print(&text)
}
