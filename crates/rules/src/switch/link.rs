//! Where a host's uplink ends: the switch port, with the plan and what the host itself does there.

use facts::bridge::{Bridge, Port};
use facts::switch::{Place, Switch, SwitchPort, short_port_name};
use facts::{Evidence, Source};
use model::Estate;
use model::site::{BridgePlan, Uplink};
use std::collections::BTreeMap;

/// One cable between a host and a switch, as far as both ends were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    /// Host.
    pub host: &'a str,
    /// Its interface.
    pub interface: &'a str,
    /// What the site says of it.
    pub uplink: &'a Uplink,
    /// The switch.
    pub switch: &'a Switch,
    /// The port where the cable is now, where a capture tells of it.
    pub port: Option<&'a SwitchPort>,
    /// The plan of the bridge that it carries.
    pub plan: Option<&'a BridgePlan>,
    /// The host's bridge, where the host was read.
    pub bridge: Option<&'a Bridge>,
    /// The uplink's port on that bridge.
    pub end: Option<&'a Port>,
}

/// Every uplink that site.toml names and whose switch was captured.
pub(super) fn links(estate: &Estate) -> Vec<Link<'_>> {
    let Some(site) = &estate.site else {
        return Vec::new();
    };
    let mut links = Vec::new();
    for (host, intent) in &site.hosts {
        for (interface, uplink) in &intent.uplinks {
            let Some(switch) = estate.switches.get(&uplink.switch) else {
                continue;
            };
            let bridge = bridge_of(estate, host, interface, uplink);
            let name = uplink.bridge.as_deref().or(bridge.map(|b| b.name.as_str()));
            links.push(Link {
                host,
                interface,
                uplink,
                switch,
                port: switch.port(uplink.present_port()),
                plan: name.and_then(|name| site.bridge_plan(host, name)),
                bridge,
                end: bridge.and_then(|b| b.ports.iter().find(|p| p.name == *interface)),
            });
        }
    }
    links
}

fn bridge_of<'a>(
    estate: &'a Estate,
    host: &str,
    interface: &str,
    uplink: &Uplink,
) -> Option<&'a Bridge> {
    let snapshot = estate.host(host)?;
    if snapshot.why_unread(Source::Bridges).is_some() {
        return None;
    }
    let mut bridges = snapshot.bridges.iter();
    match &uplink.bridge {
        Some(name) => bridges.find(|bridge| bridge.name == *name),
        None => bridges.find(|bridge| bridge.ports.iter().any(|p| p.name == interface)),
    }
}

impl<'a> Link<'a> {
    /// The switch's name in site.toml.
    pub fn switch_name(&self) -> &'a str {
        &self.uplink.switch
    }

    /// Short name of the port where the cable is now.
    pub fn subject(&self) -> String {
        let name = facts::switch::canonical_port_name(self.uplink.present_port());
        let name = self.port.map(|port| port.name.clone()).or(name);
        name.map_or_else(
            || self.uplink.present_port().to_owned(),
            |name| short_port_name(&name),
        )
    }

    /// The port that decides on VLANs: the port-channel, where the port is a member of one that
    /// was captured as a trunk or access port.
    pub fn effective(&self) -> Option<&'a SwitchPort> {
        let port = self.port?;
        let bundle = port
            .channel_group
            .and_then(|group| self.switch.ports.get(&format!("Port-channel{group}")))
            .filter(|bundle| bundle.mode.is_some() || bundle.trunking.is_some());
        Some(bundle.unwrap_or(port))
    }

    /// `kvm-01's uplink eno1`.
    pub fn whose(&self) -> String {
        format!("{}'s uplink {}", self.host, self.interface)
    }

    /// The uplink in site.toml.
    pub fn site_evidence(&self, estate: &Estate, key: &str) -> Option<Evidence> {
        let host = self.host;
        let table = format!("{host}.uplinks.{}", self.interface);
        let evidence = estate.site_evidence("hosts", &table, Some(key))?;
        match evidence.line {
            Some(_) => Some(evidence),
            None => estate.site_evidence("hosts", host, Some(key)),
        }
    }

    /// VLANs that must come through tagged, each with who needs it: those of the plan and of
    /// the guests that the site puts on this host; without a plan, those that guests' ports and
    /// the uplink both carry now.
    pub fn tagged_needs(&self, estate: &Estate) -> BTreeMap<u16, String> {
        let mut needs = BTreeMap::new();
        let plan = self.plan;
        for vlan in plan.iter().flat_map(|plan| &plan.tagged) {
            needs.insert(*vlan, "the VLAN map in site.toml".to_owned());
        }
        for vlan in plan
            .into_iter()
            .flat_map(|p| [p.guest(), p.host()])
            .flatten()
        {
            needs
                .entry(vlan)
                .or_insert_with(|| "the VLAN map in site.toml".to_owned());
        }
        if plan.is_some()
            && let Some(site) = &estate.site
        {
            let here = site.guests.iter().filter(|(name, guest)| {
                guest.host.as_deref() == Some(self.host)
                    || estate.definitions(name).any(|(at, _)| at.host == self.host)
            });
            for (name, guest) in here {
                for vlan in guest.tagged.iter().flatten().chain(&guest.pvid) {
                    needs
                        .entry(*vlan)
                        .or_insert_with(|| format!("guest {name}"));
                }
            }
        } else if let (Some(bridge), Some(end)) = (self.bridge, self.end) {
            let guests = bridge
                .ports
                .iter()
                .filter(|p| p.role == facts::bridge::Role::Guest);
            for port in guests {
                let vlans = port.tagged.iter().chain(&port.pvid);
                for vlan in vlans.filter(|vlan| end.tagged.contains(vlan)) {
                    let who = port.guest.as_deref().unwrap_or(&port.name);
                    needs
                        .entry(*vlan)
                        .or_insert_with(|| format!("guest port {who}"));
                }
            }
        }
        // The VLAN of the uplink's untagged frames does not come tagged.
        if let Some(untagged) = self.untagged_vlan() {
            needs.remove(&untagged);
        }
        needs
    }

    /// The VLAN that the host means by untagged frames on this cable: as planned, else as it is.
    pub fn untagged_vlan(&self) -> Option<u16> {
        self.plan
            .and_then(BridgePlan::uplink)
            .or_else(|| self.end.and_then(|end| end.pvid))
    }
}

/// A line of a capture as evidence.
pub(super) fn evidence(place: &Place) -> Evidence {
    Evidence::line(&place.file, place.line, &place.text)
}

/// The line that a port's fact was read from.
pub(super) fn fact(port: &SwitchPort, key: &str) -> Option<Evidence> {
    port.place(key).map(evidence)
}

/// The line that a port's fact was read from, with a part of it marked.
pub(super) fn marked(port: &SwitchPort, key: &str, part: &str) -> Option<Evidence> {
    fact(port, key).map(|evidence| evidence.mark(part))
}

/// What the host's end of the cable does, as evidence.
pub(super) fn end_evidence(link: &Link<'_>) -> Option<Evidence> {
    let (bridge, end) = (link.bridge?, link.end?);
    let pvid = end
        .pvid
        .map_or_else(|| "none".to_owned(), |vlan| vlan.to_string());
    let tagged = facts::switch::vlan_list::show(&end.tagged);
    Some(Evidence::measured(
        format!("{}: netlink:{}", link.host, bridge.name),
        format!("{}: PVID {pvid}, tagged {tagged}", end.name),
    ))
}
