//! `nic/slow-link`: a link far slower than it should be.

use super::is_used;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::nic::Nic;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "nic/slow-link",
    summary: "an interface in use negotiated less than 1 Gbit/s, or less than its bond's other members",
    needs: &[Source::Nics],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A physical interface with link, in a bridge, bond or site.toml's uplinks, at 10 or 100 Mbit/s; or a
member of a bond that is slower than another member of it.

## Why it matters
No hypervisor is cabled at 100 Mbit/s on purpose: one broken pair makes the cards agree on it, and
the next pair ends the link. In a bond (802.3ad) only members of one speed carry traffic together:
the slower one is no spare, though the bond looks complete.

## Evidence
`/sys/class/net/NAME/speed` while `operstate` is up.

## Example
    $ cat /sys/class/net/eno1/speed
    100

## Remedy
Change the cable; look at `speed` on the switch's port.

## When to ignore it
An interface to a BMC or a console server that only speaks 100 Mbit/s: it should be in no bridge.

## References
Documentation/networking/bonding.rst of the kernel (ad_select, aggregators); ethtool(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for nic in &host.snapshot.nics {
        let (Some("up"), Some(speed)) = (nic.state.as_deref(), nic.speed) else {
            continue;
        };
        if !is_used(host, nic) {
            continue;
        }
        let message = if speed < 1000 {
            format!("{} runs at {speed} Mbit/s", nic.name)
        } else if let Some((bond, other, best)) = faster(host, nic, speed) {
            format!(
                "{} runs at {speed} Mbit/s, {other} in the same bond {bond} at {best}",
                nic.name
            )
        } else {
            continue;
        };
        report.find(
            Finding::new(Severity::Warning, host.name(), &nic.name, message)
                .consequence(
                    "A broken pair or a port set by hand: the link is slow now and may fail next",
                )
                .evidence(Evidence::measured(
                    format!("/sys/class/net/{}/speed", nic.name),
                    speed.to_string(),
                ))
                .fix("change the cable; look at the speed of the switch's port"),
        );
    }
}

/// A faster member of the same bond. Ports of one bridge need not be alike.
fn faster<'a>(host: &Host<'a>, nic: &'a Nic, speed: u32) -> Option<(&'a str, &'a str, u32)> {
    let bond = nic.controller.as_deref()?;
    if host.snapshot.bridges.iter().any(|b| b.name == bond) {
        return None;
    }
    host.snapshot
        .nics
        .iter()
        .filter(|other| other.controller == nic.controller && other.state.as_deref() == Some("up"))
        .filter_map(|other| Some((bond, other.name.as_str(), other.speed?)))
        .filter(|(_, _, best)| *best > speed)
        .max_by_key(|(_, _, best)| *best)
}
