//! `nic/half-duplex`: a link that fell back to half duplex.

use super::is_used;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "nic/half-duplex",
    summary: "an interface in use runs in half duplex",
    needs: &[Source::Nics],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A physical interface with link, in a bridge, bond or site.toml's uplinks, that negotiated half
duplex.

## Why it matters
Half duplex on a switched link is a failed negotiation: one end is set by hand. Under load it loses
frames by late collisions, pings stay fine, and NFS stalls.

## Evidence
`/sys/class/net/NAME/duplex` while `operstate` is up.

## Example
    $ cat /sys/class/net/eno1/duplex
    half

## Remedy
Let both ends negotiate (`ethtool -s NAME autoneg on`; on the switch `duplex auto`, `speed auto`).
The link goes down for some seconds: console open.

## When to ignore it
A real hub.

## References
IEEE 802.3, clause 28; ethtool(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for nic in &host.snapshot.nics {
        let up = nic.state.as_deref() == Some("up");
        if !up || nic.duplex.as_deref() != Some("half") || !is_used(host, nic) {
            continue;
        }
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                &nic.name,
                format!("{} runs in half duplex", nic.name),
            )
            .consequence("Under load it loses frames while pings look fine")
            .evidence(Evidence::measured(
                format!("/sys/class/net/{}/duplex", nic.name),
                "half",
            ))
            .fix(format!(
                "with the console open: ethtool -s {} autoneg on, and `duplex auto` on the switch",
                nic.name
            )),
        );
    }
}
