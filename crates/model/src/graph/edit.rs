//! Adding to a graph, and taking one host's part out of it.

use super::component::full_name;
use super::{Clause, Component, Graph, Index, Kind, Regimes, Start, Why};
use std::collections::HashSet;

impl Graph {
    /// The component of that kind and name; made where there is none.
    pub fn add(&mut self, kind: Kind, name: &str) -> Index {
        let full = full_name(kind, name);
        if let Some(&index) = self.by_name.get(&full) {
            return index;
        }
        let index = Index::new(self.components.len());
        self.components.push(Component {
            index,
            kind,
            name: name.to_owned(),
            host: None,
            start: Start::Itself,
            mttf_hours: None,
        });
        self.clauses.push(Vec::new());
        self.dependents.push(Vec::new());
        self.by_name.insert(full, index);
        index
    }

    /// The same, as a part of a host: its needs go when that host's part is replaced.
    pub(super) fn add_to(&mut self, host: &str, kind: Kind, name: &str) -> Index {
        let index = self.add(kind, name);
        let component = &mut self.components[index.get()];
        if component.host.is_none() {
            component.host = Some(host.to_owned());
            self.owned.entry(host.to_owned()).or_default().push(index);
        }
        index
    }

    pub(super) fn component_mut(&mut self, index: Index) -> &mut Component {
        &mut self.components[index.get()]
    }

    /// A component that some host has now; one that is gone, and only kept for the needs of
    /// others, is not found.
    pub(super) fn find_present(&self, name: &str) -> Option<Index> {
        self.find(name)
            .filter(|index| self.component(*index).host.is_some())
    }

    /// Says how a component starts.
    pub fn set_start(&mut self, index: Index, start: Start) {
        self.components[index.get()].start = start;
    }

    /// `of` needs at least `k` of `members`; a member that is named twice counts once.
    pub fn need(&mut self, of: Index, k: u32, mut members: Vec<Index>, regimes: Regimes, why: Why) {
        let mut seen = HashSet::new();
        members.retain(|member| seen.insert(*member));
        for &member in &members {
            self.dependents[member.get()].push(of);
        }
        self.clauses[of.get()].push(Clause {
            k,
            members,
            regimes,
            at_boot: false,
            why,
        });
    }

    /// `of` needs one of `members` when the host boots, before its guests start; see
    /// [`Clause::at_boot`].
    pub fn need_at_boot(&mut self, of: Index, members: Vec<Index>, why: Why) {
        self.need(of, 1, members, Regimes::COLD, why);
        if let Some(clause) = self.clauses[of.get()].last_mut() {
            clause.at_boot = true;
        }
    }

    /// `of` needs `one`.
    pub fn need_one(&mut self, of: Index, one: Index, regimes: Regimes, why: Why) {
        if of != one {
            self.need(of, 1, vec![one], regimes, why);
        }
    }

    /// Takes away what a host's snapshot told: the needs of its components. The components stay,
    /// so that others' needs of them keep their meaning. Returns them.
    pub(super) fn clear_host(&mut self, host: &str) -> Vec<Index> {
        let owned = self.owned.remove(host).unwrap_or_default();
        for &index in &owned {
            self.clear(index);
        }
        owned
    }

    /// Takes away what one component needs, and whose it is.
    pub(super) fn clear(&mut self, index: Index) {
        let clauses = std::mem::take(&mut self.clauses[index.get()]);
        for member in clauses.iter().flat_map(|c| &c.members) {
            let dependents = &mut self.dependents[member.get()];
            if let Some(at) = dependents.iter().position(|d| *d == index) {
                dependents.swap_remove(at);
            }
        }
        let component = &mut self.components[index.get()];
        component.host = None;
        component.start = Start::Itself;
    }
}
