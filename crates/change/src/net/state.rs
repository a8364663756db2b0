//! The network of one host as the kernel has it: what is recorded before a change.

use facts::bridge::{Bridge, Entries, Link, LinkKind, Port, Role};
use facts::ip::{Address, PROTOCOL_KERNEL, Route};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Devices with all that a change may touch, and routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Devices by name.
    pub devices: BTreeMap<String, Device>,
    /// Unicast routes of every table but `local`.
    pub routes: Vec<Route>,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Kind of link as the kernel names it, `physical` and `plain` for those without one.
    pub kind: String,
    /// Its role on its bridge, where it is a port.
    pub role: Option<Role>,
    /// Guest that a port belongs to, where the live status XML told.
    pub guest: Option<String>,
    /// Whether the administrator has it up.
    pub up: bool,
    /// Operational state.
    pub operational: Option<String>,
    /// Bridge (or bond) that it belongs to.
    pub controller: Option<String>,
    /// Device that it rests on (a VLAN's).
    pub lower: Option<String>,
    /// Settings, where it is a bridge.
    pub bridge: Option<Settings>,
    /// VLANs, as a port or as a bridge's own entry; `None` where the kernel told none.
    pub vlans: Option<Vlans>,
    /// Addresses in the kernel's order.
    pub addresses: Vec<Address>,
}

/// Settings of a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether it filters by VLAN.
    pub vlan_filtering: bool,
    /// PVID of new ports, 0 for none; `None` on a kernel without VLAN filtering.
    pub default_pvid: Option<u16>,
}

/// VLANs of a port or of a bridge's own entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlans {
    /// VLAN of frames that come in untagged.
    pub pvid: Option<u16>,
    /// VLANs that leave untagged.
    pub untagged: BTreeSet<u16>,
    /// VLANs that leave tagged.
    pub tagged: BTreeSet<u16>,
}

impl Vlans {
    /// What a new port gets of a bridge's default PVID.
    pub fn of_default(pvid: Option<u16>) -> Self {
        let pvid = pvid.filter(|p| *p != 0);
        Self {
            pvid,
            untagged: pvid.into_iter().collect(),
            tagged: BTreeSet::new(),
        }
    }

    /// Every VLAN.
    pub fn all(&self) -> impl Iterator<Item = u16> {
        self.untagged.union(&self.tagged).copied()
    }
}

impl State {
    /// From what the kernel told.
    pub fn new(links: &[Link], addresses: Vec<Address>, mut routes: Vec<Route>) -> Self {
        let names: BTreeMap<u32, &str> = links.iter().map(|l| (l.index, l.name.as_str())).collect();
        let name = |index: Option<u32>| index.and_then(|i| names.get(&i)).map(|n| (*n).to_owned());
        let mut devices: BTreeMap<String, Device> = links
            .iter()
            .map(|link| (link.name.clone(), device(link, &name)))
            .collect();
        for bridge in facts::bridge::assemble(links) {
            for port in bridge.ports.iter().filter(|p| p.role != Role::Own) {
                if let Some(device) = devices.get_mut(&port.name) {
                    device.role = Some(port.role);
                }
            }
        }
        for address in addresses {
            if let Some(device) = devices.get_mut(&address.device) {
                device.addresses.push(address);
            }
        }
        routes.sort();
        Self { devices, routes }
    }

    /// Its bridges with their ports, as analyses know them. Operational states are those read.
    pub fn bridges(&self) -> Vec<Bridge> {
        let of_bridge = |(name, device): (&String, &Device)| {
            let settings = device.bridge?;
            let mut ports = vec![port(name, device, Role::Own)];
            ports.extend(self.ports(name).map(|(name, port_device)| {
                port(name, port_device, port_device.role.unwrap_or_default())
            }));
            let mut bridge = Bridge {
                name: name.clone(),
                vlan_filtering: Some(settings.vlan_filtering),
                default_pvid: settings.default_pvid,
                state: device.operational.clone(),
                ports,
                ..Bridge::default()
            };
            bridge.sort();
            Some(bridge)
        };
        self.devices.iter().filter_map(of_bridge).collect()
    }

    /// The ports of a bridge.
    pub fn ports<'a>(&'a self, bridge: &'a str) -> impl Iterator<Item = (&'a String, &'a Device)> {
        self.devices
            .iter()
            .filter(move |(_, d)| d.controller.as_deref() == Some(bridge))
    }

    /// The device that has an address.
    pub fn device_of(&self, address: std::net::IpAddr) -> Option<&str> {
        self.devices
            .iter()
            .find(|(_, d)| d.addresses.iter().any(|a| a.local == address))
            .map(|(name, _)| name.as_str())
    }

    /// Routes over a device; `own` leaves out those that the kernel makes by itself.
    pub fn routes_over<'a>(
        &'a self,
        device: &'a str,
        own: bool,
    ) -> impl Iterator<Item = &'a Route> {
        self.routes
            .iter()
            .filter(move |r| r.uses(device) && (own || r.protocol != PROTOCOL_KERNEL))
    }
}

fn device(link: &Link, name: &dyn Fn(Option<u32>) -> Option<String>) -> Device {
    let (kind, bridge) = match &link.kind {
        LinkKind::Physical => ("physical", None),
        LinkKind::Plain => ("plain", None),
        LinkKind::Kind(kind) => (kind.as_str(), None),
        LinkKind::Bridge {
            vlan_filtering,
            default_pvid,
            ..
        } => (
            "bridge",
            Some(Settings {
                vlan_filtering: vlan_filtering.unwrap_or(false),
                default_pvid: *default_pvid,
            }),
        ),
    };
    let vlans = link.vlans.as_deref().map(|entries| {
        let entries = Entries::flat(entries);
        Vlans {
            pvid: entries.pvid,
            untagged: entries.untagged.into_iter().collect(),
            tagged: entries.tagged.into_iter().collect(),
        }
    });
    Device {
        kind: kind.to_owned(),
        up: link.admin_up.unwrap_or(false),
        operational: link.state.clone(),
        controller: name(link.controller),
        lower: name(link.lower),
        bridge,
        vlans,
        ..Device::default()
    }
}

fn port(name: &str, device: &Device, role: Role) -> Port {
    let vlans = device.vlans.clone().unwrap_or_default();
    Port {
        name: name.to_owned(),
        role,
        pvid: vlans.pvid,
        untagged: vlans.untagged.into_iter().collect(),
        tagged: vlans.tagged.into_iter().collect(),
        guest: device.guest.clone(),
        state: device.operational.clone(),
        link: Some(device.kind.clone()),
        ..Port::default()
    }
}
