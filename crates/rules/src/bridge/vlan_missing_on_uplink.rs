//! `bridge/vlan-missing-on-uplink`: a VLAN that guests use and that does not leave the host.

use super::{entry_evidence, is_libvirts, port_name, some_of};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::bridge::{Bridge, Port, Role, vid::short};
use model::Estate;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/vlan-missing-on-uplink",
    summary: "a VLAN of the plan or of a guest is carried by no uplink",
    needs: &[Source::Bridges],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A VLAN that the VLAN map or a guest's port uses on a filtering bridge and that none of the bridge's
uplinks carries, tagged or untagged.

## Why it matters
Guests on that VLAN reach each other on this host and nobody else. After a failover or a move to
this host the service is up and unreachable.

## Evidence
The VLANs of guests' ports and uplinks from the kernel, the plan from site.toml. Without a plan only
guests' PVIDs are looked at, and a VLAN that two or more guests share without any uplink is taken
for a local network on purpose.

## Example
    vnet3       100 PVID Egress Untagged
    enp65s0f0   1 PVID Egress Untagged, 10, 20

## Remedy
`bridge vlan add dev UPLINK vid N`: adding a VLAN disturbs no other. The switch's port must allow it
(switch/allowed-vlan-missing), and the profile must say it as well (bridge/not-persistent).

## When to ignore it
A network that is local to the host on purpose: leave its VLAN out of the plan.

## References
bridge(8), `vlan`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        let uplinks: Vec<&Port> = bridge.uplinks().collect();
        let Some(first) = uplinks.first() else {
            continue;
        };
        if bridge.vlan_filtering != Some(true) || is_libvirts(host.snapshot, bridge) {
            continue;
        }
        for (vid, users) in missing(host.estate, host.name(), bridge) {
            let finding = finding(host, bridge, first, vid, &users);
            report.find(finding);
        }
    }
}

/// VLANs that should leave a host over a bridge and that no uplink carries, with the guests' ports
/// that use them.
pub fn missing<'a>(
    estate: &Estate,
    host: &str,
    bridge: &'a Bridge,
) -> BTreeMap<u16, Vec<&'a Port>> {
    let mut missing = wanted(estate, host, bridge);
    missing.retain(|vid, _| !bridge.uplinks().any(|uplink| uplink.carries(*vid)));
    missing
}

/// VLANs that must leave the host, with the guests' ports that use them.
fn wanted<'a>(estate: &Estate, host: &str, bridge: &'a Bridge) -> BTreeMap<u16, Vec<&'a Port>> {
    let mut wanted: BTreeMap<u16, Vec<&Port>> = BTreeMap::new();
    let guests = || bridge.ports.iter().filter(|p| p.role == Role::Guest);
    let Some(plan) = estate.bridge_plan(host, &bridge.name) else {
        for port in guests() {
            if let Some(pvid) = port.pvid {
                wanted.entry(pvid).or_default().push(port);
            }
        }
        wanted.retain(|_, users| users.len() == 1);
        return wanted;
    };
    let planned = plan.tagged.iter().copied();
    for vid in planned.chain(plan.guest()).chain(plan.host()) {
        wanted.entry(vid).or_default();
    }
    for port in guests() {
        let intent = port.guest.as_deref().and_then(|g| estate.intent(g));
        if let Some(pvid) = intent.and_then(|i| i.pvid) {
            wanted.entry(pvid).or_default();
        }
        for vid in intent.and_then(|i| i.tagged.as_deref()).unwrap_or_default() {
            wanted.entry(*vid).or_default();
        }
    }
    for (vid, users) in &mut wanted {
        users.extend(guests().filter(|p| p.carries(*vid)));
    }
    wanted
}

fn finding(host: &Host<'_>, bridge: &Bridge, uplink: &Port, vid: u16, users: &[&Port]) -> Finding {
    let untagged = |port: &&&Port| port.pvid == Some(vid);
    let cut: Vec<String> = users
        .iter()
        .filter(untagged)
        .map(|p| port_name(p))
        .collect();
    let important = users.iter().filter(untagged).any(|port| {
        port.guest
            .as_deref()
            .is_some_and(|g| host.estate.is_important(g))
    });
    let severity = if important {
        Severity::Error
    } else {
        Severity::Warning
    };
    let vlan = short(&[vid]);
    let names: Vec<String> = users.iter().map(|p| port_name(p)).collect();
    let consequence = if !cut.is_empty() {
        format!("Nobody beyond this host reaches {}", some_of(&cut))
    } else if !names.is_empty() {
        format!(
            "What {} send in it does not leave this host",
            some_of(&names)
        )
    } else {
        "A guest that uses it will be unreachable from beyond this host".to_owned()
    };
    Finding::new(
        severity,
        host.name(),
        &bridge.name,
        format!("no uplink of {} carries VLAN {vlan}", bridge.name),
    )
    .consequence(consequence)
    .evidence(entry_evidence(bridge, uplink))
    .evidence_if(users.first().map(|port| entry_evidence(bridge, port)))
    .fix(format!("bridge vlan add dev {} vid {vlan}", uplink.name))
}
