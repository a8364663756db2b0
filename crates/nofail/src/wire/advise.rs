//! `nofail.advise/1`.

use super::not_checked::{NotChecked, not_checked};
use crate::cli::graph::Model;
use crate::render::advise::mend;
use analysis::impact::advise::Advised;
use model::graph::Index;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    service: String,
    probability: f64,
    known: usize,
    ranked: Vec<Advice>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Advice {
    component: String,
    probability: f64,
    birnbaum: f64,
    fussell_vesely: f64,
    mend: &'static str,
}

impl<'a> Document<'a> {
    /// Of the advice.
    pub fn of(model: &'a Model, service: Index, advised: &Advised) -> Self {
        Self {
            schema: "nofail.advise/1",
            service: model.name(service),
            probability: advised.probability,
            known: advised.known,
            ranked: advised
                .ranked
                .iter()
                .map(|a| Advice {
                    component: model.name(a.index),
                    probability: a.probability,
                    birnbaum: a.birnbaum,
                    fussell_vesely: a.fussell_vesely,
                    mend: mend(model.graph.component(a.index).kind),
                })
                .collect(),
            not_checked: not_checked(model),
        }
    }
}
