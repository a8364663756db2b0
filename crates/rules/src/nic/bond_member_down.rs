//! `nic/bond-member-down`: a bond that has lost its spare.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::vlan::net::is_down;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "nic/bond-member-down",
    summary: "a member of a bond has no link: the bond has lost its redundancy",
    needs: &[Source::Nics, Source::Bridges],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A physical interface without link that belongs to a bond or team whose other member still carries.

## Why it matters
A bond hides the loss of a member: that is its purpose. Nobody sees that the next fault, or a reboot
of the one switch that is left, cuts the host and all its guests off.

## Evidence
`operstate` and `master` of the interfaces under `/sys/class/net`.

## Example
    $ grep -A1 'Slave Interface' /proc/net/bonding/bond0
    Slave Interface: eno2
    MII Status: down

## Remedy
Cable, transceiver, the switch's port; afterwards both members up.

## When to ignore it
A bond prepared for a second cable that is not there yet.

## References
Documentation/networking/bonding.rst of the kernel.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for nic in &host.snapshot.nics {
        let Some(bond) = nic.controller.as_deref() else {
            continue;
        };
        // Ports of a bridge are bridge/uplink-down's.
        let of_bridge = host.snapshot.bridges.iter().any(|b| b.name == bond);
        if of_bridge || !is_down(nic.state.as_deref()) {
            continue;
        }
        let left = host.snapshot.nics.iter().find(|other| {
            other.controller.as_deref() == Some(bond) && !is_down(other.state.as_deref())
        });
        let Some(left) = left else { continue };
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                &nic.name,
                format!("{} in {bond} has no link", nic.name),
            )
            .consequence(format!("{bond} hangs on {} alone", left.name))
            .evidence(Evidence::measured(
                format!("/sys/class/net/{}/operstate", nic.name),
                nic.state.clone().unwrap_or_default(),
            ))
            .fix(format!(
                "ethtool {}; look at the cable and the switch's port",
                nic.name
            )),
        );
    }
}
