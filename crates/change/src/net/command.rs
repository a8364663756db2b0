//! One command of a change, closed: its words as ip(8) and bridge(8) take them, and what the
//! kernel makes of it.

use super::state::{Device, Settings, State, Vlans};
use facts::ip::{Address, PROTOCOL_KERNEL, Route, TABLE_MAIN};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a bridge.
    AddBridge(String),
    /// Removes a bridge that the change made.
    RemoveBridge(String),
    /// VLAN filtering of a bridge.
    Filtering(String, bool),
    /// PVID of a bridge's new ports, 0 for none.
    DefaultPvid(String, u16),
    /// Makes a device a port of a bridge, or of none.
    Controller(String, Option<String>),
    /// Up or down.
    Up(String, bool),
    /// Adds VLANs to a port, or to a bridge's own entry.
    AddVlan(Entry),
    /// Takes VLANs away.
    RemoveVlan(Entry),
    /// Adds an address, or gives it its attributes.
    AddAddress(Address),
    /// Takes an address away.
    RemoveAddress(Address),
    /// Adds a route, in place of one with the same destination, table and metric.
    AddRoute(Route),
    /// Takes a route away.
    RemoveRoute(Route),
}

/// VLANs in one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Port, or the bridge itself.
    pub device: String,
    /// Whether it is the bridge's own entry.
    pub own: bool,
    /// First VLAN.
    pub first: u16,
    /// Last VLAN.
    pub last: u16,
    /// Whether it is the PVID.
    pub pvid: bool,
    /// Whether it leaves untagged.
    pub untagged: bool,
}

