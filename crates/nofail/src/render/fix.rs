//! What `nofail fix` would do and did, for a person.

use super::plans::indented;
use super::print;
use super::style::{Style, paint};
use analysis::boot::Boot;
use change::Plan;
use change::fix::running;
use change::fix::search::{Found, Left, word};
use change::fix::verify::Verdict;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The plan, how it was checked, and what it leaves.
///
/// # Errors
/// Standard output cannot be written.
pub fn plan(
    plan: &Plan,
    found: &Found,
    verdicts: &[Verdict],
    all: bool,
    changes: Option<&[PathBuf]>,
) -> anyhow::Result<()> {
    let mut text = String::new();
    if plan.steps.is_empty() {
        let _ = writeln!(text, "{}: nothing to do", found.host);
    } else {
        let count = plan.steps.len();
        let plural = if count == 1 { "" } else { "s" };
        let title = format!("{}: {count} step{plural}", found.host);
        let _ = writeln!(text, "{}", paint(Style::Bold, &title));
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let asked = if step.safe {
            ""
        } else {
            "  (asked for by --unsafe)"
        };
        let rules = paint(Style::Dim, &step.rules.join(", "));
        let _ = writeln!(text, "\nstep {} {rules}{asked}", index + 1);
        indented(&mut text, &step.what);
    }
    if !plan.steps.is_empty() {
        text.push('\n');
        checks(&mut text, found, verdicts);
    }
    for new in &found.new {
        let _ = writeln!(text, "will be found then: {new}");
    }
    if !all {
        section(
            &mut text,
            "only when asked for (--unsafe)",
            &found.on_request,
            false,
        );
    }
    network(&mut text, found, changes);
    section(&mut text, "cannot be mended here", &found.refused, false);
    section(&mut text, "for a person", &found.by_hand, true);
    print(&text)
}

/// The running state of bridges: handed over to what has a way back when the network is gone.
/// `changes`: where the change files were written.
fn network(text: &mut String, found: &Found, changes: Option<&[PathBuf]>) {
    if found.network.is_empty() {
        return;
    }
    section(
        text,
        "running state, for `nofail net apply`",
        &found.network,
        false,
    );
    match changes {
        Some(files) => {
            for file in files {
                let _ = writeln!(
                    text,
                    "  nofail net apply {} --confirm 60s",
                    rules::bridge::persist::quoted(&file.display().to_string())
                );
            }
        }
        None => {
            for (name, content) in running::files(&found.pieces) {
                let _ = writeln!(text, "  {name}:");
                indented(text, &content);
            }
            text.push_str(
                "  to write it: nofail fix bridge --changes DIR, then nofail net apply \
                 DIR/BRIDGE.toml --confirm 60s\n",
            );
        }
    }
}

fn checks(text: &mut String, found: &Found, verdicts: &[Verdict]) {
    for (when, boots) in [
        ("", &found.boot),
        (
            " while no server of a network mount answers",
            &found.boot_alone,
        ),
    ] {
        if let Some((before, after)) = boots {
            let (before, after) = (outcome(before), outcome(after));
            let _ = writeln!(text, "next boot{when}: {before} -> {after}");
        }
    }
    for verdict in verdicts {
        let _ = match verdict {
            Verdict::Agrees(what) => writeln!(text, "checked: {what}"),
            Verdict::NotAsked(why) => writeln!(text, "not checked: {why}"),
            Verdict::Objects(why) => writeln!(text, "{}", paint(Style::Red, why)),
        };
    }
}

fn outcome(boot: &Boot) -> String {
    let starts = boot
        .guests
        .iter()
        .filter(|g| g.result == analysis::boot::GuestResult::Starts)
        .count();
    let guests = if boot.guests.is_empty() {
        String::new()
    } else {
        format!(", {starts} of {} guests start", boot.guests.len())
    };
    let delay = match boot.delay_seconds {
        0 => String::new(),
        endless if endless > u64::from(u32::MAX) => ", waits without end".to_owned(),
        seconds => format!(", mounts add {seconds} s"),
    };
    format!("{}{delay}{guests}", word(boot.outcome))
}

/// Findings that stay: one line each, steps for a person numbered.
fn section(text: &mut String, title: &str, left: &[Left], numbered: bool) {
    if left.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint(Style::Bold, title));
    for item in left {
        let rule = paint(Style::Dim, item.rule);
        let _ = writeln!(text, "  {} {rule}", item.message);
        for (number, step) in item.steps.iter().enumerate() {
            let _ = if numbered {
                writeln!(text, "    {}. {step}", number + 1)
            } else {
                writeln!(text, "    {step}")
            };
        }
    }
}

/// A step that was just done, on standard error where a person watches.
pub fn progress(step: &Option<usize>) {
    if let Some(step) = step {
        eprintln!("step {} done", step + 1);
    }
}

/// How it ended.
///
/// # Errors
/// Standard output cannot be written.
pub fn end(plan: &Plan, applied: bool, tree: Option<&Path>) -> anyhow::Result<()> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    let root = tree.map_or_else(String::new, |t| format!(" --root {}", t.display()));
    print(&if applied {
        format!(
            "\ndone; to take it back: nofail rollback {}{root}\n",
            plan.id
        )
    } else {
        "\nnothing was changed; --yes does it\n".to_owned()
    })
}
