//! `nofail order`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};
use analysis::impact::order::order;
use model::graph::Kind;

/// Flags of `nofail order`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail order --site site.toml                      after a full power loss of the site
  nofail order kvm-01 --site site.toml               the guests of one host only

Exit code: 0 everything starts, 1 something waits for itself or a host stops in emergency mode,
2 could not run.")]
pub struct Args {
    /// Show only this host's part.
    #[arg(id = "only", value_name = "HOST")]
    pub host: Option<String>,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("order", &[Format::Human, Format::Json])?;
    let model = Model::read(&args.common.input)?;
    let host = args
        .host
        .as_deref()
        .map(|name| model.pick(name, &[Kind::Host]))
        .transpose()?;
    let host = host.map(|i| model.graph.component(i).name.clone());
    let order = order(&model.graph);
    let plan = render::order::Plan::of(&model, &order, host.as_deref());
    match format {
        Format::Json => wire::print(&wire::order::Document::of(&model, &order, &plan))?,
        _ => render::print(&render::order::text(&model, &order, &plan, args.common.why))?,
    }
    let whole = order.stuck.is_empty() && order.doomed.is_empty() && model.held().is_empty();
    Ok(if whole { Exit::Good } else { Exit::Found })
}
