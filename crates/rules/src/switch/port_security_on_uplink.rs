//! `switch/port-security-on-uplink`: the switch counts MAC addresses where guests come and go.

use super::link::{fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/port-security-on-uplink",
    summary: "port security on the uplink of a hypervisor",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
`switchport port-security` on the port of a host's uplink.

## Why it matters
Every guest has a MAC address of its own, VRRP a shared one that moves to the other host in a
fail-over. Port security allows one address unless told otherwise, and treats an address that shows
up on another secure port as an attack: the port is disabled at the very moment when the twin takes
over.

## Evidence
The port's block in `show running-config`.

## Example
    interface TenGigabitEthernet1/0/2
     switchport port-security
     switchport port-security maximum 10

## Remedy
`no switchport port-security` on the uplink; keep the guests apart on the host's side.

## When to ignore it
Where policy demands it: `violation restrict` and a maximum well above the number of guests at
least do not take the port down.

## References
Cisco IOS, `switchport port-security` (default maximum 1, violation mode shutdown); RFC 9568, 7.3
(virtual router MAC address).
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let Some(port) = link.port.filter(|port| port.port_security == Some(true)) else {
            continue;
        };
        let commands = [
            format!("interface {}", port.name),
            "no switchport port-security".to_owned(),
        ];
        report.find(
            Finding::new(
                Severity::Warning,
                link.switch_name(),
                link.subject(),
                format!("port security on {}, {}", link.subject(), link.whose()),
            )
            .consequence("A guest more, or a VRRP address that moves over, makes the switch disable the port or drop the newcomer")
            .evidence_if(fact(port, "port_security"))
            .fix(commands.join("; "))
            .commands(commands),
        );
    }
}
