//! `fstab/network-behind-local`: a local line that cannot come before a network mount.

use super::planned::{NetworkMounts, Planned, lines};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::NetworkService;
use analysis::boot::plan::Kind;
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/network-behind-local",
    summary: "a bind, loop or local mount rests on a network mount and drags it under local-fs.target",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line that systemd takes for local (no network type, no `_netdev`) and without `nofail`, which
rests on a network mount: a bind of a path on it, a loop mount or a swap file of an image on it, or
any local mount whose mount point lies below it.

## Why it matters
systemd makes such a unit require the network mount, and `local-fs.target` requires the unit. So
the NAS is back in the way of the boot, however carefully its own line says `nofail`: with
systemd-networkd a dead NAS means emergency mode; with NetworkManager or ifupdown, whose start waits
for local-fs.target, the order is a circle (see `fstab/ordering-cycle`).

## Evidence
The line, and the line of the network mount.

## Example
    10.50.1.70:/volume1/isos  /mnt/nas/isos   nfs   nofail  0 0
    /mnt/nas/isos             /srv/tftp/isos  none  bind    0 0

## Remedy
`_netdev,nofail` on the line: systemd then puts it under remote-fs.target, after the network. Safe:
the same mount, in the right place.

## When to ignore it
Never with a host that must come up alone.

## References
systemd.mount(5), implicit dependencies (a mount requires those above it and those of a bind's
source); systemd.unit(5), RequiresMountsFor=.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let lines = lines(host);
    let network = NetworkMounts::of(&lines);
    for line in &lines {
        let plan = &line.plan;
        if plan.network || plan.nofail || plan.pulled_in_by.is_empty() || plan.unit.is_none() {
            continue;
        }
        let below = if plan.kind == Kind::Mount {
            network.above(&plan.mount_point)
        } else {
            None
        };
        let source = network
            .above(&plan.what)
            .filter(|_| plan.what.starts_with('/'));
        let (nas, how) = match (source, below) {
            (Some(nas), _) => (nas, "its source lies on"),
            (None, Some(nas)) => (nas, "its mount point lies below"),
            (None, None) => continue,
        };
        report.find(finding(host, line, nas, how));
    }
}

fn finding(host: &Host<'_>, line: &Planned<'_>, nas: &Planned<'_>, how: &str) -> Finding {
    let target = if line.plan.kind == Kind::Swap {
        &line.entry.source
    } else {
        &line.entry.target
    };
    let consequence = if line.plan.kind == Kind::Swap {
        "swap.target, and with it the boot, waits for the network mount"
    } else if NetworkService::of(host.snapshot).after_local_fs() {
        "The order becomes a circle; systemd drops a job of it, mostly this mount"
    } else {
        "When the server does not answer, the next boot stops in emergency mode"
    };
    let severity = if line.plan.kind == Kind::Swap {
        Severity::Warning
    } else {
        Severity::Error
    };
    Finding::new(
        severity,
        host.name(),
        target,
        format!(
            "{target} stands under local-fs.target, but {how} the network mount {}",
            nas.entry.target
        ),
    )
    .consequence(consequence)
    .evidence(line.evidence(&line.option_field()))
    .evidence(nas.evidence(&nas.entry.target))
    .fix(line.edit(&["_netdev", "nofail"]))
}
