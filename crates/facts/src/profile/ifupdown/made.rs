//! Stanzas and profiles by the name of their interface: a host of a provider has thousands.

use super::stanza::{Iface, Interfaces};
use crate::profile::{Profile, restored::glob};
use std::collections::{HashMap, HashSet};

/// The profiles made so far, in order, at most one per name.
#[derive(Default)]
pub(super) struct Made {
    profiles: Vec<Profile>,
    place: HashMap<String, usize>,
}

impl Made {
    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(*self.place.get(name)?)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Profile> {
        self.profiles.get_mut(*self.place.get(name)?)
    }

    /// The profile of that name, made where there is none.
    pub(super) fn get_or_make(
        &mut self,
        name: &str,
        make: impl FnOnce() -> Profile,
    ) -> &mut Profile {
        let next = self.profiles.len();
        let at = *self.place.entry(name.to_owned()).or_insert(next);
        if at == next {
            self.profiles.push(make());
        }
        &mut self.profiles[at]
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.profiles.iter().map(|profile| &profile.name)
    }

    pub(super) fn into_profiles(self) -> Vec<Profile> {
        self.profiles
    }
}

/// What comes up at boot: plain names, and patterns.
pub(super) struct Auto<'a> {
    names: HashSet<&'a str>,
    patterns: Vec<&'a str>,
}

impl<'a> Auto<'a> {
    pub(super) fn of(all: &'a Interfaces) -> Self {
        let words = all.auto.iter().map(String::as_str);
        let (patterns, names) = words.partition::<Vec<_>, _>(|word| word.contains(['*', '?', '[']));
        Self {
            names: names.into_iter().collect(),
            patterns,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.patterns.iter().any(|pattern| glob(pattern, name))
    }
}

/// Stanzas by name, those of one name in their order.
pub(super) fn by_name(ifaces: &[Iface]) -> HashMap<&str, Vec<&Iface>> {
    let mut found: HashMap<&str, Vec<&Iface>> = HashMap::new();
    for iface in ifaces {
        found.entry(&iface.name).or_default().push(iface);
    }
    found
}
