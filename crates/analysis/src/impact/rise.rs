//! What comes up in a cold start, wave by wave.
//!
//! A component comes up once every cold clause of it is met by components that have come up, so
//! what waits for itself in a circle never does: the least set that pulls itself up.

use model::graph::{Clause, Graph, Index, Kind, Regime, Start};
use std::collections::HashSet;

/// What a cold start begins with.
#[derive(Clone, Debug, Default)]
pub struct From {
    /// What does not come up, whatever it needs: dead, or held by an outcome that another
    /// analysis foretold (a host that lands in emergency mode).
    pub dead: HashSet<Index>,
    /// What is up already and stays so; `None` starts from nothing.
    pub up: Option<HashSet<Index>>,
    /// What is to come up; everything where `None`.
    pub only: Option<HashSet<Index>>,
    /// Components that a person starts at once when their needs are met.
    pub started_by_hand: HashSet<Index>,
    /// Whether a person starts everything that does not start itself.
    pub person_at_hand: bool,
    /// Whether a person tries again, later, what a boot tries once ([`Clause::at_boot`]).
    pub again: bool,
    /// Needs that are waived: a person did by hand what they stand for (a mount by address).
    pub waived: HashSet<(Index, usize)>,
}

/// How a cold start ends.
#[derive(Clone, Debug, Default)]
pub struct Rise {
    /// Wave in which each component came up, from 0; `None` for those that did not.
    wave: Vec<Option<u32>>,
    /// Number of waves.
    pub waves: u32,
}

impl Rise {
    /// Whether a component came up.
    pub fn is_up(&self, index: Index) -> bool {
        self.wave(index).is_some()
    }

    /// The wave in which it came up.
    pub fn wave(&self, index: Index) -> Option<u32> {
        self.wave.get(index.get()).copied().flatten()
    }

    /// The components of each wave.
    pub fn by_wave(&self) -> Vec<Vec<Index>> {
        let mut waves = vec![Vec::new(); self.waves as usize];
        for (position, wave) in self.wave.iter().enumerate() {
            if let Some(wave) = wave {
                waves[*wave as usize].push(Index::new(position));
            }
        }
        waves
    }
}

/// Whether a member that comes up in this very start counts for a clause: the guests that a
/// boot-time need asks for would come too late.
pub(super) fn in_time(graph: &Graph, clause: &Clause, member: Index) -> bool {
    !clause.at_boot || graph.component(member).kind != Kind::Guest
}

/// Starts everything that `from` wants started.
pub fn rise(graph: &Graph, from: &From) -> Rise {
    let mut start = Starting {
        graph,
        from,
        wave: vec![None; graph.len()],
        unmet: vec![0; graph.len()],
        held: vec![Vec::new(); graph.len()],
    };
    let mut now = start.begin();
    let mut number = 0;
    while !now.is_empty() {
        for &index in &now {
            start.wave[index.get()] = Some(number);
        }
        let mut next = Vec::new();
        for &index in &now {
            start.tell(index, &mut next);
        }
        next.sort_unstable();
        next.dedup();
        now = next;
        number += 1;
    }
    Rise {
        wave: start.wave,
        waves: number,
    }
}

struct Starting<'a> {
    graph: &'a Graph,
    from: &'a From,
    wave: Vec<Option<u32>>,
    /// Clauses of a component that are not met yet.
    unmet: Vec<u32>,
    /// For each component, how many members of each of its clauses are up.
    held: Vec<Vec<u32>>,
}

impl Starting<'_> {
    /// The first wave: what is up already, and what needs nothing.
    fn begin(&mut self) -> Vec<Index> {
        let mut first = Vec::new();
        for position in 0..self.graph.len() {
            let index = Index::new(position);
            let clauses = self.graph.clauses(index);
            self.held[position] = vec![0; clauses.len()];
            let counts = |(at, clause): &(usize, &Clause)| {
                clause.k > 0
                    && clause.regimes.has(Regime::Cold)
                    && !self.from.waived.contains(&(index, *at))
            };
            let unmet = clauses.iter().enumerate().filter(counts).count();
            self.unmet[position] = u32::try_from(unmet).unwrap_or(u32::MAX);
            let already = self.from.up.as_ref().is_some_and(|up| up.contains(&index));
            if already || (unmet == 0 && self.may_start(index)) {
                first.push(index);
            }
        }
        first
    }

    fn may_start(&self, index: Index) -> bool {
        let from = self.from;
        let wanted = from.only.as_ref().is_none_or(|only| only.contains(&index));
        let by_itself = self.graph.component(index).start == Start::Itself
            || from.person_at_hand
            || from.started_by_hand.contains(&index);
        wanted && by_itself && !from.dead.contains(&index)
    }

    fn counts(&self, clause: &Clause, member: Index) -> bool {
        let before = || self.from.up.as_ref().is_some_and(|up| up.contains(&member));
        self.from.again || in_time(self.graph, clause, member) || before()
    }

    /// Tells those that need `index` that it is up.
    fn tell(&mut self, index: Index, next: &mut Vec<Index>) {
        let mut dependents = self.graph.dependents(index).to_vec();
        dependents.sort_unstable();
        dependents.dedup();
        for of in dependents {
            let position = of.get();
            if self.wave[position].is_some() {
                continue;
            }
            for (at, clause) in self.graph.clauses(of).iter().enumerate() {
                if clause.regimes.has(Regime::Cold)
                    && !self.from.waived.contains(&(of, at))
                    && clause.members.contains(&index)
                    && self.counts(clause, index)
                {
                    self.held[position][at] += 1;
                    if self.held[position][at] == clause.k {
                        self.unmet[position] -= 1;
                    }
                }
            }
            if self.unmet[position] == 0 && self.may_start(of) {
                next.push(of);
            }
        }
    }
}
