//! After a change: which answers may be others now, so that only those are asked for again.
//!
//! A component's fault tree holds what it needs, directly or not, and so its shared failure
//! domains and cut sets may change only if it needs something that changed. A component's blast
//! radius holds what needs it, and so may change only if something that changed needs it, or did
//! before. All else stays true, however large the site is.

use model::graph::{Graph, Index, Replaced};
use std::collections::HashSet;

/// Which answers a change may alter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Whose cut sets, shared failure domains and advice: sorted.
    pub above: Vec<Index>,
    /// Whose blast radius: sorted.
    pub below: Vec<Index>,
}

/// What a replaced host touches; `graph` is the graph as it is now.
pub fn touched(graph: &Graph, replaced: &Replaced) -> Touched {
    // What needed a changed component before needs it still, unless it was changed itself: the
    // graph as it is now is enough to go up. Going down starts from the former needs as well.
    let above = closure(&replaced.changed, |index| {
        graph.dependents(index).iter().copied()
    });
    let roots = [replaced.changed.as_slice(), &replaced.needed].concat();
    let below = closure(&roots, |index| {
        let clauses = graph.clauses(index).iter();
        clauses.flat_map(|c| c.members.iter().copied())
    });
    Touched { above, below }
}

fn closure<I: Iterator<Item = Index>>(from: &[Index], next: impl Fn(Index) -> I) -> Vec<Index> {
    let mut seen: HashSet<Index> = from.iter().copied().collect();
    let mut waiting: Vec<Index> = from.to_vec();
    while let Some(index) = waiting.pop() {
        waiting.extend(next(index).filter(|other| seen.insert(*other)));
    }
    let mut all: Vec<Index> = seen.into_iter().collect();
    all.sort_unstable();
    all
}
