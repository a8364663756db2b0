//! The declared state laid over the present one: what the kernel should have in the end.

use super::declare::{Declared, Gateways, parse_address};
use super::difference::Scope;
use super::state::{Device, Settings, State, Vlans};
use facts::bridge::Role;
use facts::ip::{Address, Hop, Route, TABLE_MAIN};
use std::net::IpAddr;
use thiserror::Error;

/// RTPROT_STATIC (linux/rtnetlink.h).
const PROTOCOL_STATIC: u8 = 4;

/// Why a declared state does not fit this host.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// There is no such device.
    #[error("this host has no interface {0}; `net apply` makes bridges and nothing else")]
    NoDevice(String),
    /// There is no such bridge, and nobody said to make one.
    #[error("this host has no bridge {0}; to make it, write `create = true` under [bridges.{0}]")]
    NotThere(String),
    /// A device of that name is something else.
    #[error("{0} is {1}, no bridge")]
    NoBridge(String, String),
    /// A bridge stands where only other interfaces may.
    #[error("{0} is a bridge: declare it as [bridges.{0}]")]
    IsBridge(String),
    /// The kernel has no VLAN filtering.
    #[error("this kernel has no VLAN filtering on bridges (CONFIG_BRIDGE_VLAN_FILTERING): {0}")]
    NoVlans(String),
    /// A port is one already, of something that is no bridge.
    #[error("{0} belongs to {1}, which is no bridge")]
    Taken(String, String),
    /// A guest's port is asked to leave.
    #[error("{0} is the port of a guest: detach it through libvirt")]
    GuestPort(String),
}

/// What should be, and which devices that concerns.
#[derive(Clone, Debug)]
pub struct Target {
    /// The state.
    pub state: State,
    /// The devices it speaks of, with those that its bridges' settings take along.
    pub scope: Scope,
}

/// Lays the declared state over the present one.
///
/// # Errors
/// [`TargetError`]: it names what is not there, or what cannot be.
pub fn target(declared: &Declared, now: &State, has_vlans: bool) -> Result<Target, TargetError> {
    let mut target = Target {
        state: now.clone(),
        scope: Scope {
            has_vlans,
            ..Scope::default()
        },
    };
    for (name, wanted) in &declared.bridges {
        target.bridge(name, wanted)?;
    }
    for (name, wanted) in &declared.interfaces {
        let device = target.device(name)?;
        if device.bridge.is_some() {
            return Err(TargetError::IsBridge(name.clone()));
        }
        if let Some(up) = wanted.up {
            device.up = up;
        }
        target.addresses(name, wanted.addresses.as_deref());
        target.gateways(name, &wanted.gateway);
    }
    target.state.routes.sort();
    Ok(target)
}

impl Target {
    fn device(&mut self, name: &str) -> Result<&mut Device, TargetError> {
        self.scope.devices.insert(name.to_owned());
        self.state
            .devices
            .get_mut(name)
            .ok_or_else(|| TargetError::NoDevice(name.to_owned()))
    }

    fn bridge(&mut self, name: &str, wanted: &super::declare::Bridge) -> Result<(), TargetError> {
        let has_vlans = self.scope.has_vlans;
        let speaks_of_vlans = wanted.vlan_filtering == Some(true)
            || wanted.default_pvid.is_some()
            || wanted.pvid.is_some()
            || wanted.untagged.is_some()
            || wanted.tagged.is_some()
            || wanted
                .ports
                .values()
                .any(|p| *p != super::declare::Port::default());
        if speaks_of_vlans && !has_vlans {
            return Err(TargetError::NoVlans(format!("[bridges.{name}] sets VLANs")));
        }
        if !wanted.create && !self.state.devices.contains_key(name) {
            return Err(TargetError::NotThere(name.to_owned()));
        }
        let new = || Device {
            kind: "bridge".to_owned(),
            bridge: Some(Settings {
                vlan_filtering: false,
                default_pvid: has_vlans.then_some(1),
            }),
            vlans: has_vlans.then(|| Vlans::of_default(Some(1))),
            ..Device::default()
        };
        let device = self
            .state
            .devices
            .entry(name.to_owned())
            .or_insert_with(new);
        let Some(settings) = &mut device.bridge else {
            return Err(TargetError::NoBridge(name.to_owned(), device.kind.clone()));
        };
        settings.vlan_filtering = wanted.vlan_filtering.unwrap_or(settings.vlan_filtering);
        if let Some(pvid) = wanted.default_pvid {
            settings.default_pvid = Some(pvid);
        }
        let default = settings.default_pvid;
        device.up = true;
        if let Some(vlans) = &mut device.vlans {
            overlay(
                vlans,
                wanted.pvid,
                wanted.untagged.as_deref(),
                wanted.tagged.as_deref(),
            );
        }
        self.scope.devices.insert(name.to_owned());
        self.addresses(name, wanted.addresses.as_deref());
        self.gateways(name, &wanted.gateway);
        for port in wanted.uplinks.iter().flatten() {
            self.port(name, port, default, &super::declare::Port::default())?;
        }
        for (port, vlans) in &wanted.ports {
            self.port(name, port, default, vlans)?;
        }
        if let Some(uplinks) = &wanted.uplinks {
            let others: Vec<String> = self
                .state
                .ports(name)
                .filter(|(port, d)| {
                    d.role == Some(Role::Uplink)
                        && !uplinks.contains(port)
                        && !wanted.ports.contains_key(*port)
                })
                .map(|(port, _)| port.clone())
                .collect();
            for port in others {
                self.leave(name, &port)?;
            }
        }
        for port in &wanted.remove {
            self.leave(name, port)?;
        }
        if wanted.default_pvid.is_some() {
            // A change of the default moves ports that nobody named; they are to stay as they are.
            let ports: Vec<String> = self.state.ports(name).map(|(p, _)| p.clone()).collect();
            self.scope.devices.extend(ports);
        }
        Ok(())
    }

