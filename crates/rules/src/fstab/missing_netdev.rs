//! `fstab/missing-netdev`: a network mount that systemd cannot tell from a local one.

use super::planned::lines;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::plan::Kind;
use analysis::boot::{UnitPlan, looks_remote};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/missing-netdev",
    summary: "a network mount that systemd takes for local, for want of _netdev",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line that needs the network, whose type does not tell systemd so, and that lacks `_netdev`: disks
over iSCSI, NBD or RBD named by path, FUSE clients such as s3fs, rclone or gcsfuse, `smb`, beegfs,
and any `host:/path` source with a type of its own. (systemd knows afs, ceph, cifs, davfs, gfs, gfs2,
glusterfs, lustre, ncpfs, nfs, nfs4, ocfs2, orangefs, pvfs2, smb3, smbfs and sshfs, with or without
`fuse.` before them.)

## Why it matters
Without the mark systemd mounts it before the network is up, under local-fs.target: without
`nofail` the boot ends in emergency mode (error), with it the mount is simply missing after each
boot (warning). At shutdown the network goes first, and the unmount hangs.

## Evidence
The line of `/etc/fstab`.

## Example
    /dev/disk/by-path/ip-10.50.1.70:3260-iscsi-iqn.x-lun-0  /data  xfs  defaults  0 0

## Remedy
Add `_netdev`. Safe: it moves the unit under remote-fs.target, after the network.

## When to ignore it
The source is local after all (a FUSE client of a local store): say so to yourself, and add
`nofail`.

## References
systemd.mount(5), _netdev; mount(8), _netdev.
";

/// Types that need the network and that systemd does not know to.
const TYPES: [&str; 17] = [
    "smb",
    "beegfs",
    "gpfs",
    "panfs",
    "fuse.s3fs",
    "s3fs",
    "fuse.rclone",
    "rclone",
    "fuse.gcsfuse",
    "gcsfuse",
    "fuse.goofys",
    "fuse.juicefs",
    "juicefs",
    "fuse.mfs",
    "moosefs",
    "fuse.curlftpfs",
    "fuse.seaweedfs",
];

fn needs_network(plan: &UnitPlan) -> Option<&'static str> {
    let what = plan.what.as_str();
    if TYPES.contains(&plan.fstype.as_str()) {
        Some("its type is one of the network that systemd does not know")
    } else if what.starts_with("/dev/disk/by-path/ip-") || what.contains("-iscsi-") {
        Some("its disk comes over iSCSI")
    } else if ["/dev/nbd", "/dev/rbd"]
        .iter()
        .any(|prefix| what.starts_with(prefix))
    {
        Some("its disk comes over the network")
    } else if looks_remote(what) && !is_disk(&plan.fstype) {
        Some("its source is on another host")
    } else {
        None
    }
}

/// A type that lies on a disk, with a network source, is a wrong type: another rule's.
fn is_disk(fstype: &str) -> bool {
    matches!(
        fstype,
        "" | "none" | "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "vfat" | "iso9660"
    )
}

fn check(host: &Host<'_>, report: &mut Report) {
    for line in lines(host) {
        let plan = &line.plan;
        if plan.network || plan.unit.is_none() || plan.pulled_in_by.is_empty() || plan.bind {
            continue;
        }
        let Some(why) = needs_network(plan) else {
            continue;
        };
        let swap = plan.kind == Kind::Swap;
        let target = if swap {
            &line.entry.source
        } else {
            &line.entry.target
        };
        let (severity, consequence) = if line.stops_boot() {
            (
                Severity::Error,
                "It is mounted before the network is up, fails, and the boot stops in emergency mode",
            )
        } else {
            (
                Severity::Warning,
                "It is tried before the network is up, and missing after each boot",
            )
        };
        report.find(
            Finding::new(
                severity,
                host.name(),
                target,
                format!("{target} has no _netdev: {why}"),
            )
            .consequence(consequence)
            .evidence(line.evidence(&line.option_field()))
            .fix(line.edit(&["_netdev"])),
        );
    }
}
