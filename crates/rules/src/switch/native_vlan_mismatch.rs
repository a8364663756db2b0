//! `switch/native-vlan-mismatch`: untagged frames change their VLAN on the cable.

use super::link::{Link, end_evidence, links, marked};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::bridge::Role;
use facts::switch::SwitchPort;
use model::Estate;
use model::site::BridgePlan;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/native-vlan-mismatch",
    summary: "untagged frames land on another VLAN, or nowhere, between host and switch",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A host's uplink whose untagged frames mean one VLAN on the host (the uplink's PVID) and another on
the switch (the trunk's native VLAN, or the VLAN of an access port). Also a host that takes no
untagged frames while the switch sends a VLAN untagged that the host needs, and a switch that tags
its native VLAN (`vlan dot1q tag native`) and so drops the host's untagged frames.

## Why it matters
Nothing complains: each end is right by itself. Frames of the management network end up in another
VLAN, and whoever then puts one end right, over that same cable, cuts the host off.

## Evidence
The port's native VLAN in `show running-config`, `show interfaces trunk` or
`show interfaces switchport`; the uplink's PVID from the host's kernel; the VLAN map of site.toml.
An error where the two ends differ and somebody uses those frames; a warning where they agree with
each other and not with the plan; information where nobody seems to use them.

## Example
    interface TenGigabitEthernet1/0/2
     switchport trunk native vlan 1

while the host has `100 PVID Egress Untagged` on its uplink.

## Remedy
`switchport trunk native vlan N` on the port, in a maintenance window and with the host's console
open: at the moment of the change the host's untagged frames change their VLAN. If the host's own
address hangs on it, `nofail net apply` on the host's side first.

## When to ignore it
A native VLAN that is a dead end on purpose (nobody's VLAN, against double tagging) with an uplink
that has no PVID: this rule is quiet there by itself.

## References
IEEE 802.1Q, 6.9 (PVID of untagged frames); bridge(8), `vlan`; Cisco IOS, `switchport trunk native
vlan` and `vlan dot1q tag native`.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let Some(port) = link.effective() else {
            let reason = format!("{} ({}) is in no capture", link.subject(), link.whose());
            report.not_checked(link.switch_name(), reason);
            continue;
        };
        let Some((native, key)) = untagged(port) else {
            let reason = format!(
                "{} ({}): no capture tells its native VLAN; save `show interfaces trunk`",
                link.subject(),
                link.whose()
            );
            report.not_checked(link.switch_name(), reason);
            continue;
        };
        if let Some(finding) = judge(&link, port, native, key) {
            report.find(finding.evidence_if(end_evidence(&link)));
        }
    }
}

/// The VLAN that a port gives untagged frames, and the fact that tells it.
fn untagged(port: &SwitchPort) -> Option<(u16, &'static str)> {
    if port.is_trunk() {
        return port.native_vlan.map(|vlan| (vlan, "native_vlan"));
    }
    if port.is_access() {
        return Some((port.access_vlan.unwrap_or(1), "access_vlan"));
    }
    port.native_vlan.map(|vlan| (vlan, "native_vlan"))
}

fn judge(link: &Link<'_>, port: &SwitchPort, native: u16, key: &'static str) -> Option<Finding> {
    let (name, whose) = (link.subject(), link.whose());
    let planned = link.plan.and_then(BridgePlan::uplink);
    let actual = link.end.map(|end| end.pvid);
    let find = |severity, message: String| {
        Finding::new(severity, link.switch_name(), name.as_str(), message).evidence_if(marked(
            port,
            key,
            &native.to_string(),
        ))
    };
    if port.is_trunk() && tags_native(link, port) {
        let sends = actual.map_or(planned, |pvid| pvid)?;
        return Some(
            find(
                Severity::Error,
                format!(
                    "the switch tags its native VLAN on {name}, {whose} sends VLAN {sends} untagged"
                ),
            )
            .consequence(
                "The switch drops untagged frames there: whatever the host sends untagged is lost",
            )
            .fix("no vlan dot1q tag native (in a maintenance window: it acts on every trunk)"),
        );
    }
    let (severity, message) = match (actual, planned) {
        (Some(Some(pvid)), _) if pvid != native => {
            let severity = if planned == Some(pvid) || uses_untagged(link, pvid) {
                Severity::Error
            } else {
                Severity::Info
            };
            (
                severity,
                format!("untagged frames are VLAN {native} on {name} and VLAN {pvid} on {whose}"),
            )
        }
        (Some(None), _) if needs_tagged(link, native) => (
            Severity::Error,
            format!("{name} sends VLAN {native} untagged, {whose} takes no untagged frames"),
        ),
        (None, Some(plan)) if plan != native => (
            Severity::Error,
            format!(
                "untagged frames are VLAN {native} on {name}, the plan says VLAN {plan} for {whose}"
            ),
        ),
        (Some(Some(_)), Some(plan)) if plan != native => (
            Severity::Warning,
            format!(
                "{name} and {whose} agree on VLAN {native} for untagged frames, the plan says VLAN {plan}"
            ),
        ),
        _ => return None,
    };
    let wanted = planned.or_else(|| actual.flatten()).unwrap_or(native);
    let consequence = match severity {
        Severity::Error => {
            "Frames change their VLAN on the cable or are dropped: part of the host or its guests cannot be reached there"
        }
        Severity::Warning => "It works as it is; whoever puts only one end right cuts the host off",
        Severity::Info => {
            "Nobody seems to use untagged frames there; if somebody does, they land on the other VLAN"
        }
    };
    let mut commands = vec![format!("interface {}", port.name)];
    commands.push(match key {
        "native_vlan" => format!("switchport trunk native vlan {wanted}"),
        _ => format!("switchport access vlan {wanted}"),
    });
    let finding = find(severity, message).consequence(consequence);
    Some(if wanted == native {
        finding.fix(format!(
            "give {} PVID {native} on {}, or let the switch tag it, with the console open",
            link.interface, link.host
        ))
    } else {
        finding
            .fix(format!(
                "{} (in a maintenance window, the host's console open)",
                commands.join("; ")
            ))
            .commands(commands)
            .caution("in a maintenance window, with the console of the host open: its untagged frames change their VLAN at once")
    })
}

fn tags_native(link: &Link<'_>, port: &SwitchPort) -> bool {
    port.native_tagged == Some(true)
        || link.switch.tag_native == Some(true) && port.native_tagged != Some(false)
}

/// Whether the host or a guest uses the VLAN that the uplink gives untagged frames.
fn uses_untagged(link: &Link<'_>, vlan: u16) -> bool {
    link.bridge.is_some_and(|bridge| {
        bridge
            .ports
            .iter()
            .any(|port| matches!(port.role, Role::Own | Role::Guest) && port.pvid == Some(vlan))
    })
}

fn needs_tagged(link: &Link<'_>, vlan: u16) -> bool {
    link.end.is_some_and(|end| end.tagged.contains(&vlan))
        || link.plan.is_some_and(|plan| {
            plan.tagged.contains(&vlan) || plan.guest() == Some(vlan) || plan.host() == Some(vlan)
        })
}
