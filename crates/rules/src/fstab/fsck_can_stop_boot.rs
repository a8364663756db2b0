//! `fstab/fsck-can-stop-boot`: the check of a nofail disk that old systemd takes too seriously.

use super::planned::lines;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/fsck-can-stop-boot",
    summary: "the file system check of a nofail disk can still stop the boot",
    needs: &[Source::Fstab],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line with `nofail` and a pass number above 0, on a device whose type has a checker, on a host with
systemd before 250 (warning), or with an unknown version (info).

## Why it matters
Up to 249 systemd-fsck itself starts emergency.target when a check leaves errors behind, without
asking whether the mount has `nofail`. So a damaged data disk stops the boot that it was taken out
of. Since 250 only the mount fails.

## Evidence
The line of `/etc/fstab`; the version from the host.

## Example
    /dev/sdb1  /srv/scratch  ext4  nofail  0 2

## Remedy
Pass 0 on that line, and a check by hand or by a timer. Not mended without being asked: an ext4
without a journal then goes unchecked after a crash.

## When to ignore it
xfs and btrfs: their checkers do nothing at boot. RHEL 8 has 239, RHEL 9 and Debian 12 have 252.

## References
systemd-fsck@.service(8); systemd issue 20237, mended in 250; fstab(5), sixth field.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let severity = match host.snapshot.systemd_version {
        Some(version) if version >= 250 => return,
        Some(_) => Severity::Warning,
        None => Severity::Info,
    };
    for line in lines(host) {
        let plan = &line.plan;
        // These checkers return at once.
        let idle = matches!(plan.fstype.as_str(), "xfs" | "btrfs");
        if !plan.nofail || plan.fsck.is_none() || plan.pulled_in_by.is_empty() || idle {
            continue;
        }
        let target = &line.entry.target;
        let version = host
            .snapshot
            .systemd_version
            .map_or("an unknown version of systemd".to_owned(), |v| {
                format!("systemd {v}")
            });
        report.find(
            Finding::new(
                severity,
                host.name(),
                target,
                format!("{target} has nofail, but its check (pass {}) has not", line.entry.pass),
            )
            .consequence(format!(
                "With {version} a check that leaves errors stops the boot in emergency mode (up to 249)"
            ))
            .evidence(line.evidence(&line.option_field()))
            .fix(format!("make the sixth field of line {} of /etc/fstab 0", line.entry.line)),
        );
    }
}
