//! `fstab/unstable-device-name`: a kernel device name that another probe order gives to another disk.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::block::resolve;
use facts::fstab::{Entry, SourceKind};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/unstable-device-name",
    summary: "a disk is named by the order in which the kernel found it",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Lines whose source is a kernel name such as `/dev/sdb1`, `/dev/nvme0n1p2` or `/dev/vdb`: names that
the kernel gives in the order in which drivers find the devices.

## Why it matters
A disk more, a USB stick left in the host, a controller that answers later or another kernel, and
`/dev/sdb1` is another disk, or nothing. Without `nofail` the boot then ends in emergency mode. On
the day of the incident it was a line with `/dev/sdb1` that kept kvm-01 down.

## Evidence
The line; the device's UUID where it was read.

## Example
    /dev/sdb1  /data  xfs  defaults  0 2

## Remedy
Name the file system: `UUID=…`, from `blkid -s UUID -o value /dev/sdb1`. Safe while the device is
the right one now: the same file system is mounted, by a name that stays.

## When to ignore it
A virtual machine with one disk whose name its definition fixes. `/dev/mapper/…`, `/dev/VG/LV`,
`/dev/disk/by-*` and `/dev/md/…` are stable and not reported.

## References
fstab(5): \"LABEL= and UUID= are preferred\"; the kernel's admin-guide on block device naming;
persistent names in udev(7), `/usr/lib/udev/rules.d/60-persistent-storage.rules`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        if let SourceKind::Device(path) = entry.kind()
            && is_unstable(&path)
        {
            report_line(host, entry, &path, report);
        }
    }
}

fn report_line(host: &Host<'_>, entry: &Entry, path: &str, report: &mut Report) {
    let uuid = resolve(&host.snapshot.block_devices, path).and_then(|d| d.uuid.as_deref());
    let fix = match uuid {
        Some(uuid) => format!("write UUID={uuid} instead of {path}"),
        None => format!("write UUID=… instead of {path}; `blkid -s UUID -o value {path}` tells it"),
    };
    let consequence = if line::stops_the_boot(entry) {
        "After a change of disks this is another disk or none, and the boot ends in emergency mode"
    } else {
        "After a change of disks this is another disk or none"
    };
    report.find(
        Finding::new(
            Severity::Warning,
            host.name(),
            line::subject(entry),
            format!("{path} is a name that the kernel may give to another disk at the next boot"),
        )
        .consequence(consequence)
        .evidence(line::evidence(entry).mark(path))
        .fix(fix),
    );
}

/// `/dev/` and a name that the kernel numbers: sd, hd, vd, xvd with letters, nvme, mmcblk, dm.
fn is_unstable(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else {
        return false;
    };
    let letters_then_digits = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            let rest = rest.trim_end_matches(|c: char| c.is_ascii_digit());
            (1..=3).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase())
        })
    };
    let digits_after = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains('/')
        })
    };
    ["sd", "hd", "vd", "xvd"]
        .into_iter()
        .any(letters_then_digits)
        || ["nvme", "mmcblk", "dm-", "nbd", "rbd"]
            .into_iter()
            .any(digits_after)
}

#[cfg(test)]
mod tests {
    use super::is_unstable;

    #[test]
    fn kernel_names_and_stable_ones() {
        for name in [
            "sda",
            "sdb1",
            "sdaa12",
            "hda1",
            "vdb",
            "xvda1",
            "nvme0n1p1",
            "mmcblk0p2",
            "dm-3",
        ] {
            assert!(is_unstable(&format!("/dev/{name}")), "{name}");
        }
        for name in [
            "mapper/vg-root",
            "vg/lv",
            "disk/by-id/x",
            "md0",
            "md/data",
            "sr0",
            "sdb1/x",
            "video",
            "zvol/a",
            "rbd/pool/image",
            "fd0",
        ] {
            assert!(!is_unstable(&format!("/dev/{name}")), "{name}");
        }
    }
}
