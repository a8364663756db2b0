//! `nofail shared`.

use super::graph::{Common, Model};
use super::{Exit, Format};
use crate::{render, wire};
use analysis::impact::faults::Assume;
use analysis::impact::shared::{Shared, shared_all};
use anyhow::bail;
use model::graph::{Index, Kind, Regime};

/// Flags of `nofail shared`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nofail shared --site site.toml                     every HA group
  nofail shared wlc --site site.toml --why           one, with the chain of evidence

Exit code: 0 no group shares a failure domain, 1 some group does, 2 could not run. A VLAN or a
service that all members need is told, and does not count: twins have these in common.")]
pub struct Args {
    /// The HA group; any other component works as well.
    pub group: Option<String>,
    /// Where to read from, and `--why`.
    #[command(flatten)]
    pub common: Common,
}

/// The answer for one group.
#[derive(Debug)]
pub struct Answer {
    /// The group.
    pub group: Index,
    /// While everything runs.
    pub running: Shared,
    /// In a cold start as it goes by itself.
    pub cold: Shared,
    /// In a cold start in which a person mounts again what a boot tried too early.
    pub again: Shared,
}

impl Answer {
    /// Whether something fails its members together that twins need not have in common.
    pub fn shares(&self, model: &Model) -> bool {
        let counts = |i: &Index| !common(model.graph.component(*i).kind);
        let all = [&self.running, &self.cold, &self.again];
        self.cold.always || all.iter().any(|s| s.single.iter().any(counts))
    }
}

/// What twins have in common by being twins.
pub fn common(kind: Kind) -> bool {
    matches!(kind, Kind::Vlan | Kind::Service | Kind::Group)
}

/// Runs the command.
///
/// # Errors
/// What the user named cannot be used, or the graph is too large for exact cut sets.
pub fn run(args: &Args, format: Format) -> anyhow::Result<Exit> {
    format.only("shared", &[Format::Human, Format::Json])?;
    let model = Model::read(&args.common.input)?;
    let groups: Vec<Index> = match &args.group {
        Some(name) => vec![model.pick(name, &[Kind::Group, Kind::Service])?],
        None => {
            let all = model.graph.components().iter();
            let mut groups: Vec<_> = all.filter(|c| c.kind == Kind::Group).collect();
            groups.sort_by(|a, b| a.name.cmp(&b.name));
            groups.iter().map(|c| c.index).collect()
        }
    };
    if groups.is_empty() {
        bail!(
            "no HA group is known: name them in site.toml ([groups.NAME], or group = in a guest)"
        );
    }
    let itself = Assume {
        dead: model.held(),
        again: false,
    };
    let by_hand = Assume {
        again: true,
        ..itself.clone()
    };
    let ask = |regime, assume: &Assume| shared_all(&model.graph, &groups, regime, assume);
    let running = ask(Regime::Running, &Assume::default())?;
    let cold = ask(Regime::Cold, &itself)?;
    let again = ask(Regime::Cold, &by_hand)?;
    let answers: Vec<Answer> = groups
        .into_iter()
        .zip(running)
        .zip(cold.into_iter().zip(again))
        .map(|((group, running), (cold, again))| Answer {
            group,
            running,
            cold,
            again,
        })
        .collect();
    match format {
        Format::Json => wire::print(&wire::shared::Document::of(&model, &answers))?,
        _ => render::print(&render::shared::text(&model, &answers, args.common.why))?,
    }
    let found = answers.iter().any(|a| a.shares(&model));
    Ok(if found { Exit::Found } else { Exit::Good })
}
