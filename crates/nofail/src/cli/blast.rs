//! `nofail blast`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};
use analysis::impact::blast::blast_from;
use analysis::impact::reboot::down_now;
use model::graph::{Index, Kind};

/// Flags of `nofail blast`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail blast nas-01 --site site.toml               what goes down with the NAS
  nofail blast kvm-01 nas-01 --site site.toml --why  both at once, with the evidence
  nofail blast bind-01 --now --site site.toml        as things stand: guests that are off stay off

Exit code: 0 nothing else is lost, 1 something is, 2 could not run (or nothing is known of what
fails: a host that was not read).")]
pub struct Args {
    /// What fails: `kvm-01`, `nas-01`, `guest:bind-01`, `power:ups-a`.
    #[arg(required = true, value_name = "COMPONENT")]
    pub components: Vec<String>,
    /// Begin with the guests that do not run now; without it everything is taken as up.
    #[arg(long)]
    pub now: bool,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or is no component.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("blast", &[Format::Human, Format::Json])?;
    let model = Model::read(&args.common.input)?;
    let first = [Kind::Host, Kind::Guest, Kind::Nas, Kind::Switch];
    let failed: Vec<Index> = args
        .components
        .iter()
        .map(|name| model.pick(name, &first))
        .collect::<anyhow::Result<_>>()?;
    let down = if args.now {
        down_now(&model.graph, &model.estate)
    } else {
        Vec::new()
    };
    let blast = blast_from(&model.graph, &failed, &down, &model.held());
    match format {
        Format::Json => wire::print(&wire::blast::Document::of(&model, &failed, &blast))?,
        _ => render::print(&render::blast::text(
            &model,
            &failed,
            &blast,
            args.common.why,
        ))?,
    }
    let known = model.unread(&failed).is_empty();
    let more = blast.lost.falls().len() > failed.len() || !blast.stays_lost.is_empty();
    Ok(match (more, known) {
        (true, _) => Exit::Found,
        (false, true) => Exit::Good,
        (false, false) => Exit::Failed,
    })
}
