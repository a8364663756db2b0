//! Adding to a graph, and taking one host's part out of it.

use super::component::full_name;
use super::{Clause, Component, Graph, Index, Kind, Regimes, Start, Why};

impl Graph {
    /// The component of that kind and name; made where there is none.
    pub(super) fn add(&mut self, kind: Kind, name: &str) -> Index {
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

    /// `of` needs at least `k` of `members`.
    pub(super) fn need(
        &mut self,
        of: Index,
        k: u32,
        members: Vec<Index>,
        regimes: Regimes,
        why: Why,
    ) {
        for &member in &members {
            self.dependents[member.get()].push(of);
        }
        self.clauses[of.get()].push(Clause {
            k,
            members,
            regimes,
            why,
        });
    }

    /// `of` needs `one`.
    pub(super) fn need_one(&mut self, of: Index, one: Index, regimes: Regimes, why: Why) {
        if of != one {
            self.need(of, 1, vec![one], regimes, why);
        }
    }

    /// Takes away what a host's snapshot told: the needs of its components. The components stay,
    /// so that others' needs of them keep their meaning.
    pub(super) fn clear_host(&mut self, host: &str) {
        for index in self.owned.remove(host).unwrap_or_default() {
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
}
