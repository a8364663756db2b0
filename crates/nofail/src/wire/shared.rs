//! `nofail.shared/1`.

use super::not_checked::{NotChecked, not_checked};
use crate::cli::graph::Model;
use crate::cli::shared::{self, Answer};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    groups: Vec<Group>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Group {
    group: String,
    need: u32,
    members: Vec<String>,
    shares: bool,
    running: Regime,
    cold: Regime,
    /// A cold start in which a person mounts again what a boot tried too early.
    cold_with_a_hand: Regime,
}

#[derive(Debug, Serialize)]
struct Regime {
    /// Down (or never up) with nothing broken.
    always: bool,
    single: Vec<String>,
    /// Single ones that twins have in common by being twins: VLANs, services.
    in_common: Vec<String>,
    pairs: Vec<Vec<String>>,
}

impl Regime {
    fn of(model: &Model, found: &analysis::impact::shared::Shared) -> Self {
        let common = |i: &model::graph::Index| shared::common(model.graph.component(*i).kind);
        let (in_common, single): (Vec<_>, Vec<_>) = found.single.iter().partition(|i| common(i));
        Self {
            always: found.always,
            single: model.names(&single),
            in_common: model.names(&in_common),
            pairs: found.pairs.iter().map(|p| model.names(p)).collect(),
        }
    }
}

impl<'a> Document<'a> {
    /// Of the answers.
    pub fn of(model: &'a Model, answers: &[Answer]) -> Self {
        let group = |a: &Answer| {
            let clauses = model.graph.clauses(a.group);
            Group {
                group: model.name(a.group),
                need: clauses.first().map_or(0, |c| c.k),
                members: clauses
                    .iter()
                    .flat_map(|c| model.names(&c.members))
                    .collect(),
                shares: a.shares(model),
                running: Regime::of(model, &a.running),
                cold: Regime::of(model, &a.cold),
                cold_with_a_hand: Regime::of(model, &a.again),
            }
        };
        Self {
            schema: "nofail.shared/1",
            groups: answers.iter().map(group).collect(),
            not_checked: not_checked(model),
        }
    }
}
