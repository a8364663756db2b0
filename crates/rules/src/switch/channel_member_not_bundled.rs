//! `switch/channel-member-not-bundled`: a port-channel runs without one of its members.

use super::link::{fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{Switch, SwitchPort, short_port_name};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/channel-member-not-bundled",
    summary: "a member of a port-channel does not carry traffic",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A member of a port-channel that the switch shows as suspended, stand-alone, waiting, unsuitable or
down. An error where it is the last one of a host's uplink, else a warning. A hot standby is as it
should be.

## Why it matters
The redundancy that the bundle was made for is gone, and nothing shows it: the host still answers.
A stand-alone member besides carries traffic of its own and can make a loop with the host's bridge.

## Evidence
`show etherchannel summary`: the letter after each member.

## Example
    1      Po1(SU)         LACP        Te1/0/2(P)      Te1/0/3(s)

## Remedy
Suspended: the two ends disagree (LACP on the host? same speed? same VLANs on every member? see
`switch/channel-member-differs`). Down: cable, transceiver, or the host's interface.

## When to ignore it
A member that is unplugged on purpose: take its `channel-group` away.

## References
Cisco IOS, `show etherchannel summary`; IEEE 802.1AX; bonding (kernel documentation), mode 802.3ad.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        for member in switch.ports.values() {
            let Some(state) = member.channel_state.as_deref() else {
                continue;
            };
            if matches!(
                state,
                "suspended" | "stand-alone" | "waiting" | "unsuitable" | "down"
            ) {
                report.find(finding(estate, name, switch, member, state));
            }
        }
    }
}

fn finding(
    estate: &Estate,
    name: &str,
    switch: &Switch,
    member: &SwitchPort,
    state: &str,
) -> Finding {
    let group = member.channel_group.unwrap_or_default();
    let bundle = format!("Port-channel{group}");
    let members = || {
        switch
            .ports
            .values()
            .filter(|p| p.channel_group == member.channel_group)
    };
    let left = members()
        .filter(|p| p.channel_state.as_deref() == Some("bundled"))
        .count();
    let uplink = links(estate).into_iter().find(|link| {
        link.switch_name() == name
            && link
                .port
                .is_some_and(|p| p.name == bundle || p.channel_group == Some(group))
    });
    let severity = if left == 0 && uplink.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let whose = uplink
        .map(|link| format!(" ({})", link.whose()))
        .unwrap_or_default();
    let short = short_port_name(&member.name);
    Finding::new(
        severity,
        name,
        short.as_str(),
        format!(
            "{short} is {state} in Po{group}{whose}: {left} of {} members carry traffic",
            members().count()
        ),
    )
    .consequence(match left {
        0 => "The port-channel carries nothing".to_owned(),
        1 => "One more failing link, and the port-channel is down".to_owned(),
        n => format!("The port-channel lives on {n} links"),
    })
    .evidence_if(fact(member, "channel_state"))
    .fix("compare both ends (LACP, speed, VLANs of every member), then cable and transceiver")
}
