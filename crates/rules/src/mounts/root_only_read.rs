//! `mounts/root-only-read`: guests' disks in a file system that only root may enter.

use crate::fstab::line::guests_below;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "mounts/root-only-read",
    summary: "guests' disks lie in a mount that only root may enter",
    needs: &[Source::Mounts, Source::MountHealth, Source::Guests],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A mounted file system whose top directory belongs to root and gives others no right to enter (mode
0700, 0750 and alike), while a guest's disk or backing file lies below it.

## Why it matters
QEMU runs as a user of its own (`qemu`, `libvirt-qemu`). libvirt gives it the image, not the
directories above: the guest starts only while QEMU happens to run as root, or not at all. And a
check that runs as root (a backup, a monitor) sees all in order.

## Evidence
Mode and owner of the mounted top directory, and the guests with disks below.

## Example
    $ stat -c '%a %U:%G' /mnt/nas/vms
    700 root:root

## Remedy
`chmod o+x TARGET` (o+x lets enter, not list), or on the file server for an export.

## When to ignore it
Where `user = \"root\"` stands in `/etc/libvirt/qemu.conf`. A directory of another group (root:qemu,
0750) is not reported.

## References
libvirt's documentation of the QEMU driver, \"POSIX users/groups\"; path_resolution(7).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for point in &host.snapshot.mount_points {
        let (Some(mode), Some(0), Some(0)) = (point.mode, point.uid, point.gid) else {
            continue;
        };
        if point.mounted != Some(true) || point.target == "/" || mode & 0o001 != 0 {
            continue;
        }
        let guests = guests_below(host.snapshot, &point.target);
        if guests.is_empty() {
            continue;
        }
        let target = &point.target;
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                target,
                format!(
                    "only root may enter {target}, where disks of {} lie",
                    guests.join(", ")
                ),
            )
            .consequence("QEMU runs as another user and cannot open them")
            .evidence(Evidence::measured(
                target,
                format!("mode {mode:04o}, owner root:root"),
            ))
            .fix(format!("chmod o+x {target}")),
        );
    }
}
