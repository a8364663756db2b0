//! `fstab/wrong-fstype`: fstab says one file system type, the device holds another.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::block::{BlockDevice, resolve};
use facts::fstab::{Entry, SourceKind};
use facts::{Evidence, Known, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/wrong-fstype",
    summary: "the type in fstab is not that of the source",
    // Block devices only sharpen it: what a tree holds of them is judged, the rest is said.
    needs: &[Source::Fstab],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line whose type differs from what really lies on the device; a line for a device that holds a
container (LUKS, LVM, a member of an array) or nothing at all; and a file server's export
(`host:/path`, `//host/share`) with a local type or `auto`.

## Why it matters
The mount fails, at every boot. Where the line is local and lacks `nofail`, local-fs.target fails
with it and the host stops in emergency mode, without network, until somebody comes to its console:
`/dev/sdb1`, listed as xfs and formatted as ext4, was the cause of the incident's first outage.
An export with a local type has one more trap: systemd sees the type only, takes the mount for a
local one, tries it before the network is up, and the boot ends in emergency mode just the same,
even where `mount` by hand works.

## Evidence
The line, and the type that udev's database, blkid or the superblock itself gives.

## Example
    /dev/sdb1  /data  xfs  defaults  0 2
    $ blkid -s TYPE -o value /dev/sdb1
    ext4

## Remedy
Write the real type, and `nofail` for what the host can do without. Not done unasked: perhaps it is
the device that is wrong, not the type.

## When to ignore it
Pairs that one driver serves are not reported: ext4 for ext2 and ext3, `vfat` and `msdos`, `ntfs-3g`
and `ntfs3` and `ntfs`, `fuseblk`; nor `auto` for a local device, nor `fuse.*`.

## References
fstab(5), mount(8), blkid(8), systemd.special(7) on local-fs.target; systemd-fstab-generator(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let mut unknown = Vec::new();
    for entry in &host.snapshot.fstab {
        match entry.kind() {
            SourceKind::Nfs { .. } => remote(host, entry, &["nfs", "nfs4"], report),
            SourceKind::Cifs { .. } => remote(host, entry, &["cifs", "smb3", "smbfs"], report),
            SourceKind::Device(_)
            | SourceKind::Tag(..)
            | SourceKind::Loop(_)
            | SourceKind::SwapFile(_)
            | SourceKind::Iscsi { .. } => {
                if !is_judged(&entry.fstype) {
                    continue;
                }
                match resolve(&host.snapshot.block_devices, &entry.source) {
                    Some(device) => local(host, entry, device, report),
                    // An image is probed in a tree only; that a device is missing is told by
                    // missing-source, where devices were read.
                    None if matches!(entry.kind(), SourceKind::Device(_) | SourceKind::Tag(..)) => {
                        unknown.push(entry.source.as_str());
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }
    if let Some(why) = host.snapshot.why_unread(Source::BlockDevices)
        && !unknown.is_empty()
    {
        report.not_checked(
            host.name(),
            format!("what lies on {}: {why}", unknown.join(", ")),
        );
    }
}

fn local(host: &Host<'_>, entry: &Entry, device: &BlockDevice, report: &mut Report) {
    let name = &device.name;
    let (message, real) = match &device.fstype {
        Known::Unreadable(why) => {
            report.not_checked(host.name(), format!("what lies on {name}: {why}"));
            return;
        }
        Known::Known(real) if fits(&entry.fstype, real) => return,
        Known::Known(real) => match container(real) {
            Some(what) => (
                format!(
                    "{name} holds {what}, not a file system of type {}",
                    entry.fstype
                ),
                None,
            ),
            None => (
                format!(
                    "fstab says {} for {}, which is {real}",
                    entry.fstype, entry.source
                ),
                Some(real),
            ),
        },
        Known::Absent if PROBED.contains(&entry.fstype.as_str()) => (
            format!(
                "fstab says {} for {}, on which nothing is recognised",
                entry.fstype, entry.source
            ),
            None,
        ),
        Known::Absent => return,
    };
    let measured = match &device.fstype {
        Known::Known(real) => format!("TYPE={real} (from {})", device.read_from),
        _ => format!("no file system recognised (from {})", device.read_from),
    };
    let (severity, consequence) = weight(entry);
    let mut finding = Finding::new(severity, host.name(), line::subject(entry), message)
        .consequence(consequence)
        .evidence(line::mark_field(entry, 3))
        .evidence(Evidence::measured(name, measured));
    finding = match real {
        Some(real) => finding.fix(format!(
            "write {real} instead of {} in line {}{}",
            entry.fstype,
            entry.line,
            if line::stops_the_boot(entry) && !line::is_root(entry) {
                ", and add nofail if the host can do without it"
            } else {
                ""
            }
        )),
        None => finding.fix(format!(
            "correct the source in line {}: `lsblk -f {name}` shows what is there",
            entry.line
        )),
    };
    report.find(finding);
}

/// An export of a file server with a type that only local disks have, or `auto`.
fn remote(host: &Host<'_>, entry: &Entry, right: &[&str], report: &mut Report) {
    let automatic = matches!(entry.fstype.as_str(), "auto" | "none" | "");
    let local = entry.fstype.split(',').all(|t| LOCAL.contains(&t));
    // With `_netdev` an automatic type is found out when the network is up: that works.
    if !(local || automatic && !entry.is_network()) {
        return;
    }
    let (severity, mut consequence) = weight(entry);
    if automatic && line::stops_the_boot(entry) {
        consequence = "systemd takes it for a local mount and tries it before the network is up: the boot ends in emergency mode";
    }
    report.find(
        Finding::new(
            severity,
            host.name(),
            line::subject(entry),
            format!(
                "{} is on a file server, and its type says {}",
                entry.source, entry.fstype
            ),
        )
        .consequence(consequence)
        .evidence(line::mark_field(entry, 3))
        .fix(format!(
            "write {} instead of {} in line {}, with nofail and x-systemd.mount-timeout=30s",
            right[0], entry.fstype, entry.line
        )),
    );
}

fn weight(entry: &Entry) -> (Severity, &'static str) {
    if line::stops_the_boot(entry) {
        (
            Severity::Error,
            "The mount fails, local-fs.target with it, and the next boot ends in emergency mode",
        )
    } else if entry.is_swap() {
        (Severity::Warning, "The host runs without this swap")
    } else {
        (
            Severity::Warning,
            "The mount fails at every boot; what lies there is missing",
        )
    }
}

/// Types whose content blkid and nofail recognise: nothing there is a fact for these.
const PROBED: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "ntfs-3g",
    "swap", "f2fs", "iso9660", "squashfs", "reiserfs", "jfs", "gfs2",
];

/// Types that only local disks have.
const LOCAL: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "ntfs-3g",
    "f2fs", "iso9660", "udf", "squashfs", "reiserfs", "jfs", "swap", "bcachefs",
];

fn is_judged(fstype: &str) -> bool {
    !(fstype.starts_with("fuse.")
        || matches!(fstype, "" | "auto" | "none" | "fuse" | "fuseblk" | "zfs"))
}

fn container(real: &str) -> Option<&'static str> {
    Some(match real {
        "crypto_LUKS" => "an encrypted volume (LUKS)",
        "LVM2_member" => "a physical volume of LVM",
        "linux_raid_member" => "a member of an md array",
        _ => return None,
    })
}

/// Whether a file system of type `real` mounts under one of the listed types. mount(8) tries
/// types that are separated by commas one after the other.
fn fits(listed: &str, real: &str) -> bool {
    listed.split(',').any(|listed| {
        listed == real
            || match listed {
                // One driver: ext4's serves all three; as ext2 it takes an ext3 without its journal.
                "ext4" => matches!(real, "ext2" | "ext3"),
                "ext2" => real == "ext3",
                "msdos" | "fat" | "umsdos" => real == "vfat",
                "ntfs-3g" | "ntfs3" | "lowntfs-3g" | "ufsd" => real == "ntfs",
                "exfat-fuse" => real == "exfat",
                // A disc may carry both; blkid names one.
                "udf" | "iso9660" => matches!(real, "udf" | "iso9660"),
                "swap" => real == "swsuspend",
                "zfs" => real == "zfs_member",
                "auto" => true,
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn pairs_that_one_driver_serves() {
        for (listed, real) in [
            ("ext4", "ext3"),
            ("xfs,ext4", "ext4"),
            ("ntfs3", "ntfs"),
            ("swap", "swsuspend"),
            ("udf,iso9660", "iso9660"),
        ] {
            assert!(fits(listed, real), "{listed} {real}");
        }
        for (listed, real) in [
            ("xfs", "ext4"),
            ("ext3", "ext4"),
            ("ext2", "ext4"),
            ("ext4", "xfs"),
            ("ext4", "swap"),
            ("ext3", "ext2"),
        ] {
            assert!(!fits(listed, real), "{listed} {real}");
        }
    }
}