impl Command {
    /// Program and arguments.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::AddBridge(name) => split(&["ip", "link", "add", "name", name, "type", "bridge"]),
            Self::RemoveBridge(name) => split(&["ip", "link", "delete", "dev", name]),
            Self::Filtering(name, on) => split(&[
                "ip",
                "link",
                "set",
                "dev",
                name,
                "type",
                "bridge",
                "vlan_filtering",
                digit(*on),
            ]),
            Self::DefaultPvid(name, pvid) => {
                let pvid = pvid.to_string();
                split(&[
                    "ip",
                    "link",
                    "set",
                    "dev",
                    name,
                    "type",
                    "bridge",
                    "vlan_default_pvid",
                    &pvid,
                ])
            }
            Self::Controller(name, Some(bridge)) => {
                split(&["ip", "link", "set", "dev", name, "master", bridge])
            }
            Self::Controller(name, None) => split(&["ip", "link", "set", "dev", name, "nomaster"]),
            Self::Up(name, on) => split(&[
                "ip",
                "link",
                "set",
                "dev",
                name,
                if *on { "up" } else { "down" },
            ]),
            Self::AddVlan(entry) => entry.words("add"),
            Self::RemoveVlan(entry) => entry.words("del"),
            Self::AddAddress(address) => address_words("replace", address),
            Self::RemoveAddress(address) => split(&[
                "ip",
                "address",
                "del",
                &address.text(),
                "dev",
                &address.device,
            ]),
            Self::AddRoute(route) => route_words("replace", route),
            Self::RemoveRoute(route) => route_words("del", route),
        }
    }

    /// The device that it is about; `None` for a route of several.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::AddBridge(name)
            | Self::RemoveBridge(name)
            | Self::Filtering(name, _)
            | Self::DefaultPvid(name, _)
            | Self::Controller(name, _)
            | Self::Up(name, _) => Some(name),
            Self::AddVlan(entry) | Self::RemoveVlan(entry) => Some(&entry.device),
            Self::AddAddress(address) | Self::RemoveAddress(address) => Some(&address.device),
            Self::AddRoute(route) | Self::RemoveRoute(route) => {
                route.hops.first().and_then(|h| h.device.as_deref())
            }
        }
    }

    /// What the kernel makes of it (`br_vlan.c` for VLANs, `devinet.c` and `fib_frontend.c` for
    /// addresses and routes). `has_vlans` is false on a kernel that was built without VLAN
    /// filtering.
    pub fn apply(&self, state: &mut State, has_vlans: bool) {
        match self {
            Self::AddBridge(name) => {
                let default_pvid = has_vlans.then_some(1);
                let device = Device {
                    kind: "bridge".to_owned(),
                    bridge: Some(Settings {
                        vlan_filtering: false,
                        default_pvid,
                    }),
                    vlans: has_vlans.then(|| Vlans::of_default(default_pvid)),
                    ..Device::default()
                };
                state.devices.insert(name.clone(), device);
            }
            Self::RemoveBridge(name) => {
                state.devices.remove(name);
                state.routes.retain(|r| !r.uses(name));
                for device in state.devices.values_mut() {
                    if device.controller.as_deref() == Some(name) {
                        device.controller = None;
                        device.vlans = None;
                        device.role = None;
                    }
                }
            }
            Self::Filtering(name, on) => {
                if let Some(bridge) = settings(state, name) {
                    bridge.vlan_filtering = *on;
                }
            }
            Self::DefaultPvid(name, pvid) => default_pvid(state, name, *pvid),
            Self::Controller(name, bridge) => {
                let default = bridge
                    .as_ref()
                    .and_then(|b| state.devices.get(b))
                    .and_then(|b| b.bridge)
                    .and_then(|b| b.default_pvid);
                if let Some(device) = state.devices.get_mut(name) {
                    device.controller.clone_from(bridge);
                    device.vlans =
                        (bridge.is_some() && has_vlans).then(|| Vlans::of_default(default));
                    if bridge.is_none() {
                        device.role = None;
                    }
                }
            }
            Self::Up(name, on) => {
                if let Some(device) = state.devices.get_mut(name) {
                    device.up = *on;
                }
                if !*on {
                    state.routes.retain(|r| !r.uses(name));
                }
            }
            Self::AddVlan(entry) => {
                if let Some(vlans) = vlans(state, &entry.device) {
                    entry.add_to(vlans);
                }
            }
            Self::RemoveVlan(entry) => {
                if let Some(vlans) = vlans(state, &entry.device) {
                    for vid in entry.first..=entry.last {
                        vlans.untagged.remove(&vid);
                        vlans.tagged.remove(&vid);
                        vlans.pvid = vlans.pvid.filter(|p| *p != vid);
                    }
                }
            }
            Self::AddAddress(address) => {
                if let Some(device) = state.devices.get_mut(&address.device) {
                    device
                        .addresses
                        .retain(|a| (a.local, a.prefix) != (address.local, address.prefix));
                    device.addresses.push(address.clone());
                }
            }
            Self::RemoveAddress(address) => remove_address(state, address),
            Self::AddRoute(route) => {
                state.routes.retain(|r| !same_place(r, route));
                state.routes.push(route.clone());
                state.routes.sort();
            }
            Self::RemoveRoute(route) => state.routes.retain(|r| r != route),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl Entry {
    fn words(&self, verb: &str) -> Vec<String> {
        let range = if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        };
        let mut words = split(&["bridge", "vlan", verb, "dev", &self.device, "vid", &range]);
        if verb == "add" {
            words.extend(self.pvid.then(|| "pvid".to_owned()));
            words.extend(self.untagged.then(|| "untagged".to_owned()));
        }
        words.extend(self.own.then(|| "self".to_owned()));
        words
    }

    fn add_to(&self, vlans: &mut Vlans) {
        for vid in self.first..=self.last {
            vlans.untagged.remove(&vid);
            vlans.tagged.remove(&vid);
            if self.untagged {
                vlans.untagged.insert(vid);
            } else {
                vlans.tagged.insert(vid);
            }
            if self.pvid {
                vlans.pvid = Some(vid);
            } else {
                vlans.pvid = vlans.pvid.filter(|p| *p != vid);
            }
        }
    }
}

/// Whether a route replaces another: destination, table and metric are a route's place. IPv6
/// routes of one place and several routers live beside each other, and `replace` takes one.
fn same_place(a: &Route, b: &Route) -> bool {
    (a.v6, a.destination, a.prefix, a.table, a.metric)
        == (b.v6, b.destination, b.prefix, b.table, b.metric)
}

/// `__br_vlan_set_default_pvid`: entries that still have the old default get the new one.
fn default_pvid(state: &mut State, bridge: &str, pvid: u16) {
    let Some(settings) = settings(state, bridge) else {
        return;
    };
    let old = settings.default_pvid.unwrap_or(0);
    settings.default_pvid = Some(pvid);
    if old == pvid {
        return;
    }
    for (name, device) in &mut state.devices {
        let own = name == bridge;
        if !own && device.controller.as_deref() != Some(bridge) {
            continue;
        }
        let Some(vlans) = &mut device.vlans else {
            continue;
        };
        let has_old = old != 0 && vlans.pvid == Some(old) && vlans.untagged.contains(&old);
        // The bridge's own entry follows only where it had the old one; a port without any
        // default follows as well.
        let follows = if own || pvid == 0 {
            has_old
        } else {
            old == 0 || has_old
        };
        if !follows || (pvid != 0 && vlans.all().any(|vid| vid == pvid)) {
            continue;
        }
        if old != 0 {
            vlans.untagged.remove(&old);
            vlans.pvid = vlans.pvid.filter(|p| *p != old);
        }
        if pvid != 0 {
            vlans.untagged.insert(pvid);
            vlans.pvid = Some(pvid);
        }
    }
}

/// With the first address of a subnet go the others of it (where the host does not promote them;
/// they are added again in either case), the kernel's own route and those that prefer it as
/// source; with the last one of the family all routes over the device.
fn remove_address(state: &mut State, gone: &Address) {
    let Some(device) = state.devices.get_mut(&gone.device) else {
        return;
    };
    let same = |a: &Address| (a.local, a.prefix) == (gone.local, gone.prefix);
    let primary = device.addresses.iter().any(|a| same(a) && !a.secondary);
    device.addresses.retain(|a| {
        let follows = primary
            && a.secondary
            && a.local.is_ipv4()
            && a.prefix == gone.prefix
            && gone.covers(a.local);
        !same(a) && !follows
    });
    let v6 = gone.local.is_ipv6();
    let last = !device.addresses.iter().any(|a| a.local.is_ipv6() == v6);
    state.routes.retain(|r| {
        let drops = r.source == Some(gone.local) || (last && !v6 && !r.v6);
        !(drops && r.uses(&gone.device))
    });
}

fn settings<'a>(state: &'a mut State, bridge: &str) -> Option<&'a mut Settings> {
    state.devices.get_mut(bridge)?.bridge.as_mut()
}

