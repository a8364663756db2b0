//! `nofail model`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};

/// Flags of `nofail model`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail model --site site.toml                      every component and what it needs
  nofail model --site site.toml --format dot | dot -Tsvg > site.svg
  nofail model --site site.toml --format mermaid")]
pub struct Args {
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    let known = [Format::Human, Format::Json, Format::Dot, Format::Mermaid];
    format.only("model", &known)?;
    let model = Model::read(&args.common.input)?;
    match format {
        Format::Json => wire::print(&wire::model::Document::of(&model))?,
        Format::Dot => render::print(&render::model::dot(&model))?,
        Format::Mermaid => render::print(&render::model::mermaid(&model))?,
        _ => render::print(&render::model::text(&model, args.common.why))?,
    }
    Ok(Exit::Good)
}
