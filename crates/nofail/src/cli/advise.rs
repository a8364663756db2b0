//! `nofail advise`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};
use analysis::impact::advise::advise;
use model::graph::{Kind, Regime};

/// Flags of `nofail advise`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nofail advise wireless --site site.toml

A component with mttf_hours in site.toml is weighed by it (and a repair of 4 hours), the others
all alike: then their place in the structure alone ranks them.")]
pub struct Args {
    /// The service; any other component works as well.
    pub service: String,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or the graph is too large for exact cut sets.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("advise", &[Format::Human, Format::Json])?;
    let model = Model::read(&args.common.input)?;
    let service = model.pick(&args.service, &[Kind::Service, Kind::Group, Kind::Guest])?;
    let advised = advise(&model.graph, service, Regime::Running)?;
    match format {
        Format::Json => wire::print(&wire::advise::Document::of(&model, service, &advised))?,
        _ => render::print(&render::advise::text(
            &model,
            service,
            &advised,
            args.common.why,
        ))?,
    }
    Ok(Exit::Good)
}
