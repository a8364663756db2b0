//! `nofail incident FILE`: the action items of a post-mortem, measured.

use super::{Exit, Format};
use crate::input::Input;
use crate::{render, wire};
use anyhow::Context;
use facts::Evidence;
use rules::incident::{Id, Incident, Measured, State, measure};
use serde::Serialize;
use std::path::PathBuf;

/// Flags of `nofail incident`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 all items hold or are confirmed; 1 one is broken or expired; 3 nothing but
not-checked items are left.

Example:
  nofail incident examples/incident-2026-04-13/incident.toml")]
pub struct Args {
    /// The incident's file; its `site` says what to read where no flag does.
    pub file: PathBuf,
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    incident: &'a str,
    title: &'a str,
    items: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a Id,
    text: &'a str,
    state: &'a str,
    temporary: bool,
    reasons: &'a [String],
    evidence: &'a [Evidence],
}

/// Runs the command.
///
/// # Errors
/// The incident's file or what it names cannot be read.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("incident", &[Format::Human, Format::Json, Format::Markdown])?;
    let file = args.file.display().to_string();
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {file}"))?;
    let incident = Incident::parse(&text).map_err(|error| anyhow::anyhow!("{file}:{error}"))?;
    let mut input = args.input.clone();
    if input.is_default()
        && let Some(site) = &incident.site
    {
        input.site = Some(args.file.parent().unwrap_or("".as_ref()).join(site));
    }
    let estate = input.estate()?;
    let items = measure(&incident, &estate, jiff::Zoned::now().date());
    match format {
        Format::Json => wire::print(&Document {
            schema: "nofail.incident/1",
            incident: &incident.id,
            title: &incident.title,
            items: items.iter().map(row).collect(),
        })?,
        Format::Markdown => render::incident::markdown(&incident, &items)?,
        _ => render::incident::human(&incident, &items)?,
    }
    Ok(exit(&items))
}

fn row(item: &Measured) -> Row<'_> {
    Row {
        id: &item.id,
        text: &item.text,
        state: item.state.name(),
        temporary: item.temporary,
        reasons: &item.reasons,
        evidence: &item.evidence,
    }
}

fn exit(items: &[Measured]) -> Exit {
    let any = |states: &[State]| items.iter().any(|i| states.contains(&i.state));
    if any(&[State::Broken, State::Expired]) {
        Exit::Found
    } else if any(&[State::NotChecked]) {
        Exit::Unsafe
    } else {
        Exit::Good
    }
}
