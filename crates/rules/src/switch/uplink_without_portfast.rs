//! `switch/uplink-without-portfast`: after each link-up the switch holds a host's frames back.

use super::link::{fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/uplink-without-portfast",
    summary: "the switch blocks a host's uplink for half a minute after each link-up",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A trunk to a host without `spanning-tree portfast trunk` (on newer releases `portfast edge trunk`).
Plain `portfast` does nothing on a trunk.

## Why it matters
After the link comes up, the switch listens and learns for 30 seconds before it forwards (rapid
spanning tree as well, since a host's bridge does not answer its proposal). That falls into the
host's boot: NFS mounts and time-outs start counting, guests start, and nothing comes through.

## Evidence
The port's block in `show running-config`, or its port-channel's.

## Example
    interface TenGigabitEthernet1/0/2
     switchport mode trunk

## Remedy
`spanning-tree portfast trunk` on the port. It warns of loops: it is for ports where no switch hangs
behind, and a host's bridge with one way out is none.

## When to ignore it
A host whose bridge has several ways out and runs spanning tree itself.

## References
Cisco IOS, `spanning-tree portfast`; IEEE 802.1Q, 13 (listening and learning, forward delay 15 s).
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let Some(port) = link.effective().filter(|port| port.is_trunk()) else {
            continue;
        };
        // Only a whole block of the configuration tells that a line is not there; the guard is
        // filled in from one.
        let whole = port.bpdu_guard.is_some() && port.lines.contains_key("interface");
        let fast = matches!(port.portfast.as_deref(), Some("trunk" | "network"));
        let own_tree = link.bridge.is_some_and(|bridge| bridge.stp == Some(true));
        if !whole || fast || own_tree {
            continue;
        }
        let commands = [
            format!("interface {}", port.name),
            "spanning-tree portfast trunk".to_owned(),
        ];
        let plain = port.portfast.as_deref() == Some("edge");
        report.find(
            Finding::new(
                Severity::Warning,
                link.switch_name(),
                link.subject(),
                if plain {
                    format!("plain PortFast does nothing on a trunk: {} ({})", link.subject(), link.whose())
                } else {
                    format!("{} ({}) is a trunk without PortFast", link.subject(), link.whose())
                },
            )
            .consequence("For 30 seconds after each link-up nothing gets through: mounts and guests of a booting host run into it")
            .evidence_if(fact(port, if plain { "portfast" } else { "interface" }))
            .fix(commands.join("; "))
            .commands(commands),
        );
    }
}
