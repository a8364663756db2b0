//! Which VLANs a guest's port should have: the VLAN map of site.toml, the domain's own XML, and
//! what the bridge gives every guest.
//!
//! libvirt's hook and the reconciler read site.toml at moments when a guest waits for them. They
//! take from it what concerns VLANs and nothing else: a mistake in another table must not leave a
//! guest on the wrong VLAN.

use crate::site::{BridgePlan, Site};
use facts::SyntaxError;
use facts::bridge::{Entries, vid};
use facts::domain::{Interface, VlanWish};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// What site.toml says of VLANs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VlanMap {
    hosts: BTreeMap<String, HostPart>,
    guests: BTreeMap<String, GuestPart>,
    bridges: BTreeMap<String, BridgePlan>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct HostPart {
    bridges: BTreeMap<String, BridgePlan>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct GuestPart {
    pvid: Option<u16>,
    tagged: Option<Vec<u16>>,
}

/// Who said what a port should carry; the first of these that says anything is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `[guests.NAME]` in site.toml.
    Guest,
    /// The `<vlan>` element of the interface.
    Interface,
    /// nofail's element in the domain's metadata.
    Metadata,
    /// `[bridges.NAME]` in site.toml, or the same under the host.
    Bridge,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "site.toml's guest",
            Self::Interface => "the interface's <vlan>",
            Self::Metadata => "the domain's metadata",
            Self::Bridge => "site.toml's bridge",
        })
    }
}

/// The VLANs that a port should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// VLAN of untagged frames, the only one that leaves untagged. `None`: nobody said, and what
    /// the port has of untagged VLANs stays.
    pub pvid: Option<u16>,
    /// VLANs carried tagged, sorted, without the PVID.
    pub tagged: Vec<u16>,
    /// The most specific place that had a say.
    pub origin: Origin,
}

impl Wanted {
    /// The same as a port's entries: what the port has once it is as wanted.
    pub fn entries(&self) -> Entries {
        Entries {
            pvid: self.pvid,
            untagged: self.pvid.into_iter().collect(),
            tagged: self.tagged.clone(),
        }
    }
}

/// A guest's port as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortOf<'a> {
    /// Host, by the name that the kernel has.
    pub host: &'a str,
    /// Bridge that it is on.
    pub bridge: &'a str,
    /// Its guest, where it is known.
    pub guest: Option<&'a str>,
    /// Its interface in the domain XML, where it is known.
    pub interface: Option<&'a Interface>,
    /// [`facts::domain::Guest::metadata_vlans`].
    pub metadata: Option<&'a str>,
}

impl VlanMap {
    /// Takes the VLAN map out of a site.toml. Tables and keys that have nothing to do with VLANs
    /// are passed over, right or wrong.
    ///
    /// # Errors
    /// No TOML, a wrong key in a bridge's plan, or a number that is no VLAN, with its position.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let map: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            SyntaxError::at_offset(text, offset, error.message().to_owned())
        })?;
        map.check(text)?;
        Ok(map)
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        let said = |guest: &GuestPart| guest.pvid.is_some() || guest.tagged.is_some();
        self.bridges.is_empty()
            && self.hosts.values().all(|host| host.bridges.is_empty())
            && !self.guests.values().any(said)
    }

    fn check(&self, text: &str) -> Result<(), SyntaxError> {
        let plans = self.hosts.values().flat_map(|host| &host.bridges);
        let mut numbers: Vec<(&String, u16)> = Vec::new();
        for (name, plan) in plans.chain(&self.bridges) {
            let pvids = [plan.pvid, plan.guest_pvid, plan.host_pvid, plan.uplink_pvid];
            let all = pvids
                .into_iter()
                .flatten()
                .chain(plan.tagged.iter().copied());
            numbers.extend(all.map(|vid| (name, vid)));
        }
        for (name, guest) in &self.guests {
            let tagged = guest.tagged.iter().flatten().copied();
            numbers.extend(guest.pvid.into_iter().chain(tagged).map(|vid| (name, vid)));
        }
        let wrong = numbers
            .into_iter()
            .find(|(_, number)| !(vid::FIRST..=vid::LAST).contains(number));
        let Some((name, number)) = wrong else {
            return Ok(());
        };
        // The table that names it; near enough for a file that a person wrote.
        let headers = [format!(".{name}]"), format!(".\"{name}\"]")];
        let offset = headers.iter().find_map(|header| text.find(header.as_str()));
        let offset = offset.unwrap_or(0);
        Err(SyntaxError::at_offset(
            text,
            offset,
            format!(
                "{name}: {number} is no VLAN: a number from {} to {}",
                vid::FIRST,
                vid::LAST
            ),
        ))
    }

    /// The plan of a bridge on a host: the host's own where it has one, else the site's. A host
    /// is known by its full name or by the part before the first dot.
    pub fn bridge_plan(&self, host: &str, bridge: &str) -> Option<&BridgePlan> {
        let short = host.split('.').next().unwrap_or(host);
        [host, short]
            .into_iter()
            .filter_map(|name| self.hosts.get(name))
            .find_map(|part| part.bridges.get(bridge))
            .or_else(|| self.bridges.get(bridge))
    }

    /// What a port should carry; `None` where nobody says anything of it.
    ///
    /// A guest's table in site.toml counts on bridges that have a plan: its VLANs mean nothing on
    /// a bridge that is not part of the map (libvirt's own NAT network, say).
    ///
    /// # Errors
    /// The domain's metadata are no VLANs, in words.
    pub fn wanted(&self, port: &PortOf<'_>) -> Result<Option<Wanted>, String> {
        let plan = self.bridge_plan(port.host, port.bridge);
        let metadata = port.metadata.map(VlanWish::of_metadata).transpose()?;
        let own = port.interface.and_then(VlanWish::of_interface);
        let base = own
            .map(|wish| (wish, Origin::Interface))
            .or_else(|| Some((metadata?, Origin::Metadata)))
            .or_else(|| {
                let plan = plan?;
                let wish = VlanWish {
                    pvid: plan.guest(),
                    tagged: plan.tagged.clone(),
                };
                Some((wish, Origin::Bridge))
            });
        let Some((mut wish, mut origin)) = base else {
            return Ok(None);
        };
        let guest = port.guest.and_then(|name| self.guests.get(name));
        if let Some(guest) = guest.filter(|_| plan.is_some()) {
            if guest.pvid.is_some() {
                (wish.pvid, origin) = (guest.pvid, Origin::Guest);
            }
            if let Some(tagged) = &guest.tagged {
                wish.tagged.clone_from(tagged);
                origin = Origin::Guest;
            }
        }
        wish.tagged.sort_unstable();
        wish.tagged.dedup();
        wish.tagged.retain(|vid| Some(*vid) != wish.pvid);
        if wish.pvid.is_none() && wish.tagged.is_empty() && origin == Origin::Bridge {
            return Ok(None);
        }
        Ok(Some(Wanted {
            pvid: wish.pvid,
            tagged: wish.tagged,
            origin,
        }))
    }
}

impl From<&Site> for VlanMap {
    fn from(site: &Site) -> Self {
        let host = |host: &crate::site::Host| HostPart {
            bridges: host.bridges.clone(),
        };
        let guest = |guest: &crate::site::Guest| GuestPart {
            pvid: guest.pvid,
            tagged: guest.tagged.clone(),
        };
        Self {
            hosts: site
                .hosts
                .iter()
                .map(|(n, h)| (n.clone(), host(h)))
                .collect(),
            guests: site
                .guests
                .iter()
                .map(|(n, g)| (n.clone(), guest(g)))
                .collect(),
            bridges: site.bridges.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
