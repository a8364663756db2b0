//! `storage/live-disk-differs`: the running guest writes to another image than the next one will.

use super::support::{defined_disks, disk_evidence, severity};
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/live-disk-differs",
    summary: "a guest runs on another image than its definition names",
    needs: &[Source::Guests, Source::GuestState],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A running guest whose live status names another source for a disk than its persistent definition.
Error where the guest is critical or a member of an HA group, else warning.

## Why it matters
What the guest writes now goes to an image that its next start does not use: after a reboot of the
host it comes back with old data, silently. It happens after `virsh blockcopy --pivot` or
`change-media`/`attach-disk` with `--live` only, after a snapshot that was taken with a definition
edited meanwhile, and after `virsh edit` of a guest that was then not restarted.

## Evidence
The disk in `/etc/libvirt/qemu/NAME.xml` and in `/run/libvirt/qemu/NAME.xml`.

## Example
    $ virsh domblklist g             $ virsh domblklist g --inactive
    vda  /ssd/g.qcow2                vda  /mnt/nas/vms/g.qcow2

## Remedy
Decide which image is the right one. Where it is the running one, write it into the definition:
`virsh dumpxml --security-info GUEST` shows what runs, `virsh edit GUEST` changes the definition
only.

## When to ignore it
While a move of the disk is under way on purpose.

## References
virsh(1), blockcopy, edit, domblklist `--inactive`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in &host.snapshot.guests {
        for disk in defined_disks(guest) {
            let Some(live) = &disk.live_source else {
                continue;
            };
            let name = &guest.name;
            let defined = disk.source.as_deref().unwrap_or("nothing");
            let status = guest.status_file.clone().unwrap_or_default();
            report.find(
                Finding::new(
                    severity(host.estate, name),
                    host.name(),
                    name,
                    format!(
                        "disk {} of {name} is {live} now, and {defined} at its next start",
                        disk.target
                    ),
                )
                .consequence("What is written now is missing after the next start")
                .evidence(disk_evidence(guest, disk))
                .evidence(Evidence::measured(status, live.clone()).mark(live))
                .fix(format!(
                    "virsh edit {name}: put the image that is the right one there"
                )),
            );
        }
    }
}
