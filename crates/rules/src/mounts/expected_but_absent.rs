//! `mounts/expected-but-absent`: fstab wants it mounted, and it is not.

use crate::fstab::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::mount::MountPoint;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "mounts/expected-but-absent",
    summary: "fstab wants a file system mounted that is not",
    needs: &[Source::Fstab, Source::Mounts, Source::MountHealth],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line of fstab without `noauto` and without `x-systemd.automount` on whose mount point nothing is
mounted now.

## Why it matters
A mount that failed leaves its bare directory behind, and that looks like an empty disk. In the
incident `/mnt/nas/vms` on kvm-02 was such a directory: the guest whose disk should have been there
did not start, and anything that writes there fills the root file system instead.

## Evidence
The fstab line, the mount table, and what the bare directory holds.

## Example
    $ findmnt /mnt/nas/vms        # prints nothing
    $ ls -A /mnt/nas/vms          # prints nothing either

## Remedy
`mount TARGET`, and look why it failed (`systemctl status UNIT`, `journalctl -u UNIT`). Not done
unasked: files that were written into the bare directory meanwhile would be hidden.

## When to ignore it
A disk that is connected only sometimes: give its line `noauto`.

## References
mount(8), systemd.mount(5), findmnt(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        if entry.is_swap() || entry.noauto() || line::is_automount(entry) {
            continue;
        }
        let target = entry.mount_point();
        let points = &host.snapshot.mount_points;
        let Some(point) = points.iter().find(|p| p.target == target) else {
            continue;
        };
        if point.mounted != Some(false) {
            continue;
        }
        let guests = line::guests_below(host.snapshot, &target);
        let (severity, consequence) = if guests.is_empty() {
            (Severity::Warning, "What should be there is missing, and what is written there lands on the file system below".to_owned())
        } else {
            (
                Severity::Error,
                format!(
                    "The disks of {} should be there: these guests do not start",
                    guests.join(", ")
                ),
            )
        };
        report.find(
            Finding::new(
                severity,
                host.name(),
                &target,
                format!(
                    "{target} should be mounted from {} and is not",
                    entry.source
                ),
            )
            .consequence(consequence)
            .evidence(line::mark_field(entry, 2))
            .evidence(Evidence::measured(&target, bare(point)))
            .fix(format!("mount {target}")),
        );
    }
}

/// What is seen at the mount point, in words.
pub(super) fn bare(point: &MountPoint) -> String {
    match (point.exists, point.entries) {
        (Some(false), _) => "the directory does not exist".to_owned(),
        (_, Some(0)) => "an empty local directory".to_owned(),
        (_, Some(n)) => {
            let some = point.examples.join(", ");
            format!(
                "a local directory with {}: {some}",
                counted(n, "", "").trim_end()
            )
        }
        _ => "a local directory".to_owned(),
    }
}

/// `1 entry lies `, `2 entries lie `.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 entry {one}")
    } else {
        format!("{n} entries {many}")
    }
}
