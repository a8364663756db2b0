//! What building asks the estate for again and again, indexed once.

use crate::Estate;
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
    /// Hosts that were read.
    pub(super) hosts: HashSet<String>,
}

impl Lookup {
    pub(super) fn of(estate: &Estate) -> Self {
        let mut lookup = Self {
            hosts: estate.hosts.iter().map(|h| h.host.clone()).collect(),
            ..Self::default()
        };
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
