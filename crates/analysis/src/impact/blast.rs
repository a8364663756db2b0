//! Blast radius: what is lost at once, what stays lost when the failed components are back, and
//! what survives thanks to which twin.

use super::rise::in_time;
use super::spread::{Spread, spread};
use model::graph::{Graph, Index, Kind, Regime, Start};
use std::collections::HashSet;

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
    blast_from(graph, failed, &[], held)
}

/// The same, with `down` already: they went down before, nobody brings them back, and what they
/// took with them is no loss of this failure.
pub fn blast_from(graph: &Graph, failed: &[Index], down: &[Index], held: &HashSet<Index>) -> Blast {
    let already = spread(graph, down);
    let seeds: Vec<Index> = failed.iter().chain(down).copied().collect();
    let all = spread(graph, &seeds);
    let lost = all.without(&already, failed);
    let mut waiting = restarted(graph, failed, &lost);
    waiting.extend(down.iter().filter(|d| !failed.contains(d)));
    let held: HashSet<Index> = held.iter().chain(down).copied().collect();
    let (lost_all, held) = (all, &held);
    let still = revive(graph, &lost_all, held, &mut waiting);
    let stays_lost = still
        .falls()
        .iter()
        .filter(|fall| lost.is_down(fall.index))
        .map(|fall| {
            let reason = match fall.cause {
                // One that did not stop, but still lacks what it runs on.
                Some((clause, _)) if !waiting.contains(&fall.index) => Reason::Waits(clause),
                _ => reason(graph, &lost_all, &still, held, fall.index),
            };
            (fall.index, reason)
        })
        .collect();
    let survives = survivors(graph, &lost, &lost_all);
    Blast {
        lost,
        stays_lost,
        survives,
    }
}

/// What of `lost` really stopped and must start again: the failed ones, all that lives in a host
/// that went down, and other machines. The rest only lacks something for a while (a
/// guest cut off from the network, a hard mount whose server is gone, a service) and goes on with it.
fn restarted(graph: &Graph, failed: &[Index], lost: &Spread) -> HashSet<Index> {
    let mut restarted: HashSet<Index> = failed.iter().copied().collect();
    for fall in lost.falls() {
        let component = graph.component(fall.index);
        let inside = matches!(
            component.kind,
            Kind::Guest
                | Kind::Disk
                | Kind::Mount
                | Kind::Name
                | Kind::Bridge
                | Kind::Network
                | Kind::Uplink
                | Kind::Export
                | Kind::Group
                | Kind::Service
        );
        let host_lost = || {
            let members = graph.clauses(fall.index).iter().flat_map(|c| &c.members);
            let mut hosts = members.filter(|m| graph.component(**m).kind == Kind::Host);
            let named = component.host.as_ref();
            let host = named.and_then(|h| graph.find(&format!("host:{h}")));
            host.is_some_and(|h| lost.is_down(h)) || hosts.any(|h| lost.is_down(*h))
        };
        if !inside || host_lost() {
            restarted.insert(fall.index);
        }
    }
    restarted
}

/// What stays down once nothing is broken any more but `held`: those of `waiting` that cannot
/// start, and all that cannot run without them. `waiting` ends as those that cannot start.
fn revive(
    graph: &Graph,
    lost: &Spread,
    held: &HashSet<Index>,
    waiting: &mut HashSet<Index>,
) -> Spread {
    loop {
        let mut seeds: Vec<Index> = waiting.iter().copied().collect();
        seeds.sort_unstable();
        let still = spread(graph, &seeds);
        let ready: Vec<Index> = seeds
            .into_iter()
            .filter(|&index| {
                !held.contains(&index)
                    && graph.component(index).start == Start::Itself
                    && unmet(graph, index, lost, &still).is_none()
            })
            .collect();
        if ready.is_empty() {
            return still;
        }
        for index in ready {
            waiting.remove(&index);
        }
    }
}

/// The first cold clause of a component that is not met.
fn unmet(graph: &Graph, index: Index, lost: &Spread, still: &Spread) -> Option<usize> {
    graph.clauses(index).iter().position(|clause| {
        let up = |member: &&Index| {
            !still.is_down(**member)
                && (in_time(graph, clause, **member) || !lost.is_down(**member))
        };
        let met = clause.members.iter().filter(up).count();
        clause.regimes.has(Regime::Cold) && met < clause.k as usize
    })
}

fn reason(
    graph: &Graph,
    lost: &Spread,
    still: &Spread,
    held: &HashSet<Index>,
    index: Index,
) -> Reason {
    if held.contains(&index) {
        return Reason::Held;
    }
    unmet(graph, index, lost, still).map_or(Reason::NeedsPerson, Reason::Waits)
}

fn survivors(graph: &Graph, lost: &Spread, all: &Spread) -> Vec<(Index, Vec<Index>)> {
    let mut survivors = Vec::new();
    let mut seen = HashSet::new();
    for fall in lost.falls() {
        for &of in graph.dependents(fall.index) {
            let redundant = matches!(graph.component(of).kind, Kind::Group | Kind::Service);
            if !redundant || all.is_down(of) || !seen.insert(of) {
                continue;
            }
            let members = graph
                .clauses(of)
                .iter()
                .flat_map(|c| c.members.iter().copied());
            let left: Vec<Index> = members.filter(|m| !all.is_down(*m)).collect();
            survivors.push((of, left));
        }
    }
    survivors.sort();
    survivors
}