    fn port(
        &mut self,
        bridge: &str,
        port: &str,
        default: Option<u16>,
        wanted: &super::declare::Port,
    ) -> Result<(), TargetError> {
        let has_vlans = self.scope.has_vlans;
        let belongs = self.device(port)?.controller.clone();
        if let Some(controller) = belongs.as_deref().filter(|c| *c != bridge) {
            let is_bridge = self
                .state
                .devices
                .get(controller)
                .is_some_and(|d| d.bridge.is_some());
            if !is_bridge {
                return Err(TargetError::Taken(port.to_owned(), controller.to_owned()));
            }
        }
        let device = self.device(port)?;
        if belongs.as_deref() != Some(bridge) {
            device.controller = Some(bridge.to_owned());
            device.vlans = has_vlans.then(|| Vlans::of_default(default));
        }
        device.up = true;
        if let Some(vlans) = &mut device.vlans {
            overlay(
                vlans,
                wanted.pvid,
                wanted.untagged.as_deref(),
                wanted.tagged.as_deref(),
            );
        }
        Ok(())
    }

    fn leave(&mut self, bridge: &str, port: &str) -> Result<(), TargetError> {
        let device = self.device(port)?;
        if device.role == Some(Role::Guest) {
            return Err(TargetError::GuestPort(port.to_owned()));
        }
        if device.controller.as_deref() == Some(bridge) {
            device.controller = None;
            device.vlans = None;
            device.role = None;
        }
        Ok(())
    }

    /// Every address of the list, those that are there with the attributes that they have.
    fn addresses(&mut self, name: &str, wanted: Option<&[String]>) {
        let Some(wanted) = wanted else { return };
        let Some(device) = self.state.devices.get_mut(name) else {
            return;
        };
        let old = std::mem::take(&mut device.addresses);
        for (local, prefix) in wanted.iter().filter_map(|text| parse_address(text)) {
            let there = old.iter().find(|a| (a.local, a.prefix) == (local, prefix));
            device.addresses.push(
                there
                    .cloned()
                    .unwrap_or_else(|| Address::new(name, local, prefix)),
            );
        }
        let kept = old
            .into_iter()
            .filter(|a| a.local.is_ipv6() && a.scope == 253);
        device.addresses.extend(kept);
        // Routes that an address takes with it when it goes.
        let addresses: Vec<IpAddr> = device.addresses.iter().map(|a| a.local).collect();
        self.state
            .routes
            .retain(|r| !(r.uses(name) && r.source.is_some_and(|s| !addresses.contains(&s))));
    }

    fn gateways(&mut self, name: &str, wanted: &Gateways) {
        for gateway in wanted.list() {
            let v6 = gateway.is_ipv6();
            let default = |r: &Route| {
                r.v6 == v6 && r.destination.is_none() && r.prefix == 0 && r.table == TABLE_MAIN
            };
            let of_device: Vec<Route> = self
                .state
                .routes
                .iter()
                .filter(|r| default(r) && r.uses(name))
                .cloned()
                .collect();
            let same = |r: &&Route| r.hops.iter().all(|h| h.via == Some(*gateway));
            let keep = of_device.iter().find(same).cloned();
            self.state.routes.retain(|r| !of_device.contains(r));
            self.state.routes.push(keep.unwrap_or_else(|| Route {
                v6,
                destination: None,
                prefix: 0,
                table: TABLE_MAIN,
                protocol: PROTOCOL_STATIC,
                scope: 0,
                metric: of_device.first().and_then(|r| r.metric),
                source: None,
                hops: vec![Hop {
                    device: Some(name.to_owned()),
                    via: Some(*gateway),
                    weight: 1,
                    onlink: false,
                }],
            }));
        }
    }
}

/// A declared list is the whole list; a PVID alone keeps the tagged VLANs.
fn overlay(vlans: &mut Vlans, pvid: Option<u16>, untagged: Option<&[u16]>, tagged: Option<&[u16]>) {
    if pvid.is_none() && untagged.is_none() && tagged.is_none() {
        return;
    }
    if let Some(pvid) = pvid {
        vlans.pvid = Some(pvid).filter(|p| *p != 0);
        vlans.untagged = vlans.pvid.into_iter().collect();
    }
    if let Some(untagged) = untagged {
        vlans.untagged = untagged.iter().copied().collect();
    }
    if let Some(tagged) = tagged {
        vlans.tagged = tagged.iter().copied().collect();
    }
    let pvid_listed = vlans
        .pvid
        .is_some_and(|p| vlans.untagged.contains(&p) || vlans.tagged.contains(&p));
    if !pvid_listed && let Some(pvid) = vlans.pvid {
        vlans.untagged.insert(pvid);
    }
    vlans.tagged = vlans.tagged.difference(&vlans.untagged).copied().collect();
}
