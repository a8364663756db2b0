//! The hook, for a person.

use super::plans::indented;
use super::print;
use super::style::{Style, paint};
use crate::wire::hook::{Installed, Verified};
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

/// Whether it fires, and why not.
///
/// # Errors
/// Standard output cannot be written.
pub fn verified(told: &Verified) -> anyhow::Result<()> {
    let mut text = String::new();
    for script in &told.scripts {
        let _ = writeln!(text, "{} {script}", paint(Style::Bold, "hook"));
    }
    for guest in &told.guests {
        let fired = guest.last_fired.as_deref().unwrap_or("no trace");
        let _ = writeln!(
            text,
            "{} {}: last fired: {fired}",
            paint(Style::Bold, "guest"),
            guest.guest
        );
        for port in &guest.ports {
            let word = if port.right {
                paint(Style::Green, "as planned")
            } else {
                paint(Style::Red, "differs from the plan")
            };
            let _ = writeln!(text, "    {} has {}: {word}", port.port, port.has);
        }
    }
    if !told.ruled_out.is_empty() {
        let _ = writeln!(text, "{}", paint(Style::Bold, "ruled out as a cause"));
    }
    for line in &told.ruled_out {
        let _ = writeln!(text, "    {line}");
    }
    if !told.not_checked.is_empty() {
        let _ = writeln!(text, "{}", paint(Style::Bold, "not checked"));
    }
    for line in &told.not_checked {
        let _ = writeln!(text, "    {line}");
    }
    for line in &told.also {
        let _ = writeln!(text, "{} {line}", paint(Style::Yellow, "also:"));
    }
    let proof = told.proof.as_deref().unwrap_or_default();
    match (&told.cause, told.fires) {
        (Some(cause), _) => {
            let _ = writeln!(text, "{} {cause}", paint(Style::Red, "cause:"));
        }
        (None, "yes") => {
            let _ = writeln!(text, "{} {proof}", paint(Style::Green, "the hook fires:"));
        }
        (None, _) => text.push_str(
            "no cause was found, and no firing seen; `nofail hook verify --start-probe` starts a \
             throw-away guest and tells\n",
        ),
    }
    print(&text)
}
