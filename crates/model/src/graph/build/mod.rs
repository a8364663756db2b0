//! Builds the graph: the site's own part (`site`), then each host's (`host`, `storage`, `guest`).

mod guest;
mod host;
mod site;
mod storage;

use super::lookup::Lookup;
use super::{Graph, Why};
use crate::Estate;
use facts::{Evidence, Snapshot};
use std::sync::Arc;

/// The graph of an estate.
pub fn build(estate: &Estate) -> Graph {
    let mut graph = Graph {
        lookup: Arc::new(Lookup::of(estate)),
        ..Graph::default()
    };
    for snapshot in &estate.hosts {
        host::add(&mut graph, estate, snapshot);
    }
    site::add(&mut graph, estate);
    graph
}

impl Graph {
    /// Replaces the part that one host's snapshot told by what it tells now. Components that are
    /// gone stay without needs and without anything that needs them.
    ///
    /// site.toml must be the one that the graph was built with; groups and services follow it,
    /// not the snapshots.
    pub fn replace_host(&mut self, estate: &Estate, snapshot: &Snapshot) {
        self.clear_host(&snapshot.host);
        host::add(self, estate, snapshot);
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
