//! `bridge/uplink-not-attached`: a bridge that lacks the uplink it should have.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::bridge::{Bridge, Role};
use facts::{Evidence, Snapshot, Source};
use model::Estate;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/uplink-not-attached",
    summary: "the uplink that site.toml or the profile names is not a port of its bridge",
    needs: &[Source::Bridges],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An interface that site.toml (`[hosts.NAME.uplinks.IF] bridge = …`) or a network profile makes a port
of a bridge, and that is no port of it in the kernel. A physical interface below a bond, or a VLAN of
it, counts as attached.

## Why it matters
A profile that failed to come up, a card whose name changed after a BIOS or kernel update, or a
`brctl delif` that was forgotten: the bridge is there, guests start on it, and nothing leaves the
host.

## Evidence
The ports of the bridge from the kernel; the uplink in site.toml; the profile's file.

## Example
    $ ip -br link show master br-mgmt
    vnet0   UNKNOWN
    vnet1   UNKNOWN

## Remedy
`nofail fix bridge/uplink-not-attached` declares it for `nofail net apply`, which attaches it with the
VLANs of site.toml or of its profile and takes it back unless confirmed. Not so where the bridge has
another uplink (two of them without a bond or spanning tree are a loop), where the interface has
addresses of its own, or is not there under this name: then put the present name into profile and
site.toml, or from the console `nmcli connection up PROFILE` (or the like).

## When to ignore it
An uplink that is unplugged for the time being: take it out of site.toml's `uplinks`.

## References
nm-settings(5), `connection.controller`; systemd.net-naming-scheme(7).
";

/// The uplinks that a host's bridges should have, by bridge and interface, and what says so.
pub fn expected(estate: &Estate, snapshot: &Snapshot) -> BTreeMap<(String, String), Evidence> {
    let mut expected: BTreeMap<(String, String), Evidence> = BTreeMap::new();
    let site = estate.site.as_ref();
    let uplinks = site
        .and_then(|s| s.hosts.get(&snapshot.host))
        .map(|h| &h.uplinks);
    for (interface, uplink) in uplinks.into_iter().flatten() {
        let table = format!("{}.uplinks.{interface}", snapshot.host);
        if let Some(bridge) = &uplink.bridge
            && let Some(evidence) = estate.site_evidence("hosts", &table, Some("bridge"))
        {
            expected.insert((bridge.clone(), interface.clone()), evidence);
        }
    }
    for profile in snapshot.profiles.iter().filter(|p| p.counts()) {
        if let (Some(controller), Some(interface)) = (&profile.controller, &profile.interface) {
            let evidence = Evidence::line(
                &profile.file,
                profile.line.max(1),
                format!("{interface} is a port of {controller}"),
            );
            expected
                .entry((controller.clone(), interface.clone()))
                .or_insert(evidence);
        }
    }
    expected
}

fn check(host: &Host<'_>, report: &mut Report) {
    for ((name, interface), evidence) in expected(host.estate, host.snapshot) {
        // A controller that is no bridge here (a bond, a bridge by its UUID) is not judged; a
        // bridge that is missing as a whole cannot be told from one that is not used.
        let Some(bridge) = host.snapshot.bridges.iter().find(|b| b.name == name) else {
            continue;
        };
        if attached(host, bridge, &interface) {
            continue;
        }
        let last = bridge.uplinks().next().is_none();
        let severity = if last {
            Severity::Error
        } else {
            Severity::Warning
        };
        report.find(
            Finding::new(
                severity,
                host.name(),
                &interface,
                format!("{interface} should be an uplink of {name} and is not attached to it"),
            )
            .consequence(if last {
                "The bridge has no way out: its guests reach only each other"
            } else {
                "The bridge hangs on its other uplink alone"
            })
            .evidence(evidence)
            .evidence(Evidence::measured(
                format!("netlink:{name}"),
                format!("ports: {}", ports(bridge)),
            ))
            .fix("bring its profile up from the console, or mend the interface's name in it"),
        );
    }
}

fn ports(bridge: &Bridge) -> String {
    let names: Vec<String> = bridge
        .ports
        .iter()
        .filter(|p| p.role != Role::Own)
        .map(|p| p.name.clone())
        .collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names => super::some_of(names),
    }
}

/// Whether the interface, its bond, or a VLAN of either is a port of the bridge.
fn attached(host: &Host<'_>, bridge: &Bridge, interface: &str) -> bool {
    let bond = host
        .snapshot
        .nics
        .iter()
        .find(|nic| nic.name == interface)
        .and_then(|nic| nic.controller.as_deref());
    bridge
        .ports
        .iter()
        .filter(|p| p.role != Role::Own)
        .any(|port| {
            std::iter::once(interface).chain(bond).any(|name| {
                port.name == name
                    || port
                        .name
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        })
}
