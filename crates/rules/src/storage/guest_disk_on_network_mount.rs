//! `storage/guest-disk-on-network-mount`: a guest lives and dies with a file server.

use super::place;
use super::support::{defined_disks, disk_evidence, path_or_not_checked, removable, severity};
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::Source;
use facts::domain::{Disk, Guest};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/guest-disk-on-network-mount",
    summary: "a guest's disk lies on a network mount",
    needs: &[Source::Guests],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A disk of a guest whose image lies on NFS, SMB or another network file system, by the mount table
or by what fstab, a mount unit or a netfs pool would mount there; also a disk that QEMU itself gets
from a server that site.toml lists under `[nas]` (iscsi, nbd, nfs, http). Error where the guest is
critical or a member of an HA group, warning for the others.

## Why it matters
While the server does not answer, the guest's writes hang and its clock goes on: databases lose
their peers, HA members their heartbeat. When the mount has gone, the image is not there at all and
the guest does not start. On the day of the incident `virsh start 9800-WLC-02` failed because
`/mnt/nas/vms` was an empty local directory.

## Evidence
The `<source>` of the disk in the definition, and the mount: `/proc/self/mountinfo`, `/etc/fstab`,
a `.mount` unit or the pool. A path that belongs on a network mount counts also while that is not
mounted. Symbolic links are followed by the device number that the image was found on.

## Example
    <source file='/mnt/nas/vms/9800-WLC-02.qcow2'/>
    nas-01:/volume1/vms /mnt/nas/vms nfs defaults 0 0

## Remedy
`nofail evacuate GUEST --to DIR|POOL`, with the guest off or running: copies the image with all it
rests on, checks the copy, points the disk there, and keeps the old image until the guest has proved
itself (`--remove-source`). Unsafe for a machine to do unasked: it needs local space, and somebody
who chooses where.

## When to ignore it
Where the storage is built for guests and redundant (two heads, two paths): list the export in
`guest_disks_allowed` of its `[nas.NAME]` in site.toml. Ceph, Gluster and Sheepdog disks are not
reported.

## References
libvirt, formatdomain, \"Hard drives, floppy disks, CDROMs\"; nfs(5), `hard` and `soft`;
proc_pid_mountinfo(5).
";

fn check(host: &Host<'_>, report: &mut Report) {
    if let Some(reason) = place::unknown(host.snapshot) {
        report.not_checked(host.name(), reason);
        return;
    }
    for guest in &host.snapshot.guests {
        for disk in defined_disks(guest).filter(|disk| !removable(disk)) {
            if disk.kind == "network" {
                check_network_disk(host, guest, disk, report);
            } else if let Some(path) = path_or_not_checked(host, guest, disk, report) {
                check_path(host, guest, disk, path, report);
            }
        }
    }
}

fn check_path(host: &Host<'_>, guest: &Guest, disk: &Disk, path: &str, report: &mut Report) {
    let Some(place) = place::of_path(host.snapshot, path) else {
        return;
    };
    if place.allowed(host.estate, host.snapshot) {
        return;
    }
    let name = &guest.name;
    report.find(
        Finding::new(
            severity(host.estate, name),
            host.name(),
            name,
            format!("disk {} of {name} lies on {}", disk.target, place.words()),
        )
        .consequence(format!(
            "While {} does not answer the guest hangs, and it does not start without it",
            place.server()
        ))
        .evidence(disk_evidence(guest, disk))
        .evidence(place.evidence)
        .fix(format!(
            "move it to local storage: nofail evacuate {name} --to /var/lib/libvirt/images"
        )),
    );
}

fn check_network_disk(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    if !place::single_server(disk) {
        return;
    }
    let nas = disk
        .hosts
        .iter()
        .find_map(|h| place::known_nas(host.estate, host.snapshot, place::host_name(h)));
    let Some(nas) = nas else { return };
    let name = &guest.name;
    let source = disk.source.as_deref().unwrap_or_default();
    report.find(
        Finding::new(
            severity(host.estate, name),
            host.name(),
            name,
            format!(
                "disk {} of {name} comes from the file server {nas} ({source})",
                disk.target
            ),
        )
        .consequence(format!(
            "While {nas} does not answer the guest hangs, and it does not start without it"
        ))
        .evidence(disk_evidence(guest, disk))
        .evidence_if(host.estate.site_evidence("nas", nas, None))
        .fix("move the disk to local storage".to_owned()),
    );
}
