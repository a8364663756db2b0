//! `nofail.model/1`.

use crate::cli::graph::Model;
use facts::Evidence;
use model::graph::{Clause, Start};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    components: Vec<Component<'a>>,
}

/// One component.
#[derive(Debug, Serialize)]
struct Component<'a> {
    name: String,
    kind: &'static str,
    host: Option<&'a str>,
    start: &'static str,
    mttf_hours: Option<f64>,
    needs: Vec<Need<'a>>,
}

/// One need: at least `k` of `of`.
#[derive(Debug, Serialize)]
pub struct Need<'a> {
    k: u32,
    of: Vec<String>,
    running: bool,
    cold: bool,
    at_boot: bool,
    why: &'a str,
    evidence: Option<&'a Evidence>,
}

impl<'a> Need<'a> {
    /// Of a clause.
    pub fn of(model: &Model, clause: &'a Clause) -> Self {
        Self {
            k: clause.k,
            of: model.names(&clause.members),
            running: clause.regimes.running,
            cold: clause.regimes.cold,
            at_boot: clause.at_boot,
            why: &clause.why.text,
            evidence: clause.why.evidence.as_deref(),
        }
    }
}

impl<'a> Document<'a> {
    /// The whole graph.
    pub fn of(model: &'a Model) -> Self {
        let graph = &model.graph;
        let component = |c: &'a model::graph::Component| Component {
            name: c.full_name(),
            kind: c.kind.name(),
            host: c.host.as_deref(),
            start: match c.start {
                Start::Itself => "itself",
                Start::Person => "person",
            },
            mttf_hours: c.mttf_hours,
            needs: graph
                .clauses(c.index)
                .iter()
                .map(|n| Need::of(model, n))
                .collect(),
        };
        Self {
            schema: "nofail.model/1",
            components: graph.components().iter().map(component).collect(),
        }
    }
}
