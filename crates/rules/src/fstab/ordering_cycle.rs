//! `fstab/ordering-cycle`: lines that no boot order can satisfy.

use super::planned::lines;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::cycles;
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/ordering-cycle",
    summary: "mounts whose order is a circle, which systemd breaks by dropping a job",
    needs: &[Source::Fstab],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Units that wait for each other: most often a bind of an NFS path without `_netdev`, which waits for
the NFS mount, which waits for the network, which waits for local-fs.target, which waits for the
bind. Also an automount or local mount below an NFS mount point, a swap file on NFS, and
`x-systemd.after=` or `requires=` that point the wrong way.

## Why it matters
systemd breaks the circle by leaving out one job of it that the default target does not strictly
require, and what requires that job. Which one is chance: the walk that finds the circle follows
hash tables with a random key. Of 240 tries with version 252 on four such fstabs most left out
local-fs.target in the end (a broken local disk then no longer leads to emergency mode, and
services start before their disks), others a mount, the network service, rpcbind, D-Bus's socket or
the creation of temporary files. The same host boots well ten times and comes up without its
network the eleventh. `nofail boot` tells the ends that it may come to.

## Evidence
The line, and the circle.

## Example
    10.50.1.70:/volume1/isos  /mnt/nas/isos   nfs   nofail  0 0
    /mnt/nas/isos             /srv/tftp/isos  none  bind    0 0

## Remedy
Where a network mount is in the circle: `_netdev` (and `nofail`) on the local line. Else take out
the option that orders against the rest.

## When to ignore it
Never. (A host on systemd-networkd has no such circle with NFS unless nfs-client.target or rpcbind is
enabled there, which wait for local mounts; else it is not reported.)

## References
systemd.unit(5), Before= and After=; bootup(7). The journal says `Found ordering cycle`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let lines = lines(host);
    for cycle in cycles(host.snapshot, host.units()) {
        let guilty = lines.iter().find(|line| {
            let plan = &line.plan;
            !plan.network
                && cycle.units.iter().any(|unit| {
                    Some(unit) == plan.unit.as_ref() || Some(unit) == plan.automount.as_ref()
                })
        });
        let circle = cycle.units.join(" after ");
        let subject = guilty.map_or("local-fs.target", |line| line.entry.target.as_str());
        let mut finding = Finding::new(
            Severity::Error,
            host.name(),
            subject,
            format!("no order satisfies {circle}"),
        )
        .consequence(
            "At each boot systemd leaves one of them out, by chance: the mount, local-fs.target, or the network",
        );
        if let Some(line) = guilty {
            finding = finding
                .evidence(line.evidence(&line.option_field()))
                .fix(line.edit(&["_netdev", "nofail"]));
        }
        for other in lines.iter().filter(|line| line.plan.network) {
            if cycle
                .units
                .iter()
                .any(|unit| Some(unit) == other.plan.unit.as_ref())
            {
                finding = finding.evidence(other.evidence(&other.entry.target));
            }
        }
        report.find(finding);
    }
}
