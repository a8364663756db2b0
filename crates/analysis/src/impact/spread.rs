//! What goes down with some components while everything runs.
//!
//! A running component stays up as long as its running clauses hold, so circles hold each other
//! up: what goes down is the least set that the failed ones drag with them. Only what is touched
//! is looked at, so that the blast radius of one host among thousands costs what it is large.

use model::graph::{Graph, Index, Regime};
use std::collections::{HashMap, VecDeque};

/// One component that goes down, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fall {
    /// The component.
    pub index: Index,
    /// The clause of it that no longer holds, by position, and the last member that went down;
    /// `None` for the ones that failed by themselves.
    pub cause: Option<(usize, Index)>,
}

/// What goes down with `failed`, in the order of falling, the failed ones first.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    falls: Vec<Fall>,
    place: HashMap<Index, usize>,
}

impl Spread {
    /// Everything that is down.
    pub fn falls(&self) -> &[Fall] {
        &self.falls
    }

    /// Whether a component is down.
    pub fn is_down(&self, index: Index) -> bool {
        self.place.contains_key(&index)
    }

    /// The chain from a component that is down to one that failed by itself, nearest first.
    pub fn chain(&self, index: Index) -> Vec<Fall> {
        let mut chain = Vec::new();
        let mut next = self.place.get(&index);
        while let Some(&at) = next {
            chain.push(self.falls[at]);
            // The cause fell earlier, so this ends.
            next = self.falls[at].cause.and_then(|(_, by)| self.place.get(&by));
        }
        chain
    }

    /// The same without what another spread has too; `keep` stays in any case. Causes stay as they
    /// are: they may lie in what was taken out.
    #[must_use]
    pub fn without(&self, other: &Self, keep: &[Index]) -> Self {
        let mut left = Self::default();
        for fall in &self.falls {
            if !other.is_down(fall.index) || keep.contains(&fall.index) {
                left.fall(*fall);
            }
        }
        left
    }

    fn fall(&mut self, fall: Fall) -> bool {
        let new = !self.place.contains_key(&fall.index);
        if new {
            self.place.insert(fall.index, self.falls.len());
            self.falls.push(fall);
        }
        new
    }
}

/// Lets `failed` go down, and all that cannot run without them.
pub fn spread(graph: &Graph, failed: &[Index]) -> Spread {
    let mut down = Spread::default();
    let mut queue = VecDeque::new();
    for &index in failed {
        if down.fall(Fall { index, cause: None }) {
            queue.push_back(index);
        }
    }
    // How many members of a clause are down; only clauses that were touched are here.
    let mut lost: HashMap<(Index, usize), usize> = HashMap::new();
    while let Some(index) = queue.pop_front() {
        let mut dependents = graph.dependents(index).to_vec();
        dependents.sort_unstable();
        dependents.dedup();
        for of in dependents {
            if down.is_down(of) {
                continue;
            }
            for (at, clause) in graph.clauses(of).iter().enumerate() {
                if !clause.regimes.has(Regime::Running) || !clause.members.contains(&index) {
                    continue;
                }
                let count = lost.entry((of, at)).or_default();
                *count += 1;
                if clause.members.len() - *count < clause.k as usize {
                    let cause = Some((at, index));
                    down.fall(Fall { index: of, cause });
                    queue.push_back(of);
                    break;
                }
            }
        }
    }
    down
}
