//! `bridge/uplink-down`: a bridge with guests whose every way out is down.

use super::{is_libvirts, port_name, some_of};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::vlan::net::is_down;
use facts::bridge::Role;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/uplink-down",
    summary: "an uplink of a bridge with guests has no link",
    needs: &[Source::Bridges],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An uplink without link on a bridge with guests' ports: an error where no other uplink of that bridge
is up, a warning where one still carries.

## Why it matters
Guests keep running and their own link stays up: inside them nothing looks wrong, and HA partners on
another host see them gone. With two uplinks the second failure takes them all.

## Evidence
The operational state of the ports from the kernel. `unknown`, which drivers without carrier
detection report, does not count as down.

## Example
    $ ip -br link show master br-mgmt
    enp65s0f0   DOWN   3c:ec:ef:00:01:10 <NO-CARRIER,BROADCAST,MULTICAST,UP>

## Remedy
Cable, transceiver, and the switch's port (err-disabled, shut down); `ethtool DEVICE` tells what the
card sees.

## When to ignore it
A spare port that is not plugged in on purpose: take it out of the bridge.

## References
Documentation/networking/operstates.rst of the kernel.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        let guests: Vec<String> = bridge
            .ports
            .iter()
            .filter(|p| p.role == Role::Guest)
            .map(port_name)
            .collect();
        if guests.is_empty() || is_libvirts(host.snapshot, bridge) {
            continue;
        }
        let alive = bridge.uplinks().any(|p| !is_down(p.state.as_deref()));
        for uplink in bridge.uplinks().filter(|p| is_down(p.state.as_deref())) {
            let (severity, consequence) = if alive {
                (
                    Severity::Warning,
                    "The bridge hangs on its other uplink alone".to_owned(),
                )
            } else {
                (
                    Severity::Error,
                    format!("Nobody beyond this host reaches {}", some_of(&guests)),
                )
            };
            let state = uplink.state.as_deref().unwrap_or("down");
            report.find(
                Finding::new(
                    severity,
                    host.name(),
                    &uplink.name,
                    format!("the uplink {} of {} is {state}", uplink.name, bridge.name),
                )
                .consequence(consequence)
                .evidence(Evidence::measured(
                    format!("netlink:{}", uplink.name),
                    format!("operational state {state}"),
                ))
                .fix(format!(
                    "ethtool {}; look at the cable and the switch's port",
                    uplink.name
                )),
            );
        }
    }
}
