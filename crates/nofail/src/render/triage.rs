//! A triage for a person.

use super::boot::{heading, item};
use super::style::{Style, paint};
use crate::cli::triage::Found;
use facts::Known;
use watch::triage::{Finding, Harm};

/// The whole text.
pub fn text(found: &Found) -> String {
    let mut out = String::new();
    let report = &found.report;
    item(&mut out, "", &paint(Style::Bold, &report.summary));
    for check in &report.checks {
        let (word, style) = match check.finding {
            Finding::Good => ("good", Style::Green),
            Finding::NotChecked => ("?   ", Style::Dim),
            Finding::Odd => ("odd ", Style::Yellow),
            Finding::Bad => ("BAD ", Style::Red),
        };
        item(
            &mut out,
            &format!("  {}  {:<10} ", paint(style, word), check.name),
            &check.text,
        );
    }
    heading(&mut out, "Next, the least harmful first");
    for (number, step) in report.steps.iter().enumerate() {
        let harm = match step.harm {
            Harm::None => "looks only",
            Harm::Gentle => "gentle",
            Harm::Restart => "restarts the guest",
            Harm::PowerCut => "cuts the guest's power",
        };
        out.push_str(&format!(
            "  {}. {}\n",
            number + 1,
            paint(Style::Bold, &step.command)
        ));
        item(&mut out, "     ", &format!("{harm}: {}", step.why));
    }
    heading(&mut out, "Not");
    for (what, why) in &report.not {
        item(&mut out, "  - ", &format!("{what}: {why}"));
    }
    if let Known::Known(lines) = &found.vitals.console {
        heading(&mut out, "The end of its console");
        for line in lines {
            out.push_str(&format!("  | {line}\n"));
        }
    }
    if !found.vitals.log.is_empty() {
        heading(&mut out, "The end of QEMU's log");
        for line in found.vitals.log.iter().rev().take(4).rev() {
            out.push_str(&format!("  | {line}\n"));
        }
    }
    if !found.events.is_empty() {
        heading(&mut out, "Recent events");
        for (time, message) in &found.events {
            item(&mut out, &format!("  {time}  "), message);
        }
    }
    if !found.not_checked.is_empty() {
        heading(&mut out, "Not checked");
        for (source, reason) in &found.not_checked {
            item(&mut out, "  - ", &format!("{source}: {reason}"));
        }
    }
    out
}
