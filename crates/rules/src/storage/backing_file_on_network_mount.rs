//! `storage/backing-file-on-network-mount`: a local image that rests on a file server.

use super::place;
use super::support::{defined_disks, disk_evidence, image, path, removable, severity};
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::domain::{Disk, Guest};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/backing-file-on-network-mount",
    summary: "a disk looks local, but its backing file or data file lies on a network mount",
    needs: &[Source::Guests, Source::Images],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A disk whose image lies on local storage while a file behind it does not: a backing file anywhere
down the chain, a qcow2 external data file, an extent of a VMDK. Error where the guest is critical
or a member of an HA group, warning for the others.

## Why it matters
The overlay holds only what was written since; every other block is read from the backing file.
Without the file server the guest hangs at the first such read, and libvirt refuses to start it.
Moving the image with `cp` moves only the overlay: the dependency stays and nobody sees it any more.

## Evidence
The `<backingStore>` elements of the definition, where libvirt was given them; else the headers of
the images, read to the end of the chain; and the mount (mount table, fstab, units, pools). An image
that cannot be read is told under *not checked*.

## Example
    $ qemu-img info --backing-chain /var/lib/libvirt/images/bind-02.qcow2
    backing file: /mnt/nas/vms/templates/debian-12.qcow2

## Remedy
`nofail evacuate GUEST --to DIR|POOL`, with the guest off or running, to another local directory than
the image's: copies the disk with its whole chain into one image that rests on nothing, and has a
way back. By hand, in place and without one: `qemu-img rebase -b ''` (guest shut off) or `virsh
blockpull GUEST DISK --wait` (guest running). Unsafe for a machine to do unasked: it reads the whole
backing file and needs its space locally.

## When to ignore it
As for `storage/guest-disk-on-network-mount`: an export listed under `guest_disks_allowed`.

## References
libvirt, \"Disk image chains\" (kbase/backing_chains); QEMU, docs/interop/qcow2; qemu-img(1), rebase;
virsh(1), blockpull.
";

fn check(host: &Host<'_>, report: &mut Report) {
    if let Some(reason) = place::unknown(host.snapshot) {
        report.not_checked(host.name(), reason);
        return;
    }
    for guest in &host.snapshot.guests {
        for disk in defined_disks(guest).filter(|disk| !removable(disk)) {
            check_disk(host, guest, disk, report);
        }
    }
}

fn check_disk(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    // Where the disk itself lies on such a mount, storage/guest-disk-on-network-mount tells it.
    let own = || path(disk).and_then(|path| place::of_path(host.snapshot, path));
    let links = disk
        .backing
        .iter()
        .filter(|b| matches!(b.kind.as_str(), "file" | "block"));
    let files = links
        .map(|b| (b.source.as_str(), b.read_from.as_str(), "backing file"))
        .chain(
            disk.data_file
                .as_deref()
                .map(|file| (file, "", "data file")),
        );
    let mut told = false;
    for (file, read_from, what) in files {
        let Some(place) = place::of_path(host.snapshot, file) else {
            continue;
        };
        told = true;
        let same = own().is_some_and(|own| own.target == place.target);
        if same || place.allowed(host.estate, host.snapshot) {
            continue;
        }
        report_file(host, guest, disk, (file, read_from, what), place, report);
        // What lies behind this file needs the same server or a worse one; one finding suffices.
        break;
    }
    if !told && let Some(reason) = &disk.chain_broken
        // A chain that ends in nothing is storage/disk-missing.
        && !reason.ends_with("does not exist")
    {
        let why = format!(
            "{}, disk {}: the backing chain: {reason}",
            guest.name, disk.target
        );
        report.not_checked(host.name(), why);
    }
}

fn report_file(
    host: &Host<'_>,
    guest: &Guest,
    disk: &Disk,
    (file, read_from, what): (&str, &str, &str),
    place: place::Place,
    report: &mut Report,
) {
    let name = &guest.name;
    let header = image(host.snapshot, read_from)
        .and_then(|image| image.backing.as_deref())
        .map(|backing| {
            Evidence::measured(read_from, format!("backing file: {backing}")).mark(backing)
        });
    report.find(
        Finding::new(
            severity(host.estate, name),
            host.name(),
            name,
            format!(
                "disk {} of {name} looks local, but its {what} {file} lies on {}",
                disk.target,
                place.words()
            ),
        )
        .consequence(format!(
            "While {} does not answer the guest hangs at the first block that only the {what} \
             holds, and it does not start",
            place.server()
        ))
        .evidence(disk_evidence(guest, disk))
        .evidence_if(header)
        .evidence(place.evidence)
        .fix(format!(
            "nofail evacuate {name} --to DIR, a local directory other than the image's; or in place and \
             without a way back: virsh blockpull {name} {} --wait (while it runs)",
            disk.target
        )),
    );
}
