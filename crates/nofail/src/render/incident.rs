//! A measured incident for a person and for a report.

use super::output;
use super::style::{Style, paint};
use facts::Evidence;
use rules::incident::{Incident, Measured, State};
use std::io::{self, Write};

/// Prints the items with their states, for a terminal.
///
/// # Errors
/// Standard output cannot be written.
pub fn human(incident: &Incident, items: &[Measured]) -> io::Result<()> {
    let mut out = output::stdout();
    let title = format!("{} {}", incident.id, incident.title);
    writeln!(out, "{}\n", paint(Style::Bold, title.trim()))?;
    for item in items {
        let style = match item.state {
            State::Holds | State::Confirmed => Style::Green,
            State::Broken | State::Expired => Style::Red,
            State::NotChecked => Style::Yellow,
        };
        let state = paint(style, &format!("{:<11}", item.state.name()));
        let mark = if item.temporary {
            " (temporary change)"
        } else {
            ""
        };
        writeln!(
            out,
            "{:>4}  {state}  {}{mark}",
            item.id.to_string(),
            item.text
        )?;
        for reason in &item.reasons {
            writeln!(out, "                   {}", paint(Style::Dim, reason))?;
        }
    }
    writeln!(out, "\n{}", counts(items))
}

/// Prints the items as Markdown, for the report.
///
/// # Errors
/// Standard output cannot be written.
pub fn markdown(incident: &Incident, items: &[Measured]) -> io::Result<()> {
    let mut out = output::stdout();
    writeln!(out, "# {} {}\n", incident.id, incident.title)?;
    if !incident.timeline.is_empty() {
        writeln!(out, "## Time-line\n")?;
        for moment in &incident.timeline {
            writeln!(out, "- **{}** {}", moment.at, moment.text)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## Action items, measured\n")?;
    writeln!(out, "| # | state | item | why |\n|---|---|---|---|")?;
    for item in items {
        let why: Vec<String> = item
            .reasons
            .iter()
            .cloned()
            .chain(item.evidence.iter().map(place))
            .map(|text| text.replace('|', "\\|").replace('\n', " "))
            .collect();
        let (id, state) = (&item.id, item.state.name());
        writeln!(
            out,
            "| {id} | {state} | {} | {} |",
            item.text,
            why.join("<br>")
        )?;
    }
    writeln!(out, "\n{}", counts(items))
}

fn place(evidence: &Evidence) -> String {
    let line = evidence.line.map_or_else(String::new, |l| format!(":{l}"));
    let text = evidence.text.as_deref().unwrap_or("").trim();
    format!("`{}{line}` {}", evidence.file, text.replace('`', "'"))
}

fn counts(items: &[Measured]) -> String {
    let parts: Vec<String> = [
        State::Broken,
        State::Expired,
        State::NotChecked,
        State::Confirmed,
        State::Holds,
    ]
    .into_iter()
    .map(|state| (items.iter().filter(|i| i.state == state).count(), state))
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {}", state.name()))
    .collect();
    format!("{} items: {}", items.len(), parts.join(", "))
}
