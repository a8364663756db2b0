//! `nofail.blast/1`.

use super::model::Need;
use super::not_checked::{NotChecked, not_checked};
use crate::cli::graph::Model;
use analysis::impact::blast::{Blast, Reason};
use model::graph::Index;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    failed: Vec<String>,
    #[serde(flatten)]
    radius: Radius<'a>,
    not_checked: Vec<NotChecked<'a>>,
}

/// A blast radius, as `reboot-check` has it too.
#[derive(Debug, Serialize)]
pub struct Radius<'a> {
    lost: Vec<Lost<'a>>,
    stays_lost: Vec<Stays<'a>>,
    survives: Vec<Survives>,
}

#[derive(Debug, Serialize)]
struct Lost<'a> {
    component: String,
    /// The one whose fall took it down; `null` for those that failed by themselves.
    by: Option<String>,
    need: Option<Need<'a>>,
}

#[derive(Debug, Serialize)]
struct Stays<'a> {
    component: String,
    reason: &'static str,
    need: Option<Need<'a>>,
}

#[derive(Debug, Serialize)]
struct Survives {
    component: String,
    thanks_to: Vec<String>,
}

impl<'a> Radius<'a> {
    /// Of a blast.
    pub fn of(model: &'a Model, blast: &Blast) -> Self {
        let need = |i: Index, at: usize| Need::of(model, &model.graph.clauses(i)[at]);
        Self {
            lost: blast
                .lost
                .falls()
                .iter()
                .map(|fall| Lost {
                    component: model.name(fall.index),
                    by: fall.cause.map(|(_, by)| model.name(by)),
                    need: fall.cause.map(|(at, _)| need(fall.index, at)),
                })
                .collect(),
            stays_lost: blast
                .stays_lost
                .iter()
                .map(|(index, reason)| Stays {
                    component: model.name(*index),
                    reason: match reason {
                        Reason::Held => "held",
                        Reason::NeedsPerson => "needs-person",
                        Reason::Waits(_) => "waits",
                    },
                    need: match reason {
                        Reason::Waits(at) => Some(need(*index, *at)),
                        _ => None,
                    },
                })
                .collect(),
            survives: blast
                .survives
                .iter()
                .map(|(index, left)| Survives {
                    component: model.name(*index),
                    thanks_to: model.names(left),
                })
                .collect(),
        }
    }
}

impl<'a> Document<'a> {
    /// Of a blast.
    pub fn of(model: &'a Model, failed: &[Index], blast: &Blast) -> Self {
        Self {
            schema: "nofail.blast/1",
            failed: model.names(failed),
            radius: Radius::of(model, blast),
            not_checked: not_checked(model),
        }
    }
}
