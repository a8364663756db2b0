//! The dependency graph: components, what each needs, and where that was read.
//!
//! Every component can fail by itself, and it needs what its clauses say: at least `k` of some
//! other components, all clauses together. Needs differ in two regimes, defined in
//! ARCHITECTURE.md: a *running* component stays up while its running needs hold; in a *cold
//! start* a component comes up once its cold needs have come up.
//!
//! The graph is built host by host ([`build`]); replacing one host's part leaves the rest as it
//! is ([`Graph::replace_host`]).

mod build;
mod component;
mod edit;
mod lookup;

pub use build::{build, build_named};
pub use component::{Component, Index, Kind, Start};

use facts::Evidence;
use lookup::{Definition, Lookup};
use std::collections::HashMap;
use std::sync::Arc;

/// When a need holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Regime {
    /// Everything is up; something fails.
    Running,
    /// Everything is down; things start one after another.
    Cold,
}

/// One need of a component: at least `k` of `members`.
///
/// `k` of 0 needs nothing; a `k` above the number of members can never be met (a mount of the
/// wrong type, a guest whose definition is gone).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// How many of the members must be up.
    pub k: u32,
    /// What is needed.
    pub members: Vec<Index>,
    /// In which regimes it counts.
    pub regimes: Regimes,
    /// In a cold start, asked once, at the boot of the host and before its guests start: a guest
    /// among the members counts only where it was up before. Without meaning while running.
    pub at_boot: bool,
    /// Where it was read, in words and places.
    pub why: Why,
}

/// A set of regimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regimes {
    /// Counts while running.
    pub running: bool,
    /// Counts in a cold start.
    pub cold: bool,
}

impl Regimes {
    /// In both.
    pub const BOTH: Self = Self {
        running: true,
        cold: true,
    };
    /// While running only.
    pub const RUNNING: Self = Self {
        running: true,
        cold: false,
    };
    /// In a cold start only.
    pub const COLD: Self = Self {
        running: false,
        cold: true,
    };

    /// Whether it counts in a regime.
    pub fn has(self, regime: Regime) -> bool {
        match regime {
            Regime::Running => self.running,
            Regime::Cold => self.cold,
        }
    }
}

/// Why a clause is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// In words: `its disk vda lies on it`.
    pub text: String,
    /// The place; `None` for what follows from the kind of component alone.
    pub evidence: Option<Box<Evidence>>,
}

/// What [`Graph::replace_host`] wrote anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The components whose needs were taken away or given, sorted.
    pub changed: Vec<Index>,
    /// What they needed before, sorted.
    pub needed: Vec<Index>,
}

/// The graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    components: Vec<Component>,
    clauses: Vec<Vec<Clause>>,
    /// For each component, which components have a clause that names it (with repetition where
    /// several clauses do).
    dependents: Vec<Vec<Index>>,
    by_name: HashMap<String, Index>,
    /// Components that one host's snapshot gave clauses to.
    owned: HashMap<String, Vec<Index>>,
    /// Which hosts define each guest.
    homes: HashMap<String, Vec<Definition>>,
    /// Which guests each host defines.
    defined: HashMap<String, Vec<String>>,
    lookup: Arc<Lookup>,
}

impl Graph {
    /// Every component, by index.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// One component.
    pub fn component(&self, index: Index) -> &Component {
        &self.components[index.get()]
    }

    /// What a component needs, all of it.
    pub fn clauses(&self, index: Index) -> &[Clause] {
        &self.clauses[index.get()]
    }

    /// Which components need this one; some may stand here more than once.
    pub fn dependents(&self, index: Index) -> &[Index] {
        &self.dependents[index.get()]
    }

    /// The component of a full name, `kind:name`.
    pub fn find(&self, name: &str) -> Option<Index> {
        self.by_name.get(name).copied()
    }

    /// Components of that name: a full one (`guest:bind-01`), or a bare one (`bind-01`), which
    /// may fit several kinds.
    pub fn lookup(&self, name: &str) -> Vec<Index> {
        if let Some(index) = self.find(name) {
            return vec![index];
        }
        let fits = |c: &&Component| c.name == name;
        self.components
            .iter()
            .filter(fits)
            .map(|c| c.index)
            .collect()
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }
}

#[cfg(test)]
mod tests;
