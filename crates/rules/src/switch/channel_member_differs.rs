//! `switch/channel-member-differs`: a member of a port-channel is configured unlike it.

use super::link::{fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{SwitchPort, short_port_name, vlan_list};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/channel-member-differs",
    summary: "a port's VLAN settings differ from those of its port-channel",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A member of a port-channel whose mode, native VLAN or allowed VLANs in the configuration are not
those of the port-channel.

## Why it matters
The switch suspends a member that differs: the bundle runs on one leg, or not at all. It often
happens later, when the link goes down and up again, or after a restart: a cold start finds what
the running state hides.

## Evidence
`interface Port-channelN` and the members' own blocks in `show running-config`.

## Example
    interface Port-channel1
     switchport trunk allowed vlan 10,20,100
    interface TenGigabitEthernet1/0/2
     switchport trunk allowed vlan 10,20
     channel-group 1 mode active

## Remedy
Make the change on the port-channel: the switch copies it to the members. A member that was changed
alone gets the port-channel's lines.

## When to ignore it
Never on ports of one port-channel.

## References
Cisco IOS, configuring EtherChannels: all members need the same trunk mode, native VLAN and allowed
VLANs.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        for member in switch.ports.values() {
            let bundle = member
                .channel_group
                .and_then(|group| switch.ports.get(&format!("Port-channel{group}")));
            let Some(bundle) = bundle else { continue };
            let differences = differences(member, bundle);
            if differences.is_empty() {
                continue;
            }
            let uplink = links(estate).into_iter().any(|link| {
                link.switch_name() == name
                    && link
                        .port
                        .is_some_and(|p| p.name == member.name || p.name == bundle.name)
            });
            let severity = if uplink {
                Severity::Error
            } else {
                Severity::Warning
            };
            report.find(finding(severity, name, member, bundle, &differences));
        }
    }
}

struct Difference {
    key: &'static str,
    what: &'static str,
    member: String,
    bundle: String,
    line: String,
}

/// Facts that both blocks of the configuration tell, and tell differently.
fn differences(member: &SwitchPort, bundle: &SwitchPort) -> Vec<Difference> {
    let configured = |port: &SwitchPort, key: &str| {
        port.lines
            .get(key)
            .is_some_and(|place| place.command == "show running-config")
    };
    let both = |key: &str| configured(member, key) && configured(bundle, key);
    let mut found = Vec::new();
    if both("mode") && member.mode != bundle.mode {
        let mode = |port: &SwitchPort| port.mode.clone().unwrap_or_default();
        found.push(Difference {
            key: "mode",
            what: "mode",
            member: mode(member),
            bundle: mode(bundle),
            line: format!("switchport mode {}", mode(bundle)),
        });
    }
    if both("native_vlan") && member.native_vlan != bundle.native_vlan {
        let vlan = |port: &SwitchPort| port.native_vlan.map_or_else(String::new, |v| v.to_string());
        found.push(Difference {
            key: "native_vlan",
            what: "native VLAN",
            member: vlan(member),
            bundle: vlan(bundle),
            line: format!("switchport trunk native vlan {}", vlan(bundle)),
        });
    }
    if both("allowed_vlans") && member.allowed_vlans != bundle.allowed_vlans {
        let list = |port: &SwitchPort| {
            port.allowed_vlans
                .as_deref()
                .map_or_else(|| "all".to_owned(), vlan_list::show)
        };
        found.push(Difference {
            key: "allowed_vlans",
            what: "allowed VLANs",
            member: list(member),
            bundle: list(bundle),
            line: format!("switchport trunk allowed vlan {}", list(bundle)),
        });
    }
    found
}

fn finding(
    severity: Severity,
    name: &str,
    member: &SwitchPort,
    bundle: &SwitchPort,
    differences: &[Difference],
) -> Finding {
    let (short, po) = (short_port_name(&member.name), short_port_name(&bundle.name));
    let told: Vec<String> = differences
        .iter()
        .map(|d| format!("{} {} instead of {}", d.what, d.member, d.bundle))
        .collect();
    let mut commands = vec![format!("interface {}", member.name)];
    commands.extend(differences.iter().map(|d| d.line.clone()));
    let mut finding = Finding::new(
        severity,
        name,
        short.as_str(),
        format!(
            "{short} differs from its port-channel {po}: {}",
            told.join(", ")
        ),
    )
    .consequence(
        "The switch suspends a member that differs, at the latest when its link comes up again",
    )
    .fix(commands.join("; "))
    .commands(commands).caution("if the member is right and the port-channel wrong, type the member's lines on the port-channel instead");
    for difference in differences {
        finding = finding
            .evidence_if(fact(member, difference.key))
            .evidence_if(fact(bundle, difference.key));
    }
    finding
}
