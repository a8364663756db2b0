//! `bridge/default-pvid-1`: a new port lands in VLAN 1 until somebody moves it.

use super::{entry_evidence, is_libvirts, port_name, some_of};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::bridge::{Bridge, Port, Role};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/default-pvid-1",
    summary: "a new guest port is put into VLAN 1, not into its own VLAN or none",
    needs: &[Source::Bridges],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A VLAN-filtering bridge whose default PVID is 1 although its guests belong to another VLAN, by the
VLAN map or by the ports of those that run now.

## Why it matters
The default is what a guest's port gets when nothing else acts. Guests are on the right VLAN only as
long as a hook moves each port after each start; on the day it did not fire, and every restarted
guest came up in VLAN 1, looking healthy. With a default PVID of 0 such a port carries nothing: the
fault shows at once, and no guest lands in a network that is not its own.

## Evidence
`vlan_default_pvid` of the bridge from the kernel; the PVIDs of guests' ports; the plan.

## Example
    $ ip -d -j link show br-mgmt | jq .[].linkinfo.info_data.vlan_default_pvid
    1

## Remedy
`nmcli connection modify BRIDGE bridge.vlan-default-pvid 0` (or DefaultPVID=none), *after* the
bridge's own entry and each uplink have their VLANs written down explicitly: at the change the
kernel takes VLAN 1 away from every entry that has it as its default, the host's own included. So:
a maintenance window, the console open, and bridge/not-persistent quiet first. Where libvirt is 11.0
or newer, a `<vlan>` in the guest's interface makes the hook itself unnecessary.

## When to ignore it
When VLAN 1 is where a guest may safely land: say so with `default_pvid = 1` in site.toml.

## References
ip-link(8), `vlan_default_pvid`; nm-settings-nmcli(5); libvirt formatdomain, `<vlan>` on interfaces.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        let filters = bridge.vlan_filtering == Some(true) && bridge.default_pvid == Some(1);
        if !filters || is_libvirts(host.snapshot, bridge) || libvirt_sets_vlans(host, bridge) {
            continue;
        }
        let plan = host.estate.bridge_plan(host.name(), &bridge.name);
        let elsewhere: Vec<&Port> = bridge
            .ports
            .iter()
            .filter(|p| p.role == Role::Guest && p.pvid.is_some_and(|pvid| pvid != 1))
            .collect();
        let why = match plan.and_then(|p| p.default_pvid) {
            Some(1) => continue,
            Some(wanted) => format!("the plan says {wanted}"),
            None => match plan.and_then(model::site::BridgePlan::guest) {
                Some(1) => continue,
                Some(pvid) => format!("guests belong to VLAN {pvid}"),
                None if elsewhere.is_empty() => continue,
                None => {
                    let names: Vec<String> = elsewhere.iter().map(|p| port_name(p)).collect();
                    format!("{} are elsewhere", some_of(&names))
                }
            },
        };
        let place = plan.and_then(|_| {
            host.estate
                .site_evidence("bridges", &bridge.name, Some("default_pvid"))
        });
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                &bridge.name,
                format!("new ports of {} get PVID 1; {why}", bridge.name),
            )
            .consequence(
                "Whenever the hook does not fire, a restarted guest comes up in VLAN 1 and nobody reaches it",
            )
            .evidence(Evidence::measured(
                format!("netlink:{}", bridge.name),
                "vlan_filtering 1, vlan_default_pvid 1",
            ))
            .evidence_if(elsewhere.first().map(|port| entry_evidence(bridge, port)))
            .evidence_if(place)
            .fix(format!(
                "first write down the VLANs of {} and its uplinks (bridge/not-persistent); then, in a \
                 maintenance window with the console open, set its default PVID to 0",
                bridge.name
            )),
        );
    }
}

/// Whether libvirt sets the VLANs of every guest on the bridge itself (`<vlan>`, since 11.0).
fn libvirt_sets_vlans(host: &Host<'_>, bridge: &Bridge) -> bool {
    let version = host.snapshot.libvirt_version.as_deref().unwrap_or("");
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    let mut on_it = host
        .snapshot
        .guests
        .iter()
        .flat_map(|guest| &guest.interfaces)
        .filter(|i| i.bridge.as_deref().or(i.source.as_deref()) == Some(bridge.name.as_str()))
        .peekable();
    major >= 11 && on_it.peek().is_some() && on_it.all(|i| !i.vlans.is_empty())
}
