//! `nofail rules` and `nofail rules show ID`.

use super::{Exit, Format};
use crate::render::output;
use crate::wire;
use anyhow::bail;
use clap::Subcommand;
use rules::{Remedy, Rule, registry};
use serde::Serialize;
use std::io::Write;

/// Flags of `nofail rules`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do; lists the rules where not given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show the page of one rule.
    Show {
        /// The rule: `fstab/missing-nofail`.
        id: String,
    },
}

#[derive(Serialize)]
struct List<'a> {
    schema: &'static str,
    rules: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    summary: &'a str,
    remedy: &'a str,
    needs: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
}

fn row(rule: &Rule, page: bool) -> Row<'_> {
    Row {
        id: rule.id,
        summary: rule.summary,
        remedy: remedy(rule.remedy),
        needs: rule.needs.iter().map(|s| s.name()).collect(),
        page: page.then_some(rule.doc),
    }
}

fn remedy(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Safe => "safe",
        Remedy::Unsafe => "unsafe",
        Remedy::Shown => "shown",
    }
}

/// Runs the command.
///
/// # Errors
/// No such rule.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("rules", &[Format::Human, Format::Json])?;
    let mut out = output::stdout();
    match &args.action {
        None if format == Format::Json => wire::print(&List {
            schema: "nofail.rules/1",
            rules: registry::ALL.iter().map(|r| row(r, false)).collect(),
        })?,
        None => {
            for rule in registry::ALL {
                writeln!(out, "{:<42} {}", rule.id, rule.summary)?;
            }
        }
        Some(Action::Show { id }) => {
            let Some(rule) = registry::find(id) else {
                let near = registry::ALL
                    .iter()
                    .min_by_key(|r| strsim::damerau_levenshtein(r.id, id))
                    .map_or("", |r| r.id);
                bail!("no rule `{id}`; the nearest is `{near}`, `nofail rules` lists them all");
            };
            if format == Format::Json {
                wire::print(&List {
                    schema: "nofail.rules/1",
                    rules: vec![row(rule, true)],
                })?;
            } else {
                writeln!(out, "# {}\n\n{}.\n", rule.id, rule.summary)?;
                writeln!(out, "{}", rule.doc.trim_end())?;
            }
        }
    }
    Ok(Exit::Good)
}
