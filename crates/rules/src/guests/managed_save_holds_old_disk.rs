//! `guests/managed-save-holds-old-disk`: the next start resumes yesterday's guest.

use crate::storage::support::severity;
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::domain::Guest;
use facts::image::ManagedSave;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/managed-save-holds-old-disk",
    summary: "a managed save would resume a guest with other disks than its definition has",
    needs: &[Source::Guests, Source::Images],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A managed save image whose saved definition has other disk sources than the guest's definition, or a
managed save that was never finished. Error where the guest is critical or a member of an HA group,
else warning.

## Why it matters
As long as a managed save exists, `virsh start` and autostart do not boot the guest but resume the
saved one, with the definition *in the save*. A disk that was moved off the NAS since then is still
looked for there: the start fails while the NAS is dead, or, worse, succeeds and writes to the old
image with a memory full of old file system state.

## Evidence
The domain XML in the header of `/var/lib/libvirt/qemu/save/NAME.save`, compared disk by disk with
the definition.

## Example
    saved:   vda /mnt/nas/vms/9800-WLC-02.qcow2
    defined: vda /var/lib/libvirt/images/9800-WLC-02.qcow2

## Remedy
`virsh managedsave-remove GUEST`: the guest then boots afresh, as after a power cut; its file system
must recover. Where the saved memory matters and the new image is a faithful copy made after the
save: `virsh managedsave-edit GUEST`, and correct the source there.

## When to ignore it
Never without having looked at both images.

## References
virsh(1), managedsave, managedsave-edit, managedsave-remove; libvirt, src/qemu/qemu_saveimage.h.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for save in &host.snapshot.images.managed_saves {
        let guest = host.snapshot.guests.iter().find(|g| g.name == save.guest);
        let Some(guest) = guest else { continue };
        if let Some(reason) = &save.unread {
            report.not_checked(host.name(), format!("{}: {reason}", save.path));
            continue;
        }
        if let Some((what, evidence)) = difference(guest, save) {
            let name = &guest.name;
            report.find(
                Finding::new(severity(host.estate, name), host.name(), name, what)
                    .consequence(
                        "The next start does not boot the guest but resumes the saved one, with \
                         the disks of that time",
                    )
                    .evidence(evidence)
                    .fix(format!(
                        "virsh managedsave-remove {name} (it then boots afresh)"
                    )),
            );
        }
    }
}

fn difference(guest: &Guest, save: &ManagedSave) -> Option<(String, Evidence)> {
    if save.partial {
        let what = format!("the managed save of {} was never finished", guest.name);
        let evidence = Evidence::measured(&save.path, "magic LibvirtQemudPart");
        return Some((what, evidence));
    }
    let defined = |target: &str| {
        let disk = guest
            .disks
            .iter()
            .find(|d| d.target == target && !d.live_only);
        disk.and_then(|disk| disk.source.as_deref())
    };
    // A snapshot made elsewhere may list the sources alone.
    if save.targets.len() != save.disks.len() {
        let known = |source: &&String| {
            guest
                .disks
                .iter()
                .any(|d| d.source.as_ref() == Some(source))
        };
        let other = save.disks.iter().find(|source| !known(source))?;
        let what = format!(
            "the managed save of {} uses {other}, its definition does not",
            guest.name
        );
        return Some((what, Evidence::measured(&save.path, other.clone())));
    }
    let mut pairs = save.targets.iter().zip(&save.disks);
    let (target, saved) = pairs.find(|(t, s)| defined(t) != Some(s.as_str()))?;
    let now = defined(target).unwrap_or("nothing");
    Some((
        format!(
            "the managed save of {} has {saved} as disk {target}, its definition {now}",
            guest.name
        ),
        Evidence::measured(&save.path, format!("{target} {saved}")).mark(saved),
    ))
}
