//! `switch/allowed-vlan-missing`: a VLAN that the host or its guests need does not pass the trunk.

use super::link::{Link, fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{SwitchPort, vlan_list};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/allowed-vlan-missing",
    summary: "the switch does not let a VLAN through to a host that needs it",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A VLAN that site.toml's map or a guest's intent carries over a host's uplink (without a map: that
guests' ports and the uplink carry now), and that the switch port does not allow; the trunk's own
native VLAN where the list leaves it out; an access port where a trunk is needed.

## Why it matters
Frames of that VLAN are dropped at the port without a word. It often shows only when a guest moves
to that host, or its twin on the other host dies.

## Evidence
`switchport trunk allowed vlan` with all its `add` lines, or the table *Vlans allowed on trunk*.
A trunk that says nothing allows every VLAN.

## Example
     switchport trunk allowed vlan 10,20,30,40,110,120

on the uplink of a host whose guests live in VLAN 100.

## Remedy
`switchport trunk allowed vlan add N`. With `add`: the same line without it *replaces* the list,
which is how trunks lose all their other VLANs.

## When to ignore it
The map lists a VLAN that this host does not need: give the host a plan of its own under
`[hosts.NAME.bridges.BRIDGE]`.

## References
Cisco IOS, `switchport trunk allowed vlan`; IEEE 802.1Q, 8.8 (member sets).
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let Some(port) = link.effective() else {
            let reason = format!("{} ({}) is in no capture", link.subject(), link.whose());
            report.not_checked(link.switch_name(), reason);
            continue;
        };
        let needs = link.tagged_needs(estate);
        if port.is_access() {
            if !needs.is_empty() {
                report.find(access_port(&link, port, needs.keys().copied().collect()));
            }
        } else if port.lines.contains_key("allowed_vlans") {
            judge(&link, port, &needs, report);
        } else if !needs.is_empty() {
            let reason = format!(
                "{} ({}): no capture tells its allowed VLANs; save `show interfaces trunk`",
                link.subject(),
                link.whose()
            );
            report.not_checked(link.switch_name(), reason);
        }
    }
}

fn judge(
    link: &Link<'_>,
    port: &SwitchPort,
    needs: &std::collections::BTreeMap<u16, String>,
    report: &mut Report,
) {
    let Some(allowed) = &port.allowed_vlans else {
        return;
    };
    let mut missing: Vec<u16> = needs
        .keys()
        .copied()
        .filter(|v| !allowed.contains(v))
        .collect();
    // Untagged frames belong to the native VLAN: left out of the list, they are dropped too.
    let native = port
        .native_vlan
        .filter(|native| link.untagged_vlan() == Some(*native) && !allowed.contains(native));
    missing.extend(native);
    missing.sort_unstable();
    missing.dedup();
    let Some(first) = missing.first() else {
        return;
    };
    let list = vlan_list::show(&missing);
    let who = needs
        .get(first)
        .map_or("the host's untagged frames", String::as_str);
    let severity = if link.plan.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let commands = [
        format!("interface {}", port.name),
        format!("switchport trunk allowed vlan add {list}"),
    ];
    report.find(
        Finding::new(
            severity,
            link.switch_name(),
            link.subject(),
            format!("{} does not carry VLAN {list}, which {} needs ({who})", link.subject(), link.whose()),
        )
        .consequence("The switch drops these frames without a word: guests in that VLAN are cut off on this host")
        .evidence_if(fact(port, "allowed_vlans"))
        .evidence_if(super::link::end_evidence(link))
        .fix(commands.join("; "))
        .commands(commands),
    );
}

fn access_port(link: &Link<'_>, port: &SwitchPort, needs: Vec<u16>) -> Finding {
    let list = vlan_list::show(&needs);
    let mut commands = vec![format!("interface {}", port.name)];
    if let Some(native) = link.untagged_vlan() {
        commands.push(format!("switchport trunk native vlan {native}"));
    }
    let all: Vec<u16> = needs.iter().copied().chain(link.untagged_vlan()).collect();
    commands.push(format!(
        "switchport trunk allowed vlan {}",
        vlan_list::show(&all)
    ));
    commands.push("switchport mode trunk".to_owned());
    Finding::new(
        Severity::Error,
        link.switch_name(),
        link.subject(),
        format!(
            "{} is an access port, and {} needs VLAN {list} tagged",
            link.subject(),
            link.whose()
        ),
    )
    .consequence("No tagged frame passes an access port: every guest in these VLANs is cut off")
    .evidence_if(fact(port, "mode"))
    .fix(commands.join("; "))
    .commands(commands)
    .caution("with the console of the host open: the port changes for every frame at once")
}
