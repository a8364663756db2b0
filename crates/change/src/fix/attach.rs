//! `bridge/uplink-not-attached`: the uplink joins its bridge, declared for `nofail net apply`.
//!
//! Refused, with what a person does instead, where joining could do harm: a second way out of a
//! bridge is a loop unless something keeps them apart, and an interface with addresses loses them.

use super::running::{Piece, What, entry, planned};
use super::{Case, Remedy};
use facts::bridge::{Bridge, Port, Role};
use facts::profile::restores;
use rules::bridge::uplink_not_attached::expected;

/// The uplink with the VLANs of site.toml, else of its profile.
pub(super) fn uplink(case: &Case<'_>) -> Remedy {
    let interface = &case.finding.subject;
    match piece(case, interface) {
        Ok(piece) => Remedy::Net(vec![piece]),
        Err(why) => {
            let mut steps = vec![why];
            if let Remedy::ByHand(more) = super::by_hand(case.finding) {
                steps.extend(more);
            }
            Remedy::ByHand(steps)
        }
    }
}

fn piece(case: &Case<'_>, interface: &str) -> Result<Piece, String> {
    let bridge = bridge(case, interface)?;
    may_join(case, interface, bridge)?;
    let what = match entry_of(case, interface, bridge) {
        Some(entry) => What::Entry(entry),
        // Without filtering, VLANs of a port mean nothing.
        None if bridge.vlan_filtering != Some(true) => What::Uplink(interface.to_owned()),
        None => {
            return Err(format!(
                "{} filters by VLAN, and neither site.toml nor a profile says which VLANs {interface} \
                 carries: say it in site.toml, [bridges.{}]",
                bridge.name, bridge.name
            ));
        }
    };
    Ok(Piece {
        bridge: bridge.name.clone(),
        what,
    })
}

/// The one bridge that it should be a port of.
fn bridge<'a>(case: &Case<'a>, interface: &str) -> Result<&'a Bridge, String> {
    let expected = expected(case.estate, case.host);
    let named = |bridge: &&Bridge| {
        let key = (bridge.name.clone(), interface.to_owned());
        expected.contains_key(&key)
    };
    let mut bridges = case.host.bridges.iter().filter(named);
    match (bridges.next(), bridges.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(format!(
            "site.toml and the profiles name several bridges for {interface}: agree on one"
        )),
    }
}

fn may_join(case: &Case<'_>, interface: &str, bridge: &Bridge) -> Result<(), String> {
    if let Some(other) = bridge.uplinks().next() {
        return Err(format!(
            "{} has an uplink, {}: a second one closes a loop through the switch, unless the two are a \
             bond or spanning tree runs; look at the switch first",
            bridge.name, other.name
        ));
    }
    let device = case.host.devices.iter().find(|d| d.name == interface);
    let Some(device) = device else {
        let free = case.host.devices.iter();
        let free = free.filter(|d| d.kind == "physical" && d.controller.is_none());
        let free: Vec<&str> = free.map(|d| d.name.as_str()).collect();
        let free = match free.as_slice() {
            [] => "no interface is without a bridge".to_owned(),
            names => format!("without a bridge: {}", names.join(", ")),
        };
        return Err(format!(
            "there is no interface {interface} on this host ({free}): was it renamed?"
        ));
    };
    if let Some(controller) = &device.controller {
        return Err(format!("{interface} belongs to {controller} now"));
    }
    if !device.addresses.is_empty() {
        return Err(format!(
            "{interface} has addresses of its own ({}), which stop working once it is a port: they \
             belong on the bridge",
            device.addresses.join(", ")
        ));
    }
    Ok(())
}

/// Its VLANs as site.toml plans them, else as its profile would set them; `None` where neither
/// says.
fn entry_of(
    case: &Case<'_>,
    interface: &str,
    bridge: &Bridge,
) -> Option<crate::net::declare::Entry> {
    if bridge.vlan_filtering != Some(true) {
        return None;
    }
    let mut port = Port {
        name: interface.to_owned(),
        role: Role::Uplink,
        ..Port::default()
    };
    let plan = case.estate.bridge_plan(&case.host.host, &bridge.name);
    if plan.is_some_and(|plan| plan.uplink().is_some()) {
        return planned(case, bridge, &port);
    }
    let restored = restores(&case.host.profiles, &bridge.name, Some(interface))?;
    if restored.uncertain.is_some() {
        return None;
    }
    port.pvid = restored.vlans.pvid;
    port.untagged = restored.vlans.untagged;
    port.tagged = restored.vlans.tagged;
    Some(entry(&port))
}
