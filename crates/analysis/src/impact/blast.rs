//! Blast radius: what is lost at once, what stays lost when the failed components are back, and
//! what survives thanks to which twin.

use super::spread::{Spread, spread};
use model::graph::{Graph, Index, Kind, Regime, Start};
use std::collections::{HashSet, VecDeque};

/// What the failure of some components does.
#[derive(Debug)]
pub struct Blast {
    /// What goes down while the rest runs, the failed ones first.
    pub lost: Spread,
    /// What is still down after the failed ones have come back and everything that starts by
    /// itself has started, and why.
    pub stays_lost: Vec<(Index, Reason)>,
    /// Groups and services that lost a member and live on, with the members that are left.
    pub survives: Vec<(Index, Vec<Index>)>,
}

/// Why something stays down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Held down by what another analysis foretold: emergency mode.
    Held,
    /// Nobody starts it: no autostart.
    NeedsPerson,
    /// A clause of it, by position, is not met.
    Waits(usize),
}

/// What the failure of `failed` does. `held` does not come back whatever happens: hosts that
/// boot prediction sees in emergency mode.
pub fn blast(graph: &Graph, failed: &[Index], held: &HashSet<Index>) -> Blast {
    let lost = spread(graph, failed);
    let back = revive(graph, &lost, held);
    let stays_lost = lost
        .falls()
        .iter()
        .map(|f| f.index)
        .filter(|i| !back.contains(i))
        .map(|i| (i, reason(graph, &lost, &back, held, i)))
        .collect();
    let survives = survivors(graph, &lost);
    Blast {
        lost,
        stays_lost,
        survives,
    }
}

/// What of `lost` comes up again by itself once nothing is broken any more but `held`: a cold
/// start of what is down, among all that is up. Looks at what is down only.
fn revive(graph: &Graph, lost: &Spread, held: &HashSet<Index>) -> HashSet<Index> {
    let mut back = HashSet::new();
    let mut queue: VecDeque<Index> = lost.falls().iter().map(|f| f.index).collect();
    while let Some(index) = queue.pop_front() {
        if back.contains(&index) || held.contains(&index) {
            continue;
        }
        let up = |member: &Index| !lost.is_down(*member) || back.contains(member);
        let waits = unmet(graph, index, &up);
        if waits.is_none() && graph.component(index).start == Start::Itself {
            back.insert(index);
            // Those that waited for it are looked at again.
            let again = graph.dependents(index).iter().copied();
            queue.extend(again.filter(|d| lost.is_down(*d)));
        }
    }
    back
}

/// The first cold clause of a component that is not met.
fn unmet(graph: &Graph, index: Index, up: &dyn Fn(&Index) -> bool) -> Option<usize> {
    graph.clauses(index).iter().position(|clause| {
        let met = clause.members.iter().filter(|m| up(m)).count();
        clause.regimes.has(Regime::Cold) && met < clause.k as usize
    })
}

fn reason(
    graph: &Graph,
    lost: &Spread,
    back: &HashSet<Index>,
    held: &HashSet<Index>,
    index: Index,
) -> Reason {
    if held.contains(&index) {
        return Reason::Held;
    }
    let up = |member: &Index| !lost.is_down(*member) || back.contains(member);
    unmet(graph, index, &up).map_or(Reason::NeedsPerson, Reason::Waits)
}

fn survivors(graph: &Graph, lost: &Spread) -> Vec<(Index, Vec<Index>)> {
    let mut survivors = Vec::new();
    let mut seen = HashSet::new();
    for fall in lost.falls() {
        for &of in graph.dependents(fall.index) {
            let redundant = matches!(graph.component(of).kind, Kind::Group | Kind::Service);
            if !redundant || lost.is_down(of) || !seen.insert(of) {
                continue;
            }
            let members = graph
                .clauses(of)
                .iter()
                .flat_map(|c| c.members.iter().copied());
            let left: Vec<Index> = members.filter(|m| !lost.is_down(*m)).collect();
            survivors.push((of, left));
        }
    }
    survivors.sort();
    survivors
}
