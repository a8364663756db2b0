//! What a person sees of `nofail net`.

use super::style::{Style, paint};
use crate::cli::net::Plan;
use change::net::cuts::Who;
use change::net::gate::Judgement;
use change::net::record::{Handle, Phase, Progress, Record};
use change::net::session::Connection;
use std::fmt::Write as _;
use std::time::Duration;

/// Everything before anything is done.
pub fn plan(plan: &Plan, connection: &Connection, confirm: Duration) -> String {
    let mut text = String::new();
    if plan.commands.is_empty() {
        let _ = writeln!(
            text,
            "{}: the kernel is as declared: nothing to do",
            plan.host
        );
        for difference in &plan.writing.differences {
            let _ = writeln!(text, "the profile is not: {difference}");
        }
        if !plan.writing.is_empty() {
            let _ = writeln!(text, "to write it down: nofail vlan persist");
        }
        by_hand(plan, &mut text);
        return text;
    }
    let _ = writeln!(
        text,
        "{}: {} to run:",
        paint(Style::Bold, &plan.host),
        counted(plan.commands.len(), "command")
    );
    for command in &plan.commands {
        let _ = writeln!(text, "  {command}");
    }
    whom(plan, connection, &mut text);
    for probe in &plan.probes {
        let _ = writeln!(text, "must answer afterwards: {probe}");
    }
    for probe in &plan.silent {
        let _ = writeln!(
            text,
            "does not answer now, so is not asked afterwards: {probe}"
        );
    }
    for difference in &plan.writing.differences {
        let _ = writeln!(text, "the profile says otherwise: {difference}");
    }
    for note in &plan.writing.notes {
        let _ = writeln!(text, "note: {note}");
    }
    if !plan.writing.is_empty() {
        let _ = writeln!(text, "into the profile, once confirmed:");
        for step in &plan.edits {
            super::plans::indented(&mut text, &step.what);
        }
        for words in &plan.writing.commands {
            let words: Vec<String> = words
                .iter()
                .map(|w| rules::bridge::persist::quoted(w))
                .collect();
            let _ = writeln!(text, "  {}", words.join(" "));
        }
    }
    by_hand(plan, &mut text);
    for document in &plan.documents {
        let _ = writeln!(text, "described in: {document}");
    }
    match &plan.judgement {
        Judgement::Go(grounds) => {
            let _ = writeln!(
                text,
                "may run: {grounds}; taken back unless confirmed within {} s",
                confirm.as_secs_f64()
            );
        }
        Judgement::Refused(refusals) => {
            for refusal in refusals {
                let _ = writeln!(text, "{}: {}", paint(Style::Red, "refused"), refusal.why);
                let _ = writeln!(text, "  instead: {}", refusal.instead);
            }
        }
    }
    text
}

fn by_hand(plan: &Plan, text: &mut String) {
    for line in &plan.writing.by_hand {
        let _ = writeln!(text, "into the profile, by hand: {line}");
    }
}

fn whom(plan: &Plan, connection: &Connection, text: &mut String) {
    for cut in &plan.cuts {
        let who = match &cut.who {
            Who::Ssh(ssh) => format!("this SSH connection ({} to {})", ssh.client, ssh.server),
            Who::Host => format!("the host itself over {}", cut.over),
            Who::Guest(Some(guest)) => format!("guest {guest}"),
            Who::Guest(None) => "a guest".to_owned(),
        };
        let port = cut
            .port
            .as_ref()
            .map(|p| format!(" ({p})"))
            .unwrap_or_default();
        let how = if cut.certain {
            paint(Style::Red, "cuts")
        } else {
            paint(Style::Yellow, "may cut")
        };
        let _ = writeln!(text, "{how} {who}{port}: {}", cut.why);
    }
    if plan.cuts.is_empty() {
        let _ = writeln!(text, "cuts nobody, as far as this host can tell");
    } else if connection.is_ssh() && !plan.cuts.iter().any(|c| matches!(c.who, Who::Ssh(_))) {
        let _ = writeln!(text, "this SSH connection stays");
    }
    if !plan.falls.is_empty() {
        let _ = writeln!(text, "and with them falls: {}", plan.falls.join(", "));
    }
}

/// The commands ran.
pub fn waiting(id: &str, confirm: Duration, unit: bool) -> String {
    let stands_by = if unit {
        format!("unit nofail-net-{id}")
    } else {
        "a process of its own".to_owned()
    };
    format!(
        "applied; {stands_by} takes it back in {} s, unless from a NEW connection comes:\n  nofail net confirm {id}\n",
        confirm.as_secs_f64()
    )
}

/// The way is there.
pub fn probed(record: &Record) -> String {
    if record.probes.is_empty() {
        "nothing could be probed; waiting for the confirmation\n".to_owned()
    } else {
        "everything that must answer does; waiting for the confirmation\n".to_owned()
    }
}

/// The end.
pub fn ended(id: &str, phase: Phase, why: Option<&str>) -> String {
    let why = why.map(|w| format!(": {w}")).unwrap_or_default();
    match phase {
        Phase::Confirmed => format!(
            "{}: change {id}, kernel and profile\n",
            paint(Style::Green, "confirmed")
        ),
        Phase::Restored => format!(
            "{}{why}: change {id}, the old state is back\n",
            paint(Style::Yellow, "taken back")
        ),
        other => format!(
            "{}: change {id} is {}{why}\n",
            paint(Style::Red, "error"),
            other.text()
        ),
    }
}

/// How far a change is.
pub fn status(handle: &Handle, progress: &Progress) -> String {
    let mut text = format!("change {}: {}", handle.id, progress.phase.text());
    if let Some(why) = &progress.why {
        let _ = write!(text, ": {why}");
    }
    text.push('\n');
    for line in handle.log().lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
