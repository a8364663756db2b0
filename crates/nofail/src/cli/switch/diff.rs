//! `nofail switch diff BEFORE AFTER`.

use super::{Exit, Format, captures};
use crate::render::output;
use crate::render::style::{Style, paint};
use crate::wire;
use ::facts::switch::Place;
use ::facts::switch::diff::{Change, Diff, Effect, diff};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

/// Flags of `nofail switch diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Time stamps, sizes and certificates are no change. Exit code 0: no change, 1: changes.

Examples:
  nofail switch diff sw-01.monday.txt sw-01.tuesday.txt
  nofail switch diff before/ after/        directories: the captures in each, joined")]
pub struct Args {
    /// The earlier capture, or a directory of captures.
    pub before: PathBuf,
    /// The later one.
    pub after: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A capture that cannot be read, or that is no IOS text.
pub(super) fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("switch diff", &[Format::Human, Format::Json])?;
    let before = captures(std::slice::from_ref(&args.before))?;
    let after = captures(std::slice::from_ref(&args.after))?;
    let found = diff(&before, &after);
    let name = after.name.or(before.name);
    match format {
        Format::Json => wire::print(&document(name.as_deref(), &found))?,
        _ => human(name.as_deref(), &found)?,
    }
    Ok(if found.changes.is_empty() {
        Exit::Good
    } else {
        Exit::Found
    })
}

fn document(name: Option<&str>, found: &Diff) -> Value {
    let place = |place: &Option<Place>| {
        place
            .as_ref()
            .map(|p| json!({"file": p.file, "line": p.line, "text": p.text, "command": p.command}))
    };
    let change = |change: &Change| {
        json!({
            "kind": change.kind,
            "effect": change.effect.name(),
            "subject": change.subject,
            "message": change.message,
            "before": place(&change.before),
            "after": place(&change.after),
        })
    };
    let missing = |(what, reason): &(String, String)| json!({"what": what, "reason": reason});
    json!({
        "schema": "nofail.switch-diff/1",
        "switch": name,
        "changes": found.changes.iter().map(change).collect::<Vec<_>>(),
        "not_compared": found.not_compared.iter().map(missing).collect::<Vec<_>>(),
    })
}

fn human(name: Option<&str>, found: &Diff) -> std::io::Result<()> {
    let mut out = output::stdout();
    if let Some(name) = name {
        writeln!(out, "── {} ──", paint(Style::Bold, name))?;
    }
    for change in &found.changes {
        let (style, sign) = match change.effect {
            Effect::Loss => (Style::Red, "-"),
            Effect::Change => (Style::Yellow, "~"),
            Effect::Gain => (Style::Green, "+"),
        };
        writeln!(out, "{} {}", paint(style, sign), change.message)?;
        for (side, place) in [("before", &change.before), ("after", &change.after)] {
            if let Some(place) = place {
                let at = format!(
                    "    {side:>6}: {}:{}: {}",
                    place.file,
                    place.line,
                    place.text.trim()
                );
                writeln!(out, "{}", paint(Style::Dim, &at))?;
            }
        }
    }
    if !found.not_compared.is_empty() {
        writeln!(out, "── not compared ──")?;
        for (what, reason) in &found.not_compared {
            writeln!(out, "  {what}: {reason}")?;
        }
    }
    let count = |effect| found.changes.iter().filter(|c| c.effect == effect).count();
    match found.changes.len() {
        0 => writeln!(out, "no change in meaning"),
        _ => writeln!(
            out,
            "{} lost, {} changed, {} gained",
            count(Effect::Loss),
            count(Effect::Change),
            count(Effect::Gain)
        ),
    }
}
