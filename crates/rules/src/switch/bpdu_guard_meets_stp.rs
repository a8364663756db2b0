//! `switch/bpdu-guard-meets-stp`: the host's bridge sends what the switch disables the port for.

use super::link::{fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::{Evidence, Snapshot, Source};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/bpdu-guard-meets-stp",
    summary: "BPDU guard on the uplink of a host whose bridge runs spanning tree",
    needs: &[Source::Bridges],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
BPDU guard on the switch port of a host's uplink while the bridge that the uplink belongs to runs
spanning tree.

## Why it matters
The first BPDU that the bridge sends disables the port: host and guests are cut off at once, and
stay so until somebody enables the port by hand. NetworkManager turns a new bridge's spanning tree
on unless told otherwise, so one re-created profile is enough.

## Evidence
`spanning-tree bpduguard enable` on the port, or `spanning-tree portfast bpduguard default` with
PortFast on the port; the bridge's `stp_state` in the host's kernel.

## Example
     spanning-tree portfast trunk
     spanning-tree bpduguard enable

and on the host `bridge.stp=yes`.

## Remedy
`nmcli connection modify BRIDGE bridge.stp no` on the host, unless its bridge really has two ways
out. Then `ip link set BRIDGE type bridge stp_state 0` for the running kernel.

## When to ignore it
Never: one of the two is wrong.

## References
Cisco IOS, `spanning-tree bpduguard`; nm-settings(5), `bridge.stp` (on by default); bridge(8).
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let (Some(port), Some(bridge)) = (link.port, link.bridge) else {
            continue;
        };
        if port.bpdu_guard != Some(true) || bridge.stp != Some(true) {
            continue;
        }
        report.find(
            Finding::new(
                Severity::Error,
                link.switch_name(),
                link.subject(),
                format!("BPDU guard on {} ({}), and {} runs spanning tree", link.subject(), link.whose(), bridge.name),
            )
            .consequence("The first BPDU of the host's bridge makes the switch disable the port: host and guests are cut off")
            .evidence_if(fact(port, "bpdu_guard"))
            .evidence(Evidence::measured(format!("{}: netlink:{}", link.host, bridge.name), "stp_state 1"))
            .fix(format!("on {}: nmcli connection modify {} bridge.stp no", link.host, bridge.name)),
        );
    }
}
