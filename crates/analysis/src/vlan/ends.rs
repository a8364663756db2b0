//! Who speaks on a host: guests by their ports, the host itself by its addresses; and the wires.

use super::net::{Kind, Net, Node};
use facts::Snapshot;
use facts::bridge::Role;
use model::Estate;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One end of a host's network that is no wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Guest; `None` is the host itself.
    pub guest: Option<String>,
    /// Device: the guest's port or macvtap, the host's own interface.
    pub device: String,
    /// That device.
    pub node: Node,
    /// Whether frames start with the device sending them (the host's stack, a macvtap's guest) and
    /// not with it receiving them (a tap's guest).
    pub stack: bool,
    /// Addresses, for the host.
    pub addresses: Vec<String>,
    /// Bridge on whose VLANs it depends, where it hangs on one.
    pub bridge: Option<Node>,
}

/// The ends of a host: itself first, then its guests by name.
pub fn ends(estate: &Estate, snapshot: &Snapshot, net: &Net) -> Vec<End> {
    let mut ends = own_ends(estate, snapshot, net);
    let mut guests: BTreeMap<(String, String), End> = BTreeMap::new();
    let mut add = |guest: &str, device: &str| {
        let Some(node) = net.node(device) else { return };
        let end = End {
            guest: Some(guest.to_owned()),
            device: device.to_owned(),
            node,
            stack: matches!(net.item(node).kind, Kind::Macvlan { .. }),
            addresses: Vec::new(),
            bridge: net.item(node).controller,
        };
        guests.insert((guest.to_owned(), device.to_owned()), end);
    };
    for guest in &snapshot.guests {
        for device in guest.interfaces.iter().filter_map(|i| i.target.as_deref()) {
            add(&guest.name, device);
        }
    }
    for port in snapshot.bridges.iter().flat_map(|b| &b.ports) {
        match (&port.guest, port.role) {
            (Some(guest), _) => add(guest, &port.name),
            // A guest's port by its name alone: nobody told whose.
            (None, Role::Guest) => add("?", &port.name),
            _ => {}
        }
    }
    ends.extend(guests.into_values());
    ends
}

/// The host's own ends: interfaces with addresses, as the kernel has them, else as profiles tell.
fn own_ends(estate: &Estate, snapshot: &Snapshot, net: &Net) -> Vec<End> {
    let mut own: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for device in &snapshot.devices {
        if !device.addresses.is_empty() {
            own.insert(device.name.clone(), device.addresses.clone());
        }
    }
    if snapshot.devices.is_empty() {
        let profiles = snapshot.profiles.iter().filter(|p| p.counts());
        for profile in profiles.filter(|p| !p.addresses.is_empty()) {
            if let Some(interface) = &profile.interface {
                own.insert(interface.clone(), profile.addresses.clone());
            }
        }
        for bridge in &snapshot.bridges {
            let planned = estate.bridge_plan(&snapshot.host, &bridge.name);
            if planned.is_some_and(|plan| plan.host().is_some()) {
                own.entry(bridge.name.clone()).or_default();
            }
        }
    }
    let end = |(device, addresses): (String, Vec<String>)| {
        let node = net.node(&device)?;
        let is_edge = net.item(node).kind == Kind::Edge && net.item(node).port.role == Role::Guest;
        (!is_edge).then(|| End {
            guest: None,
            bridge: bridge_below(net, node),
            device,
            node,
            stack: true,
            addresses,
        })
    };
    own.into_iter().filter_map(end).collect()
}

/// The bridge that a device is, or stands on.
fn bridge_below(net: &Net, node: Node) -> Option<Node> {
    match net.item(node).kind {
        Kind::Bridge => Some(node),
        Kind::Vlan { lower, .. } => bridge_below(net, lower),
        _ => None,
    }
}

/// The wires of a host: real interfaces and uplinks, and what site.toml names as such.
pub fn wires(estate: &Estate, snapshot: &Snapshot, net: &Net) -> BTreeSet<Node> {
    let physical = snapshot
        .devices
        .iter()
        .filter(|d| d.kind == "physical")
        .map(|d| d.name.as_str());
    let ports = snapshot.bridges.iter().flat_map(|b| b.uplinks());
    let site = estate.site.as_ref();
    let named = site.and_then(|s| s.hosts.get(&snapshot.host));
    physical
        .chain(ports.map(|p| p.name.as_str()))
        .chain(
            named
                .into_iter()
                .flat_map(|h| h.uplinks.keys().map(String::as_str)),
        )
        .filter_map(|name| net.node(name))
        .filter(|node| net.item(*node).kind == Kind::Edge)
        .collect()
}

/// The devices between an end and the nearest of the wires, both included, whatever VLANs say;
/// `None` where nothing leads out.
pub fn route(net: &Net, from: Node, wires: &BTreeSet<Node>) -> Option<Vec<Node>> {
    let mut before: BTreeMap<Node, Option<Node>> = BTreeMap::from([(from, None)]);
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        if wires.contains(&node) {
            let mut route = vec![node];
            let mut at = node;
            while let Some(Some(earlier)) = before.get(&at) {
                route.push(*earlier);
                at = *earlier;
            }
            route.reverse();
            return Some(route);
        }
        let item = net.item(node);
        let mut next: Vec<Node> = item.ports.clone();
        next.extend(item.controller);
        next.extend(item.vlans.values());
        next.extend(&item.macvlans);
        next.extend(match item.kind {
            Kind::Vlan { lower, .. } | Kind::Macvlan { lower, .. } => Some(lower),
            Kind::Veth { peer } => Some(peer),
            _ => None,
        });
        for later in next {
            if let Entry::Vacant(entry) = before.entry(later) {
                entry.insert(Some(node));
                queue.push_back(later);
            }
        }
    }
    None
}
