//! `storage/cdrom-blocks-start`: an ISO that nobody needs keeps a guest from starting.

use super::place;
use super::support::{
    defined_disks, disk_evidence, image, path, removable, severity, unread_image,
};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::domain::{Disk, Guest};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/cdrom-blocks-start",
    summary: "a guest does not start when the ISO in its drive cannot be reached",
    needs: &[Source::Guests],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A CD-ROM or floppy drive whose medium lies on a network mount, or is not there at all, without
`startupPolicy='optional'`. Error where the guest is critical or a member of an HA group; for the
others a warning.

## Why it matters
libvirt opens the medium like any disk when the guest starts. The default policy, `mandatory`,
refuses the start when that fails, and so does `requisite` (which only lets a medium go at migration,
restore and revert). An installation ISO that was forgotten in the drive years ago then keeps the
guest down as long as the NAS is: `Cannot access storage file '/mnt/nas/isos/x.iso'`.

## Evidence
The drive's `<source>` in the definition; the mount (mount table, fstab, units, pools); whether the
file is there.

## Example
    <disk type='file' device='cdrom'>
      <source file='/mnt/nas/isos/debian.iso'/>

## Remedy
`virsh change-media GUEST DRIVE --eject --config` takes the medium out of the definition. Safe: it
takes effect at the next start. A medium that is wanted gets `startupPolicy='optional'` on its
`<source>` (virsh edit): the drive is then empty where the file cannot be reached.

## When to ignore it
A guest that boots from this medium has no use without it.

## References
libvirt, formatdomain, `startupPolicy`; tried with libvirt 9.0: `mandatory` and `requisite` refuse,
`optional` starts with an empty drive.
";

fn check(host: &Host<'_>, report: &mut Report) {
    if let Some(reason) = place::unknown(host.snapshot) {
        report.not_checked(host.name(), reason);
        return;
    }
    for guest in &host.snapshot.guests {
        for disk in defined_disks(guest).filter(|disk| removable(disk)) {
            if disk.startup_policy.as_deref() != Some("optional")
                && let Some(path) = path(disk)
            {
                check_drive(host, guest, disk, path, report);
            }
        }
    }
}

fn check_drive(host: &Host<'_>, guest: &Guest, disk: &Disk, path: &str, report: &mut Report) {
    let name = &guest.name;
    let found = image(host.snapshot, path);
    let missing = found.is_some_and(|image| image.size.is_absent());
    let place = place::of_path(host.snapshot, path);
    let (severity, message, consequence) = match &place {
        Some(place) => (
            severity(host.estate, name),
            format!(
                "drive {} of {name} holds {path}, on {}",
                disk.target,
                place.words()
            ),
            if missing {
                "The file is not there now: the guest does not start".to_owned()
            } else {
                format!(
                    "Without {} the guest does not start, for a disc",
                    place.server()
                )
            },
        ),
        None if missing => (
            severity(host.estate, name),
            format!(
                "drive {} of {name} holds {path}, which does not exist",
                disk.target
            ),
            "The guest does not start".to_owned(),
        ),
        None => {
            if let Some(reason) = found.and_then(|image| image.size.unreadable()) {
                report.not_checked(host.name(), unread_image(guest, disk, path, reason));
            }
            return;
        }
    };
    // Under `requisite` the administrator has thought of it, if not of the boot.
    let severity = match disk.startup_policy.as_deref() {
        Some("requisite") => severity.min(Severity::Warning),
        _ => severity,
    };
    report.find(
        Finding::new(severity, host.name(), name, message)
            .consequence(consequence)
            .evidence(disk_evidence(guest, disk))
            .evidence_if(place.map(|place| place.evidence))
            .fix(format!(
                "virsh change-media {name} {} --eject --config, or startupPolicy='optional' on \
                 its <source>",
                disk.target
            )),
    );
}
