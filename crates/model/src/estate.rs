//! The estate: every host that was read, with what the site intends for it.

use crate::site::{self, Site};
use facts::bmc::Check;
use facts::domain::Guest;
use facts::switch::Switch;
use facts::{Evidence, Snapshot};
use std::collections::BTreeMap;

/// What one run of nofail looks at.
#[derive(Clone, Debug, Default)]
pub struct Estate {
    /// Intent; `None` where no site.toml was given.
    pub site: Option<Site>,
    /// One snapshot per host that was read.
    pub hosts: Vec<Snapshot>,
    /// Switches of the site, from their captures.
    pub switches: BTreeMap<String, Switch>,
    /// The last check of each host's BMC that this machine kept, by host.
    pub bmc_checks: BTreeMap<String, Check>,
    /// What could not be read at all: a host, a capture.
    pub not_read: Vec<NotRead>,
}

/// A part of the site that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotRead {
    /// The host (or switch) concerned.
    pub host: String,
    /// What of it: a source's name, `snapshot`, `ssh`, `capture`.
    pub source: String,
    /// Why.
    pub reason: String,
}

impl Estate {
    /// One host alone, without intent.
    pub fn of(snapshot: Snapshot) -> Self {
        Self {
            hosts: vec![snapshot],
            ..Self::default()
        }
    }

    /// The snapshot of a host.
    pub fn host(&self, name: &str) -> Option<&Snapshot> {
        self.hosts.iter().find(|h| h.host == name)
    }

    /// Intent for a guest.
    pub fn intent(&self, guest: &str) -> Option<&site::Guest> {
        self.site.as_ref()?.guests.get(guest)
    }

    /// Whether the site says that a guest is critical.
    pub fn is_critical(&self, guest: &str) -> bool {
        self.intent(guest).is_some_and(|g| g.critical)
    }

    /// The HA group of a guest, with all its members.
    pub fn group_of(&self, guest: &str) -> Option<(&str, Vec<&str>)> {
        let site = self.site.as_ref()?;
        let named = site.guests.get(guest).and_then(|g| g.group.as_deref());
        let lists = |(_, group): &(&String, &site::Group)| group.members.iter().any(|m| m == guest);
        let group = named.or_else(|| Some(site.groups.iter().find(lists)?.0.as_str()))?;
        Some((group, site.members(group)))
    }

    /// Whether a guest matters to more than itself: critical, or a member of an HA group.
    pub fn is_important(&self, guest: &str) -> bool {
        self.is_critical(guest) || self.group_of(guest).is_some()
    }

    /// The guest (by intent) that has an address.
    pub fn guest_at(&self, address: &str) -> Option<&str> {
        let guests = &self.site.as_ref()?.guests;
        guests
            .iter()
            .find(|(_, g)| g.addresses.iter().any(|a| a == address))
            .map(|(name, _)| name.as_str())
    }

    /// Hosts that define a guest, with its definition there.
    pub fn definitions<'a>(
        &'a self,
        guest: &'a str,
    ) -> impl Iterator<Item = (&'a Snapshot, &'a Guest)> {
        self.hosts.iter().flat_map(move |host| {
            host.guests
                .iter()
                .filter(move |g| g.name == guest)
                .map(move |g| (host, g))
        })
    }

    /// The host where a guest is: the one that defines it, else the one that the site names.
    pub fn host_of<'a>(&'a self, guest: &'a str) -> Option<&'a str> {
        self.definitions(guest)
            .next()
            .map(|(host, _)| host.host.as_str())
            .or_else(|| self.intent(guest)?.host.as_deref())
    }

    /// The file server that a name or an address stands for; the argument itself where the site
    /// knows none.
    pub fn nas_of<'a>(&'a self, host: &'a str) -> &'a str {
        let Some(site) = &self.site else { return host };
        site.nas
            .iter()
            .find(|(name, nas)| {
                name.as_str() == host
                    || nas.names.iter().any(|n| n == host)
                    || nas.addresses.iter().any(|a| a == host)
            })
            .map_or(host, |(name, _)| name.as_str())
    }

    /// The plan of a bridge on a host.
    pub fn bridge_plan(&self, host: &str, bridge: &str) -> Option<&site::BridgePlan> {
        self.site.as_ref()?.bridge_plan(host, bridge)
    }

    /// Evidence in site.toml; see [`Site::evidence`].
    pub fn site_evidence(&self, kind: &str, name: &str, key: Option<&str>) -> Option<Evidence> {
        Some(self.site.as_ref()?.evidence(kind, name, key))
    }
}