fn vlans<'a>(state: &'a mut State, device: &str) -> Option<&'a mut Vlans> {
    state.devices.get_mut(device)?.vlans.as_mut()
}

fn digit(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

fn split(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn address_words(verb: &str, address: &Address) -> Vec<String> {
    let mut words = match address.peer {
        Some(peer) => split(&[
            "ip",
            "address",
            verb,
            &address.local.to_string(),
            "peer",
            &format!("{peer}/{}", address.prefix),
        ]),
        None => split(&["ip", "address", verb, &address.text()]),
    };
    words.extend(split(&["dev", &address.device]));
    let mut more = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([key.to_owned(), value]);
        }
    };
    more("broadcast", address.broadcast.map(|b| b.to_string()));
    more("label", address.label.clone());
    more("metric", address.metric.map(|m| m.to_string()));
    more(
        "scope",
        Some(address.scope)
            .filter(|s| *s != 0)
            .map(|s| s.to_string()),
    );
    more("valid_lft", address.valid.map(|v| v.to_string()));
    more("preferred_lft", address.preferred.map(|p| p.to_string()));
    words.extend(address.no_prefix_route.then(|| "noprefixroute".to_owned()));
    words
}

fn route_words(verb: &str, route: &Route) -> Vec<String> {
    let family = if route.v6 { "-6" } else { "-4" };
    let mut words = split(&["ip", family, "route", verb, &route.destination_text()]);
    if let [hop] = route.hops.as_slice() {
        hop_words(hop, route, &mut words);
    }
    let mut more = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([key.to_owned(), value]);
        }
    };
    more(
        "table",
        Some(route.table)
            .filter(|t| *t != TABLE_MAIN)
            .map(|t| t.to_string()),
    );
    more("proto", Some(route.protocol.to_string()));
    more(
        "scope",
        Some(route.scope).filter(|s| *s != 0).map(|s| s.to_string()),
    );
    more("src", route.source.map(|s| s.to_string()));
    more("metric", route.metric.map(|m| m.to_string()));
    if let [_, _, ..] = route.hops.as_slice() {
        for hop in &route.hops {
            words.push("nexthop".to_owned());
            hop_words(hop, route, &mut words);
            words.extend(["weight".to_owned(), hop.weight.to_string()]);
        }
    }
    words
}

fn hop_words(hop: &facts::ip::Hop, route: &Route, words: &mut Vec<String>) {
    if let Some(via) = hop.via {
        words.push("via".to_owned());
        if via.is_ipv6() != route.v6 {
            words.push(if via.is_ipv6() { "inet6" } else { "inet" }.to_owned());
        }
        words.push(via.to_string());
    }
    if let Some(device) = &hop.device {
        words.extend(["dev".to_owned(), device.clone()]);
    }
    words.extend(hop.onlink.then(|| "onlink".to_owned()));
}

/// Whether a route is the kernel's own, of an address.
pub(super) fn is_kernels(route: &Route) -> bool {
    route.protocol == PROTOCOL_KERNEL
}
