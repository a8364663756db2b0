//! From a component to a fault tree: everything that it needs, directly or not, each with a
//! failure of its own.
//!
//! Circles: while running, those that only hold each other up stay up, so the tree is the least
//! one; in a cold start those that only wait for each other never come up, so it is the greatest.
//! A strongly connected part of `n` components is written out `n` times, from "nothing has
//! failed" or from "nothing has come up": a monotone function reaches its fixed point by then.

use super::rise::in_time;
use crate::connected;
use crate::cutsets::{Arg, EventId, FaultTree, GateId, Op};
use model::graph::{Graph, Index, Regime};
use std::collections::{HashMap, HashSet};

/// A fault tree of one component.
#[derive(Debug)]
pub struct Faults {
    /// The tree.
    pub tree: FaultTree,
    /// Its top: the component is down (running) or does not come up (cold).
    pub top: Arg,
    /// The component of each basic event, by the event's number.
    pub components: Vec<Index>,
    /// Circles that were met: strongly connected parts of more than one component.
    pub circles: Vec<Vec<Index>>,
}

/// What a fault tree takes for granted.
#[derive(Clone, Debug, Default)]
pub struct Assume {
    /// What is down whatever happens: hosts that boot prediction sees in emergency mode.
    pub dead: HashSet<Index>,
    /// Whether a person tries again, later, what a boot tries once.
    pub again: bool,
}

/// Builds the fault tree of `top`. In a cold start a person starts what does not start itself.
pub fn faults(graph: &Graph, top: Index, regime: Regime, assume: &Assume) -> Faults {
    let members = |index: Index| needs(graph, index, regime, assume);
    let mut parts = connected::parts([top], members);
    let mut build = Build {
        graph,
        regime,
        assume,
        tree: FaultTree::new(),
        events: HashMap::new(),
        components: Vec::new(),
        done: HashMap::new(),
    };
    let mut circles = Vec::new();
    // The parts come with what is needed first.
    for part in &mut parts {
        let looped = part.len() > 1 || needs(graph, part[0], regime, assume).contains(&part[0]);
        if looped {
            build.circle(part);
            part.sort_unstable();
            circles.push(part.clone());
        } else {
            let gate = build.gate(part[0], &HashMap::new());
            build.done.insert(part[0], gate.into());
        }
    }
    let top = build
        .done
        .get(&top)
        .copied()
        .unwrap_or(Arg::Constant(false));
    Faults {
        tree: build.tree,
        top,
        components: build.components,
        circles,
    }
}

fn clauses(
    graph: &Graph,
    index: Index,
    regime: Regime,
) -> impl Iterator<Item = (usize, &model::graph::Clause)> {
    let counts = move |(_, clause): &(usize, &model::graph::Clause)| {
        clause.k > 0 && clause.regimes.has(regime)
    };
    graph.clauses(index).iter().enumerate().filter(counts)
}

/// What a component's tree rests on, clause by clause.
fn needs(graph: &Graph, index: Index, regime: Regime, assume: &Assume) -> Vec<Index> {
    let counts = |clause: &model::graph::Clause, member: &Index| {
        assume.again || in_time(graph, clause, *member)
    };
    clauses(graph, index, regime)
        .flat_map(|(_, c)| c.members.iter().filter(|m| counts(c, m)).copied())
        .collect()
}

struct Build<'a> {
    graph: &'a Graph,
    regime: Regime,
    assume: &'a Assume,
    tree: FaultTree,
    events: HashMap<Index, EventId>,
    components: Vec<Index>,
    done: HashMap<Index, Arg>,
}

impl Build<'_> {
    fn event(&mut self, index: Index) -> EventId {
        if let Some(&event) = self.events.get(&index) {
            return event;
        }
        let event = self.tree.event(self.graph.component(index).full_name());
        self.events.insert(index, event);
        self.components.push(index);
        event
    }

    /// The failure of one component: its own, or that of some clause; `round` has the values of
    /// the components of its circle.
    fn gate(&mut self, index: Index, round: &HashMap<Index, Arg>) -> GateId {
        let mut causes = vec![Arg::from(self.event(index))];
        if self.assume.dead.contains(&index) {
            causes.push(Arg::Constant(true));
        }
        for (_, clause) in clauses(self.graph, index, self.regime) {
            let missing = clause.members.len().checked_sub(clause.k as usize);
            let Some(spare) = missing else {
                causes.push(Arg::Constant(true));
                continue;
            };
            let value = |member: &Index| {
                if !self.assume.again && !in_time(self.graph, clause, *member) {
                    return Arg::Constant(true);
                }
                let known = round.get(member).or_else(|| self.done.get(member));
                known.copied().unwrap_or(Arg::Constant(false))
            };
            let members: Vec<Arg> = clause.members.iter().map(value).collect();
            let fail = u32::try_from(spare + 1).unwrap_or(u32::MAX);
            causes.push(match members.as_slice() {
                [only] if fail == 1 => *only,
                _ => Arg::from(self.tree.gate("", Op::AtLeast(fail), members)),
            });
        }
        let name = self.graph.component(index).full_name();
        self.tree.gate(name, Op::Or, causes)
    }

    fn circle(&mut self, part: &[Index]) {
        let begin = Arg::Constant(self.regime == Regime::Cold);
        let mut round: HashMap<Index, Arg> = part.iter().map(|&i| (i, begin)).collect();
        for _ in 0..part.len() {
            round = part
                .iter()
                .map(|&index| (index, Arg::from(self.gate(index, &round))))
                .collect();
        }
        self.done.extend(round);
    }
}
