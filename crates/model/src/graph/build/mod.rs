//! Builds the graph: the site's own part (`site`), then each host's (`host`, `storage`, `guest`).

mod guest;
mod host;
mod site;
mod storage;

use super::lookup::{Definition, Lookup};
use super::{Graph, Kind, Replaced, Why};
use crate::Estate;
use facts::{Evidence, Snapshot};
use std::collections::HashSet;
use std::sync::Arc;

/// The graph of an estate.
pub fn build(estate: &Estate) -> Graph {
    build_with(estate, |_| true)
}

/// The graph without the guests that site.toml does not name: no group and no service can need
/// one of these, and a large site has a hundred of them for each that it names.
pub fn build_named(estate: &Estate) -> Graph {
    let site = estate.site.iter();
    let named: HashSet<&str> = site
        .flat_map(|site| {
            let members = site.groups.values().flat_map(|group| &group.members);
            site.guests.keys().chain(members).map(String::as_str)
        })
        .collect();
    build_with(estate, |guest| named.contains(guest))
}

/// The graph of the hosts and of some of their guests.
fn build_with(estate: &Estate, with: impl Fn(&str) -> bool) -> Graph {
    let mut graph = Graph {
        lookup: Arc::new(Lookup::of(estate)),
        ..Graph::default()
    };
    for (position, snapshot) in estate.hosts.iter().enumerate() {
        let definitions = Definition::all(position, snapshot).into_iter();
        for (guest, definition) in definitions.filter(|(guest, _)| with(guest)) {
            let defined = graph.defined.entry(snapshot.host.clone()).or_default();
            defined.push(guest.clone());
            graph.homes.entry(guest).or_default().push(definition);
        }
    }
    for snapshot in &estate.hosts {
        host::add(&mut graph, estate, snapshot);
    }
    site::add(&mut graph, estate);
    graph
}

impl Graph {
    /// Replaces the part that one host's snapshot told by what `estate` tells now, and that of
    /// hosts whose guests moved to it or away from it. Components that are gone stay without
    /// needs and without anything that needs them.
    ///
    /// site.toml and the order of hosts must be those that the graph was built with; groups and
    /// services follow site.toml, not the snapshots. A host that the estate does not have changes
    /// nothing.
    ///
    /// Returns what was written anew: the start of every analysis of the change.
    pub fn replace_host(&mut self, estate: &Estate, host: &str) -> Replaced {
        let Some(position) = estate.hosts.iter().position(|h| h.host == host) else {
            return Replaced::default();
        };
        let mut again = vec![position];
        for guest in self.redefine(position, &estate.hosts[position]) {
            let others = self.homes.get(&guest).into_iter().flatten();
            again.extend(others.map(|d| d.position));
        }
        again.sort_unstable();
        again.dedup();
        let mut cleared = Vec::new();
        let mut replaced = Replaced::default();
        for &position in &again {
            let host = &estate.hosts[position].host;
            for index in self.owned.get(host).into_iter().flatten() {
                let members = self.clauses[index.get()].iter().flat_map(|c| &c.members);
                replaced.needed.extend(members);
            }
            cleared.extend(self.clear_host(host));
        }
        for &position in &again {
            host::add(self, estate, &estate.hosts[position]);
        }
        // A guest that no host defines any more is what site.toml says of it.
        for &index in &cleared {
            if self.component(index).kind == Kind::Guest {
                let name = self.component(index).name.clone();
                site::unread_guest(self, estate, &name);
            }
        }
        replaced.changed = cleared;
        for &position in &again {
            let owned = self.owned.get(&estate.hosts[position].host);
            replaced.changed.extend(owned.into_iter().flatten());
        }
        for list in [&mut replaced.changed, &mut replaced.needed] {
            list.sort_unstable();
            list.dedup();
        }
        replaced
    }

    /// Takes over one host's definitions of guests. Returns the guests that several hosts define,
    /// before or now: their home may change.
    fn redefine(&mut self, position: usize, snapshot: &Snapshot) -> Vec<String> {
        let host = &snapshot.host;
        let mut names = self.defined.remove(host).unwrap_or_default();
        let defined = Definition::all(position, snapshot);
        let now: Vec<String> = defined.iter().map(|(name, _)| name.clone()).collect();
        names.extend(now.iter().cloned());
        self.defined.insert(host.clone(), now);
        names.sort_unstable();
        names.dedup();
        let elsewhere = |definitions: &Vec<Definition>| definitions.iter().any(|d| d.host != *host);
        names.retain(|name| {
            self.homes.get(name).is_some_and(elsewhere) || {
                self.homes.remove(name);
                false
            }
        });
        for name in &names {
            if let Some(definitions) = self.homes.get_mut(name) {
                definitions.retain(|d| d.host != *host);
            }
        }
        for (name, definition) in defined {
            self.homes.entry(name).or_default().push(definition);
        }
        names
    }
}

/// A reason in words alone.
fn because(text: impl Into<String>) -> Why {
    Why {
        text: text.into(),
        evidence: None,
    }
}

/// A reason with its place.
fn read_at(text: impl Into<String>, evidence: Evidence) -> Why {
    Why {
        text: text.into(),
        evidence: Some(Box::new(evidence)),
    }
}

/// A reason from site.toml.
fn by_site(estate: &Estate, text: &str, kind: &str, name: &str, key: &str) -> Why {
    Why {
        text: text.to_owned(),
        evidence: estate
            .site
            .as_ref()
            .map(|site| Box::new(site.evidence(kind, name, Some(key)))),
    }
}
