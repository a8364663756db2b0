//! `mounts/written-underneath`: files in the directory that a mount covers, or should.

use super::expected_but_absent::bare;
use crate::fstab::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::mount::MountPoint;
use facts::path::is_below;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "mounts/written-underneath",
    summary: "files lie in the directory under a mount",
    needs: &[Source::Fstab, Source::MountHealth],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Files in the bare directory over which fstab mounts a file system: under the mount where it is
mounted (seen without disturbing it; needs root), or in plain sight where it is not.

## Why it matters
They were written while the mount was missing. They fill the root file system, nobody sees them,
and they are missing where they belong: a backup that \"succeeded\", a guest's disk that libvirt
made anew beside the real one. When the mount comes back they vanish from sight.

## Evidence
Number and names of the entries, and the fstab line.

## Example
    # findmnt -n /mnt/nas/backups; ls /mnt/nas/backups
    kvm-02-2026-04-12.tar.zst

## Remedy
Look at them through a bind mount of the file system below, and move or delete them:
`mount --bind / /mnt/below && ls /mnt/below/mnt/nas/backups`. To keep it from happening again make
the bare directory immutable (`chattr +i` while it is not mounted).

## When to ignore it
Mount points below a mount (`/mnt/nas` under `/mnt`) are not counted. Leftovers of an installation
under `/home` or `/var` only cost room: these local ones are of severity info.

## References
mount(8) on bind mounts, open_tree(2), chattr(1).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        let target = entry.mount_point();
        // By hand only: then both are used, with and without.
        if entry.is_swap() || target == "/" || entry.noauto() {
            continue;
        }
        let points = &host.snapshot.mount_points;
        let Some(point) = points.iter().find(|p| p.target == target) else {
            continue;
        };
        let entries = point.entries.unwrap_or(0);
        if entries == 0 || entries <= harmless(host, point) {
            continue;
        }
        let remote = entry.is_network() || entry.kind().is_remote();
        let where_ = if point.mounted == Some(true) {
            "under the mount at"
        } else {
            "in the bare directory"
        };
        report.find(
            Finding::new(
                if remote {
                    Severity::Warning
                } else {
                    Severity::Info
                },
                host.name(),
                &target,
                format!(
                    "{}{where_} {target}",
                    super::expected_but_absent::counted(entries, "lies ", "lie ")
                ),
            )
            .consequence(
                "They take room on the file system below and are missing where they belong",
            )
            .evidence(Evidence::measured(&target, bare(point)))
            .evidence(line::mark_field(entry, 2))
            .fix(format!(
                "mount --bind / /mnt/below, then look into /mnt/below{target}"
            )),
        );
    }
}

/// Entries that have a reason to be there: directories of mount points further down, `lost+found`.
fn harmless(host: &Host<'_>, point: &MountPoint) -> u64 {
    let further = |name: &str| {
        let path = format!("{}/{name}", point.target);
        let fstab = host.snapshot.fstab.iter().map(|e| e.mount_point());
        let mounts = host.snapshot.mounts.iter().map(|m| m.target.clone());
        name == "lost+found" || fstab.chain(mounts).any(|t| is_below(&t, &path))
    };
    point.examples.iter().filter(|name| further(name)).count() as u64
}
