//! `fstab/missing-source`: a line names a device that the host does not have.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::block::{BlockDevices, resolve};
use facts::fstab::{Entry, SourceKind};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/missing-source",
    summary: "fstab names a device that is not there",
    needs: &[Source::Fstab, Source::BlockDevices],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line whose device, UUID or label belongs to no block device that the running host has.

## Why it matters
At the next boot systemd waits for the device (90 seconds unless `x-systemd.device-timeout=` says
otherwise); then the mount fails. A local one without `nofail` takes local-fs.target with it: the
host stops in emergency mode. Such lines stay unseen until the reboot, often months after the disk
was pulled or formatted anew.

## Evidence
The line; the list of block devices from sysfs and udev's database.

## Example
    UUID=6f0c…  /backup  ext4  defaults  0 2     # that disk was replaced in spring

## Remedy
Correct the UUID (`lsblk -f`), remove the line, or add `nofail` for a disk that may be absent.

## When to ignore it
A removable disk: give it `nofail` or `noauto` (with `noauto` it is not reported). Devices that
crypttab opens later, CD-ROM drives and loop devices are not reported.

## References
systemd.mount(5) on `x-systemd.device-timeout=` and `nofail`; systemd.device(5); crypttab(5).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let devices = &host.snapshot.block_devices;
    for entry in host
        .snapshot
        .fstab
        .iter()
        .filter(|e| !e.noauto() || line::is_root(e))
    {
        let kind = entry.kind();
        let tag = matches!(kind, SourceKind::Tag(..));
        let by_link = entry.source.starts_with("/dev/disk/");
        let asked = match &kind {
            SourceKind::Tag(..) => true,
            SourceKind::Device(path) => !comes_later(path, devices),
            SourceKind::Iscsi { .. } => true,
            _ => false,
        };
        if !asked || resolve(devices, &entry.source).is_some() {
            continue;
        }
        // A device whose superblock nobody could read may be the one.
        let unread = devices
            .devices
            .iter()
            .find_map(|d| Some((&d.name, d.fstype.unreadable()?)));
        if let (true, Some((name, why))) = (tag || by_link, unread) {
            report.not_checked(
                host.name(),
                format!(
                    "whether {} exists: {name} could not be read: {why}",
                    entry.source
                ),
            );
            continue;
        }
        report_line(host, entry, report);
    }
}

fn report_line(host: &Host<'_>, entry: &Entry, report: &mut Report) {
    let (severity, consequence) = if line::stops_the_boot(entry) {
        (
            Severity::Error,
            "The next boot waits for it, then ends in emergency mode",
        )
    } else if entry.nofail() {
        (Severity::Info, "The next boot goes on without it")
    } else {
        (
            Severity::Warning,
            "The next boot waits for it and goes on without it",
        )
    };
    report.find(
        Finding::new(
            severity,
            host.name(),
            line::subject(entry),
            format!("no block device of this host is {}", entry.source),
        )
        .consequence(consequence)
        .evidence(line::mark_field(entry, 1))
        .fix(format!(
            "correct or remove line {} (`lsblk -f` shows what is there), or add nofail if the disk may be absent",
            entry.line
        )),
    );
}

/// Devices that appear when something opens them, or that are no block devices with a medium.
fn comes_later(path: &str, devices: &BlockDevices) -> bool {
    let name = path.strip_prefix("/dev/").unwrap_or(path);
    let opened = |mapped: &str| devices.crypttab.iter().any(|c| c.name == mapped);
    [
        "loop", "ram", "zram", "fd", "sr", "cd", "dvd", "nbd", "drbd", "zvol/", "fuse", "shm",
        "root",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || name.strip_prefix("mapper/").is_some_and(opened)
}
