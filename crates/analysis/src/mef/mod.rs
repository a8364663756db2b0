//! Reads fault trees in the Open-PSA Model Exchange Format (MEF), XML.
//!
//! What is read: fault trees with components, gates with nested formulas, house events, basic
//! events, parameters, model data, over any number of files, with the scoping rules of the format
//! (public names are global, private ones belong to their container and are reached by path).
//! What has no bearing on a fault tree's cut sets (event trees, initiating events, common-cause
//! groups, labels, attributes) is passed over. Substitutions, external functions and included
//! files would change the result and are refused.
//!
//! Source: Open-PSA Model Exchange Format 2.0d, and where it leaves room, what SCRAM accepts.
//! This module is pure: it takes names and texts, and gives positions in its errors.

mod build;
mod expression;
mod read;
#[cfg(test)]
mod tests;

use crate::cutsets::{Arg, EventId, FaultTree, GateId};

pub use expression::DEFAULT_MISSION_TIME;

/// A malformed file: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct MefError {
    /// The name that the file was given with.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Why no top event could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopError {
    /// The model has no gate.
    #[error("the model defines no gate")]
    NoGate,
    /// Several gates are referenced by no other.
    #[error(
        "several gates are referenced by no other gate: {}; choose one with --top NAME",
        roots.join(", ")
    )]
    Several {
        /// Their names.
        roots: Vec<String>,
    },
    /// No gate of the asked-for name.
    #[error("the model has no gate {name:?}; its top gates are: {}", roots.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The gates that no other references.
        roots: Vec<String>,
    },
}

/// A model: its fault trees as one graph, and what is known of probabilities.
#[derive(Debug, Clone)]
pub struct Model {
    /// The model's name, if it has one.
    pub name: Option<String>,
    /// All gates and basic events. A private element has its full path for a name.
    pub tree: FaultTree,
    /// The gates that have a name of their own, with their full paths, in the files' order.
    named: Vec<(GateId, String)>,
    /// The named gates that no other gate references.
    roots: Vec<GateId>,
    expressions: expression::Table,
    /// For each basic event its expression, if it has one.
    event_expressions: Vec<Option<expression::ExprId>>,
}

/// Reads a model from its files: pairs of name and text.
///
/// # Errors
/// The first thing that is malformed, undefined, defined twice or circular.
pub fn parse(files: &[(String, String)]) -> Result<Model, MefError> {
    build::build(&read::read(files)?)
}

impl Model {
    /// The gates that no other gate references.
    pub fn roots(&self) -> &[GateId] {
        &self.roots
    }

    /// The gate called `name` (a name or a full path), or the only root if no name is given.
    ///
    /// # Errors
    /// No such gate, or several roots to choose from.
    pub fn top(&self, name: Option<&str>) -> Result<GateId, TopError> {
        let roots = || {
            self.roots
                .iter()
                .map(|&gate| self.gate_name(gate).to_owned())
                .collect()
        };
        match (name, self.roots.as_slice()) {
            (Some(name), _) => {
                let by_name = |(gate, path): &&(GateId, String)| {
                    path == name || self.gate_name(*gate) == name
                };
                let found = self.named.iter().find(by_name);
                found
                    .map(|(gate, _)| *gate)
                    .ok_or_else(|| TopError::Unknown {
                        name: name.to_owned(),
                        roots: roots(),
                    })
            }
            (None, [only]) => Ok(*only),
            (None, []) => Err(TopError::NoGate),
            (None, _) => Err(TopError::Several { roots: roots() }),
        }
    }

    /// The name of a gate.
    pub fn gate_name(&self, gate: GateId) -> &str {
        self.tree
            .gates()
            .get(gate.0 as usize)
            .map_or("", |gate| gate.name.as_str())
    }

    /// The name of a basic event.
    pub fn event_name(&self, event: EventId) -> &str {
        self.tree
            .events()
            .get(event.0 as usize)
            .map_or("", String::as_str)
    }

    /// The probability of each basic event after `mission_time` hours; none where the model gives
    /// no expression or one that is not understood.
    pub fn probabilities(&self, mission_time: f64) -> Vec<Option<f64>> {
        let values = self
            .expressions
            .evaluate(&self.event_expressions, mission_time);
        let probability = |value: Option<f64>| value.filter(|v| (0.0..=1.0).contains(v));
        values.into_iter().map(probability).collect()
    }
}

/// The argument that a name stands for, once resolved.
type Target = Arg;
