//! Shared failure domains: what takes down every member of an HA group, or breaks its quorum.

use super::faults::{Assume, Faults, faults};
use crate::cutsets::{CutSetError, Options, Solution, solve};
use model::graph::{Graph, Index, Regime};
use rayon::prelude::*;

/// The shared failure domains of one component, in one regime.
#[derive(Debug)]
pub struct Shared {
    /// Regime.
    pub regime: Regime,
    /// What suffices alone; the component's own failure is left out.
    pub single: Vec<Index>,
    /// Pairs that suffice together.
    pub pairs: Vec<[Index; 2]>,
    /// Circles on the way.
    pub circles: Vec<Vec<Index>>,
    /// Whether it is down (or cannot come up) with nothing failed at all.
    pub always: bool,
}

/// Finds what alone, and what in pairs, takes `index` down in a regime.
///
/// # Errors
/// The diagrams grow beyond their limit.
pub fn shared(
    graph: &Graph,
    index: Index,
    regime: Regime,
    assume: &Assume,
) -> Result<Shared, CutSetError> {
    let faults = faults(graph, index, regime, assume);
    let solution = solve_up_to(&faults, Some(2))?;
    let mut single = Vec::new();
    let mut pairs = Vec::new();
    let mut always = false;
    for set in solution.sets() {
        let members: Vec<Index> = set
            .iter()
            .map(|e| faults.components[e.0 as usize])
            .collect();
        match members.as_slice() {
            [] => always = true,
            [one] if *one != index => single.push(*one),
            [a, b] => pairs.push([*a, *b]),
            _ => {}
        }
    }
    single.sort_unstable();
    pairs.sort_unstable();
    Ok(Shared {
        regime,
        single,
        pairs,
        circles: faults.circles,
        always,
    })
}

/// The same for many components, on every processor; in their order.
///
/// # Errors
/// The diagrams of one grow beyond their limit.
pub fn shared_all(
    graph: &Graph,
    indices: &[Index],
    regime: Regime,
    assume: &Assume,
) -> Result<Vec<Shared>, CutSetError> {
    let each = indices.par_iter();
    each.map(|&index| shared(graph, index, regime, assume))
        .collect()
}

/// Minimal cut sets of a fault tree up to an order.
///
/// # Errors
/// The diagrams grow beyond their limit.
pub fn solve_up_to(faults: &Faults, max_order: Option<u32>) -> Result<Solution, CutSetError> {
    let options = Options {
        max_order,
        ..Options::default()
    };
    solve(&faults.tree, faults.top, &options)
}
