//! What to mend first, as a person sees it.

use super::boot::item;
use super::evidence::path;
use crate::cli::graph::Model;
use crate::cli::shared::common;
use analysis::impact::advise::{Advised, EQUAL};
use model::graph::{Index, Kind, Regime};
use std::fmt::Write as _;

/// So many rows are shown.
const ROWS: usize = 10;

/// What would take a component out of the way.
pub fn mend(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "put a member on another host",
        Kind::Nas | Kind::Export | Kind::Mount => "move the disk to local storage",
        Kind::Switch | Kind::SwitchPort | Kind::Uplink => "a second uplink, to another switch",
        Kind::Power => "a second feed",
        Kind::Guest => "one more member of its group",
        Kind::Disk => "a disk of its own for each member",
        Kind::Bridge | Kind::Network => "an uplink of its own for each member",
        Kind::Name | Kind::NameServer => "an address instead of the name",
        Kind::Vlan | Kind::Service | Kind::Group | Kind::Bmc => "keep it as it is",
    }
}

/// The whole text.
pub fn text(model: &Model, service: Index, advised: &Advised, why: bool) -> String {
    let mut out = String::new();
    let name = model.name(service);
    let _ = writeln!(out, "{name}: what its mend is worth, the most first");
    let basis = if advised.known == 0 {
        format!("no mttf_hours in site.toml: every component is taken as down {EQUAL} of the time")
    } else {
        format!(
            "{} components have mttf_hours in site.toml; the others are taken as down {EQUAL} of the time",
            advised.known
        )
    };
    item(&mut out, "  ", &basis);
    let _ = writeln!(out, "\n  {:>6}  {:<38}  mend", "share", "component");
    let kind = |i: Index| model.graph.component(i).kind;
    let ranked: Vec<_> = advised
        .ranked
        .iter()
        .filter(|a| !common(kind(a.index)))
        .collect();
    for advice in ranked.iter().take(ROWS) {
        let share = advice.fussell_vesely * 100.0;
        let label = format!("  {share:>5.1}%  {:<38}  ", model.name(advice.index));
        item(&mut out, &label, mend(kind(advice.index)));
        if why {
            path(&mut out, model, service, advice.index, Regime::Running);
        }
    }
    if ranked.len() > ROWS {
        let _ = writeln!(
            out,
            "  and {} more (--format json has them all)",
            ranked.len() - ROWS
        );
    }
    let _ = writeln!(
        out,
        "\n  share: the part of {name}'s outages in which it has a hand (Fussell-Vesely)"
    );
    out
}
