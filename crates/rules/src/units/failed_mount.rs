//! `units/failed-mount`: a mount that systemd tried and could not make.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::unit::{FailedUnit, path_of_unit};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "units/failed-mount",
    summary: "a mount, automount or swap unit is in state failed",
    needs: &[Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A `.mount`, `.automount` or `.swap` unit in state failed. An error where a disk of a guest lies below
its mount point, else a warning.

## Why it matters
The directory is there and empty. What should lie on the mount is missing, and what is written goes to
the disk underneath. In the incident the NAS mounts had failed for a long time and nobody knew; it
showed when a guest with its disk there did not start.

## Evidence
The unit's name and result from systemd, the line of `/etc/fstab` that it was made from, and the guests
whose disks lie there.

## Example
    $ systemctl --failed
    mnt-nas-vms.mount loaded failed failed /mnt/nas/vms

## Remedy
Find out why (`journalctl -b -u UNIT`), mend it, then `systemctl reset-failed UNIT` and
`systemctl start UNIT`. Mounting over a directory into which something was written hides that.

## When to ignore it
A mount that is wanted only at times (a backup disk): give it `noauto` or an automount.

## References
systemd.mount(5); systemctl(1), `--failed`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for unit in &host.snapshot.units.failed {
        let Some(path) = unit
            .mount_point
            .clone()
            .or_else(|| path_of_unit(&unit.name))
        else {
            continue;
        };
        tell(host, unit, &path, report);
    }
}

fn tell(host: &Host<'_>, unit: &FailedUnit, path: &str, report: &mut Report) {
    let guests = guests_below(host, path);
    let severity = if guests.is_empty() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let result = unit.result.as_deref().unwrap_or("failed");
    let consequence = if guests.is_empty() {
        format!("{path} is a bare directory, and what is written there goes to the disk underneath")
    } else {
        format!(
            "Disks of {} lie there: they cannot start",
            guests.join(", ")
        )
    };
    let line = host
        .snapshot
        .fstab
        .iter()
        .find(|entry| entry.target == path || entry.source == path)
        .map(|entry| Evidence::line("/etc/fstab", entry.line, &entry.text).mark(&entry.target));
    report.find(
        Finding::new(
            severity,
            host.name(),
            path,
            format!("{} is in state failed ({result})", unit.name),
        )
        .consequence(consequence)
        .evidence(Evidence::measured(
            format!("systemd:{}", unit.name),
            format!("failed, result {result}"),
        ))
        .evidence_if(line)
        .fix(format!("journalctl -b -u {} tells why", unit.name)),
    );
}

/// Guests with a disk, or a link of its backing chain, below a directory.
fn guests_below<'a>(host: &Host<'a>, directory: &str) -> Vec<&'a str> {
    let prefix = format!("{}/", directory.trim_end_matches('/'));
    let below = |path: &str| path.starts_with(&prefix);
    host.snapshot
        .guests
        .iter()
        .filter(|guest| {
            guest.disks.iter().any(|disk| {
                let own = disk.resolved.as_deref().or(disk.source.as_deref());
                let optional = disk.startup_policy.as_deref() == Some("optional");
                !optional
                    && (own.is_some_and(below) || disk.backing.iter().any(|b| below(&b.source)))
            })
        })
        .map(|guest| guest.name.as_str())
        .collect()
}
