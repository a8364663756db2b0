//! What the commands over the dependency graph share: building it, finding a component by the
//! name that a person types, and what boot prediction holds down.

use super::boot::conditions;
use crate::input::Input;
use analysis::boot::{Boot, Outcome, predict};
use anyhow::bail;
use facts::Source;
use model::Estate;
use model::graph::{Graph, Index, Kind, build};
use std::collections::{BTreeMap, HashSet};

/// Flags of every command over the graph.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Where to read from.
    #[command(flatten)]
    pub input: Input,
    /// Show the chain of evidence behind every answer.
    #[arg(long)]
    pub why: bool,
}

/// The site as a graph, with the next boot of each of its hosts.
#[derive(Debug)]
pub struct Model {
    /// What was read.
    pub estate: Estate,
    /// The graph.
    pub graph: Graph,
    /// The next boot of each host whose fstab was read.
    pub boots: BTreeMap<String, Boot>,
}

impl Model {
    /// Reads and builds.
    ///
    /// # Errors
    /// What the user named cannot be used, or no host was read.
    pub fn read(input: &Input) -> anyhow::Result<Self> {
        Self::of(input.estate()?)
    }

    /// Builds from what was read.
    ///
    /// # Errors
    /// No host was read.
    pub fn of(estate: Estate) -> anyhow::Result<Self> {
        if estate.hosts.is_empty() && estate.site.is_none() {
            bail!("no host was read, and there is no site.toml: there is nothing to build on");
        }
        for missing in &estate.not_read {
            eprintln!(
                "nofail: not read: {} ({}): {}; what only it would tell is missing here",
                missing.host, missing.source, missing.reason
            );
        }
        let read = |h: &&facts::Snapshot| h.why_unread(Source::Fstab).is_none();
        let boots = estate
            .hosts
            .iter()
            .filter(read)
            .map(|h| (h.host.clone(), predict(h, &conditions(&estate, h, &[]))))
            .collect();
        let graph = build(&estate);
        Ok(Self {
            estate,
            graph,
            boots,
        })
    }

    /// Hosts whose next boot stops in emergency mode.
    pub fn held(&self) -> HashSet<Index> {
        let stops = |(_, boot): &(&String, &Boot)| boot.outcome == Outcome::Emergency;
        self.boots
            .iter()
            .filter(stops)
            .filter_map(|(host, _)| self.graph.find(&format!("host:{host}")))
            .collect()
    }

    /// Those of some components that are hosts of which nothing was read, each with the reason:
    /// what they carry is not known, beyond what site.toml says.
    pub fn unread(&self, of: &[Index]) -> Vec<(&str, &str)> {
        let mut unread = Vec::new();
        for component in of.iter().map(|i| self.graph.component(*i)) {
            let read = self.estate.hosts.iter().any(|h| h.host == component.name);
            if component.kind != Kind::Host || read {
                continue;
            }
            let mut why = self.estate.not_read.iter();
            let reason = why
                .find(|n| n.host == component.name)
                .map_or("site.toml alone names it", |n| n.reason.as_str());
            unread.push((component.name.as_str(), reason));
        }
        unread
    }

    /// The one component that a person names: `bind-01`, or `guest:bind-01`. `first` are kinds
    /// that win where a bare name fits several.
    ///
    /// # Errors
    /// No component of that name, or several.
    pub fn pick(&self, name: &str, first: &[Kind]) -> anyhow::Result<Index> {
        let found = self.graph.lookup(name);
        let of_kind = |kind: &Kind| {
            let mut fit = found
                .iter()
                .filter(|i| self.graph.component(**i).kind == *kind);
            fit.next().copied()
        };
        if let Some(index) = first.iter().find_map(of_kind) {
            return Ok(index);
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => bail!(
                "no component is called `{name}`{}",
                self.nearest(name, first)
            ),
            several => bail!(
                "`{name}` may be {}: give the full name",
                self.names(several).join(" or ")
            ),
        }
    }

    /// The name most like the one that was typed; among equals one of the kinds `first`.
    fn nearest(&self, name: &str, first: &[Kind]) -> String {
        let bare = name.split_once(':').map_or(name, |(_, bare)| bare);
        let near = self
            .graph
            .components()
            .iter()
            .map(|c| {
                (
                    strsim::jaro_winkler(&c.name, bare),
                    first.contains(&c.kind),
                    c,
                )
            })
            .filter(|(likeness, ..)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near.map_or_else(
            || "; `nofail model` lists all".to_owned(),
            |(.., c)| format!("; did you mean {}?", c.full_name()),
        )
    }

    /// Full names.
    pub fn names(&self, of: &[Index]) -> Vec<String> {
        of.iter().map(|i| self.name(*i)).collect()
    }

    /// The full name of a component.
    pub fn name(&self, index: Index) -> String {
        self.graph.component(index).full_name()
    }
}
