//! What building asks the estate for again and again, indexed once.

use crate::Estate;
use facts::Snapshot;
use std::collections::{HashMap, HashSet};

/// Names and addresses of the estate.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup {
    /// Services that some guest provides.
    pub(super) services: HashSet<String>,
    /// Guests by address.
    pub(super) guests: HashMap<String, String>,
    /// File servers by name, other name and address.
    pub(super) nas: HashMap<String, String>,
}

/// One host's definition of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The host.
    pub(super) host: String,
    /// The host's position in the estate.
    pub(super) position: usize,
    /// Whether the guest runs there.
    pub(super) runs: bool,
}

impl Definition {
    /// Every definition in one snapshot, by guest.
    pub(super) fn all(position: usize, snapshot: &Snapshot) -> Vec<(String, Self)> {
        let define = |guest: &facts::domain::Guest| {
            let definition = Self {
                host: snapshot.host.clone(),
                position,
                runs: guest.state.as_deref() == Some("running"),
            };
            (guest.name.clone(), definition)
        };
        snapshot.guests.iter().map(define).collect()
    }
}

/// Where a guest that may be defined on several hosts (after a migration) belongs: to the host
/// where it runs, else to the one that site.toml names, else to the first.
pub(super) fn home<'a>(definitions: &'a [Definition], intent: Option<&str>) -> Option<&'a str> {
    let first = definitions.iter().min_by_key(|d| d.position);
    let runs = definitions
        .iter()
        .filter(|d| d.runs)
        .min_by_key(|d| d.position);
    let meant = || definitions.iter().find(|d| Some(d.host.as_str()) == intent);
    runs.or_else(meant).or(first).map(|d| d.host.as_str())
}

impl Lookup {
    pub(super) fn of(estate: &Estate) -> Self {
        let mut lookup = Self::default();
        let Some(site) = &estate.site else {
            return lookup;
        };
        for (name, guest) in &site.guests {
            lookup.services.extend(guest.provides.iter().cloned());
            for address in &guest.addresses {
                lookup.guests.insert(address.clone(), name.clone());
            }
        }
        for (name, nas) in &site.nas {
            for known in nas.names.iter().chain(&nas.addresses).chain([name]) {
                lookup.nas.insert(known.clone(), name.clone());
            }
        }
        lookup
    }
}
