//! Exact minimal cut sets of fault trees.
//!
//! A minimal cut set is a smallest set of basic events that together make the top event happen.
//! [`solve`] brings the tree into negation normal form, simplifies it, cuts it into modules, and
//! solves each module with decision diagrams: a BDD and its minimal solutions, or families of sets
//! (ZBDD) from the start, whichever ends first within a node budget. Sets are counted on the
//! diagram and listed only on demand, by order.
//!
//! Trees need not be written coherently: `not`, `xor` and the like are welcome as long as the
//! function as a whole is monotone, which is decided exactly. For a function that is not, no
//! minimal cut sets are defined (only prime implicants), and the answer is an error.
//!
//! Start reading at [`solve`]; `engine` chooses, `build` builds, `bdd` and `zbdd` are the diagrams.

mod bdd;
mod build;
mod count;
mod engine;
mod graph;
mod hash;
mod modules;
mod normal;
mod order;
mod probability;
mod reduce;
mod sets;
mod solution;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod zbdd;

use graph::{Graph, Kind};

pub use probability::Importance;
pub use sets::Sets;
pub use solution::Solution;
pub use tree::{Arg, EventId, FaultTree, Gate, GateId, Op};

/// Why no cut sets could be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CutSetError {
    /// A gate number that the tree does not have.
    #[error("the fault tree has no gate number {gate}")]
    NoSuchGate {
        /// The number.
        gate: u32,
    },
    /// A basic event number that the tree does not have.
    #[error("the fault tree has no basic event number {event}")]
    NoSuchEvent {
        /// The number.
        event: u32,
    },
    /// An operator with a wrong number of arguments.
    #[error("gate {gate:?} takes {expected} arguments, not {found}")]
    WrongArity {
        /// The gate's name.
        gate: String,
        /// How many arguments its operator takes.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// Gates that are their own cause.
    #[error("the gates form a circle: {}", gates.join(" -> "))]
    Cycle {
        /// The named gates on the circle; the first is repeated at the end.
        gates: Vec<String>,
    },
    /// The function is not monotone: an event that happens can prevent the top event.
    #[error(
        "the fault tree is not coherent: when {event:?} happens, that can prevent the top event; \
         minimal cut sets are defined for coherent trees only"
    )]
    NonCoherent {
        /// An event (or one below the module) that acts in the wrong direction.
        event: String,
    },
    /// The diagrams outgrew their budget.
    #[error(
        "the fault tree needs diagrams of more than {nodes} nodes; set an order limit (--max-order)"
    )]
    TooLarge {
        /// The budget.
        nodes: usize,
    },
    /// The helper thread with the larger stack could not be started.
    #[error("could not start a thread with a stack of {bytes} bytes")]
    NoStack {
        /// The stack's size.
        bytes: usize,
    },
    /// Wrong number of probabilities, or one that is none.
    #[error("{message}")]
    BadProbability {
        /// What is wrong.
        message: String,
    },
}

/// Limits of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Leave out minimal cut sets with more events than this. The rest stays exact.
    pub max_order: Option<u32>,
    /// The most nodes that one diagram may have: about 60 bytes each at the peak.
    pub max_nodes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_order: None,
            max_nodes: 24_000_000,
        }
    }
}

/// Modules with more inputs than this are solved on a thread with a stack of their own size.
const INPUTS_ON_THIS_STACK: usize = 500;
/// Stack for each level of a diagram: a few frames of the deepest recursion, unoptimised.
const STACK_PER_LEVEL: usize = 4096;

/// Finds the minimal cut sets of `top`.
///
/// # Errors
/// A circle, a wrong number of arguments, a function that is not monotone, or diagrams larger
/// than [`Options::max_nodes`]: see [`CutSetError`].
pub fn solve(
    tree: &FaultTree,
    top: impl Into<Arg>,
    options: &Options,
) -> Result<Solution, CutSetError> {
    let graph = reduce::reduce(normal::normalize(tree, top.into())?);
    if let Some(value) = graph.root.constant() {
        return Ok(Solution::constant(value, options));
    }
    if graph.root.negated() {
        let event = match graph.nodes[graph.root.node()].kind {
            Kind::Var(event) => tree.events()[event as usize].clone(),
            _ => String::new(),
        };
        return Err(CutSetError::NonCoherent { event });
    }
    let parts = modules::modules(with_gate_at_root(graph));
    let widest = parts.iter().map(|p| p.inputs.len()).max().unwrap_or(0);
    let run = || {
        let mut solved = Vec::with_capacity(parts.len());
        for part in parts {
            let module = engine::solve(part, &solved, options, tree.events())?;
            solved.push(module);
        }
        Ok(Solution::new(solved, options))
    };
    on_stack(widest, run)
}

/// Runs `work` with a stack that is deep enough for diagrams of so many levels.
pub(crate) fn on_stack<T: Send>(
    levels: usize,
    work: impl FnOnce() -> Result<T, CutSetError> + Send,
) -> Result<T, CutSetError> {
    if levels <= INPUTS_ON_THIS_STACK {
        return work();
    }
    let bytes = (1 << 20) + levels * STACK_PER_LEVEL;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(bytes)
            .spawn_scoped(scope, work)
            .map_err(|_| CutSetError::NoStack { bytes })?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A tree that is one event only gets a gate above it, so that every module has one.
fn with_gate_at_root(mut graph: Graph) -> Graph {
    if !graph.nodes[graph.root.node()].kind.is_gate() {
        graph.root = graph.raw_gate(Kind::Or, vec![graph.root]);
    }
    graph
}
