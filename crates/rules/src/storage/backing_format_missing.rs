//! `storage/backing-format-missing`: a chain of images that a current libvirt refuses.

use super::support::{defined_disks, disk_evidence, image, path, removable, severity};
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::domain::{Disk, Guest};
use facts::image::{Image, backing};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/backing-format-missing",
    summary: "an image does not say the format of its backing file, which has one itself",
    needs: &[Source::Guests, Source::Images],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A disk whose image (or one down its chain) names a backing file without its format, where that
backing file has a backing file again. Error where the guest is critical or a member of an HA group,
else warning.

## Why it matters
libvirt since 6.1 does not guess formats down a chain: a guest could write a forged header into a raw
image and so read any file of the host. It refuses the start: `format of backing image 'mid.qcow2' of
image 'top.qcow2' was not specified in the image metadata`. A guest that has run for a year, started
by an older libvirt, does not come back after the host was updated and rebooted.

## Evidence
The qcow2 headers, read to the end of the chain. Where the definition holds the whole chain
(`<backingStore>` to its end) libvirt does not look into the images, and nor does this rule. A last
backing file without a format is still accepted and is not reported.

## Example
    $ qemu-img info top.qcow2
    backing file: mid.qcow2
    (no line `backing file format`)

## Remedy
With the guest shut off: `qemu-img rebase -u -b MID -F qcow2 TOP` writes the format into the header
and changes no data. The name after `-b` must be the one that stands there already.

## When to ignore it
Never on a host whose libvirt is 6.1 or later.

## References
libvirt, \"Disk image chains\" (kbase/backing_chains), \"Troubleshooting\"; tried with libvirt 9.0.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in &host.snapshot.guests {
        let disks = defined_disks(guest).filter(|d| !removable(d) && !d.chain_ends);
        for disk in disks.filter(|d| d.format.as_deref().is_some_and(|f| f != "raw")) {
            check_disk(host, guest, disk, report);
        }
    }
}

fn check_disk(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    let Some(own) = path(disk) else { return };
    let files = std::iter::once(own).chain(disk.backing.iter().map(|b| b.source.as_str()));
    for file in files {
        let Some(upper) = image(host.snapshot, file) else {
            return;
        };
        let (Some(name), None) = (&upper.backing, &upper.backing_format) else {
            continue;
        };
        let Ok(link) = backing::resolve(file, name) else {
            return;
        };
        if link.format.is_some() {
            continue;
        }
        let Some(lower) = image(host.snapshot, &link.source) else {
            return;
        };
        if lower.backing.is_some() || lower.data_file.is_some() {
            report_image(host, guest, disk, (upper, name, lower), report);
            return;
        }
    }
}

fn report_image(
    host: &Host<'_>,
    guest: &Guest,
    disk: &Disk,
    (upper, name, lower): (&Image, &str, &Image),
    report: &mut Report,
) {
    let format = lower.format.as_deref().unwrap_or("qcow2");
    report.find(
        Finding::new(
            severity(host.estate, &guest.name),
            host.name(),
            &guest.name,
            format!(
                "disk {} of {}: {} does not say the format of its backing file {name}",
                disk.target, guest.name, upper.path
            ),
        )
        .consequence("libvirt 6.1 and later refuses to start the guest")
        .evidence(disk_evidence(guest, disk))
        .evidence(Evidence::measured(
            &upper.path,
            format!("qcow2 header: backing file {name}, no backing format"),
        ))
        .fix(format!(
            "with the guest shut off: qemu-img rebase -u -b {name} -F {format} {}",
            upper.path
        )),
    );
}
