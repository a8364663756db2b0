//! `switch/radius-server-dead`: the switch has given a RADIUS server up.

use super::link::evidence;
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{RadiusGroup, Switch};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/radius-server-dead",
    summary: "a switch counts a RADIUS server as dead",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A RADIUS server that the switch shows as DEAD: a warning; an error where every server of a group is
dead.

## Why it matters
The group lives on what is left. With the last one dead, nobody new gets onto the network, and an
administrator who logs in over RADIUS does not get onto the switch either.

## Evidence
`show aaa servers` (State: current DEAD). The state is that of the moment of the capture.

## Example
    RADIUS: id 1, priority 1, host 10.50.1.31, auth-port 1812, acct-port 1813, hostname ISE-01
         State: current DEAD, duration 4211s, previous duration 9120s

## Remedy
Does the server answer (`test aaa group NAME USER PASSWORD new-code`)? Is it a guest that did not
come back? Does the key fit? After `deadtime` the switch asks it again by itself.

## When to ignore it
A server that is down for maintenance.

## References
Cisco IOS, `show aaa servers`, `radius-server deadtime`; RFC 2865.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        for (server, facts) in &switch.radius_servers {
            if facts.state.as_deref() != Some("DEAD") {
                continue;
            }
            let lost = switch.radius_groups.iter().find(|(_, group)| {
                group.servers.contains(server) && group.servers.iter().all(|s| dead(switch, s))
            });
            report.find(finding(name, server, switch, lost));
        }
    }
}

fn dead(switch: &Switch, server: &str) -> bool {
    switch
        .radius_servers
        .get(server)
        .is_some_and(|s| s.state.as_deref() == Some("DEAD"))
}

fn finding(
    name: &str,
    server: &str,
    switch: &Switch,
    lost: Option<(&String, &RadiusGroup)>,
) -> Finding {
    let message = match lost {
        Some((group, _)) => {
            format!("RADIUS server {server} is dead, and with it every server of {group}")
        }
        None => format!("RADIUS server {server} is dead"),
    };
    let facts = switch.radius_servers.get(server);
    Finding::new(
        if lost.is_some() { Severity::Error } else { Severity::Warning },
        name,
        server,
        message,
    )
    .consequence(if lost.is_some() {
        "Nobody new gets onto the network through this group"
    } else {
        "The others carry its load; when they fail too, logins fail"
    })
    .evidence_if(facts.map(|facts| evidence(&facts.place)))
    .evidence_if(lost.map(|(_, group)| evidence(&group.place)))
    .fix("see whether the server (or the guest that it is) runs and answers; the switch asks it again after its deadtime")
}
