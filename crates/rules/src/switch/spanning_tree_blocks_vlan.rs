//! `switch/spanning-tree-blocks-vlan`: a VLAN that a host needs does not forward on its uplink.

use super::link::{Link, evidence, fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{SwitchPort, vlan_list};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/spanning-tree-blocks-vlan",
    summary: "the switch does not forward a VLAN on the uplink of a host that needs it",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A VLAN that a host needs over its uplink, allowed there, and not forwarding: blocked or broken
(inconsistent) in spanning tree, or pruned by VTP (error). Still listening or learning: a warning.

## Why it matters
The VLAN is in the list and on every drawing, and its frames are dropped all the same. A block on
an uplink mostly means a second path: two hosts' bridges joined by a guest, or a cable too many.
`PVID_Inc` and `TYPE_Inc` mean that a switch behind the cable has another native VLAN or no trunk.

## Evidence
`show spanning-tree`, or the table *Vlans in spanning tree forwarding state and not pruned* of
`show interfaces trunk`.

## Example
    Te1/0/2             Desg BKN*2000      128.2    P2p *PVID_Inc

## Remedy
Find the second path or the other switch behind the cable (`show spanning-tree inconsistentports`,
`show mac address-table interface PORT`). Do not turn spanning tree off.

## When to ignore it
A redundant uplink without a bond, whose second leg is to stay blocked: name only the forwarding
one in site.toml.

## References
IEEE 802.1Q, 13 (spanning tree); Cisco IOS, `show spanning-tree`, `vtp pruning`.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let Some(port) = link.effective() else {
            continue;
        };
        let mut needs: Vec<u16> = link.tagged_needs(estate).into_keys().collect();
        needs.extend(link.untagged_vlan().filter(|_| link.plan.is_some()));
        // What the trunk does not even allow is told by switch/allowed-vlan-missing, what the
        // switch does not have by switch/vlan-missing-on-switch.
        let listed =
            |list: &Option<Vec<u16>>, vlan: &u16| list.as_ref().is_none_or(|l| l.contains(vlan));
        needs.retain(|vlan| listed(&port.allowed_vlans, vlan) && listed(&port.active_vlans, vlan));
        if needs.is_empty() || port.status.as_deref().is_some_and(|state| state != "up") {
            continue;
        }
        if port.spanning_tree.is_empty() && port.forwarding_vlans.is_none() {
            let reason = format!(
                "{} ({}): no capture tells which VLANs forward; save `show interfaces trunk`",
                link.subject(),
                link.whose()
            );
            report.not_checked(link.switch_name(), reason);
            continue;
        }
        judge(&link, port, &needs, report);
    }
}

fn judge(link: &Link<'_>, port: &SwitchPort, needs: &[u16], report: &mut Report) {
    let (name, whose) = (link.subject(), link.whose());
    let mut told = Vec::new();
    for vlan in needs {
        let Some(state) = port.spanning_tree.get(vlan) else {
            continue;
        };
        told.push(*vlan);
        let (severity, what) = match state.state.as_str() {
            "FWD" => continue,
            "LIS" | "LRN" => (Severity::Warning, "not forwarding yet".to_owned()),
            _ => (
                Severity::Error,
                match &state.inconsistency {
                    Some(kind) => format!("broken ({kind})"),
                    None => "blocked".to_owned(),
                },
            ),
        };
        report.find(
            Finding::new(severity, link.switch_name(), name.as_str(), format!("VLAN {vlan} is {what} by spanning tree on {name} ({whose})"))
                .consequence("Frames of that VLAN are dropped at the port although it is allowed there")
                .evidence(evidence(&state.place).mark(&state.state))
                .fix("find the second path or the switch behind the cable: show spanning-tree inconsistentports"),
        );
    }
    let Some(forwarding) = &port.forwarding_vlans else {
        return;
    };
    let still: Vec<u16> = needs
        .iter()
        .copied()
        .filter(|v| !told.contains(v) && !forwarding.contains(v))
        .collect();
    if still.is_empty() {
        return;
    }
    let list = vlan_list::show(&still);
    report.find(
        Finding::new(
            Severity::Error,
            link.switch_name(),
            name.as_str(),
            format!("VLAN {list} does not forward on {name} ({whose})"),
        )
        .consequence(
            "Its frames are dropped at the port: spanning tree blocks it, or VTP pruned it",
        )
        .evidence_if(fact(port, "forwarding_vlans"))
        .fix(format!(
            "show spanning-tree vlan {list}, and show interfaces {} pruning",
            port.name
        )),
    );
}
