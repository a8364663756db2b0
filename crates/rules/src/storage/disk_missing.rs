//! `storage/disk-missing`: a file that a guest starts from is not there.

use super::place;
use super::support::{
    bytes, defined_disks, disk_evidence, file_evidence, image, path, removable, severity,
    unread_image,
};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::domain::{Disk, Guest};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/disk-missing",
    summary: "a disk, backing file or boot file of a guest does not exist",
    needs: &[Source::Guests, Source::Images],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A disk whose image, one of whose backing files, or whose external data file does not exist; a volume
of a pool that is not defined; a kernel, initrd, firmware or shared directory that is not there; an
image that QEMU has marked corrupt, which it refuses to write to. Error where the guest is critical
or a member of an HA group, warning for the others. Drives of removable media are
`storage/cdrom-blocks-start`.

## Why it matters
The guest does not start. If it runs now, it runs on an open file that has no name any more: its
data are gone for good when it stops.

## Evidence
A stat of the path, made by a child process with a deadline. A path that could not be looked at (no
permission, a server that does not answer) is told under *not checked*, never as missing.

## Example
    $ virsh start bind-02
    error: Cannot access storage file '/var/lib/libvirt/images/bind-02.qcow2': No such file or directory

## Remedy
Mount what should be mounted, restore the file, or correct the path with `virsh edit`. A running
guest on a deleted image: do not stop it; `virsh blockcopy GUEST DISK NEWFILE --transient-job`
saves its data first. A corrupt image: `qemu-img check -r leaks`, with a copy at hand.

## When to ignore it
A definition that is kept as a template and never started. A disk with `startupPolicy='optional'`
is left out at the start; it is reported as a warning.

## References
libvirt, formatdomain, `startupPolicy` (for hard disks since 1.1.2); qemu-img(1), check.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in &host.snapshot.guests {
        for disk in defined_disks(guest).filter(|disk| !removable(disk)) {
            check_disk(host, guest, disk, report);
        }
        for file in &guest.files {
            // Firmware variables are made from a template at the first start.
            if file.role != "nvram"
                && image(host.snapshot, &file.path).is_some_and(|i| i.size.is_absent())
            {
                let evidence = file_evidence(guest, file);
                let what = format!("its {} {} does not exist", file.role, file.path);
                find(host, guest, None, what, vec![evidence], report);
            }
        }
    }
}

fn check_disk(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    let snapshot = host.snapshot;
    let Some(own) = path(disk) else {
        if disk.kind == "volume" {
            check_pool(host, guest, disk, report);
        }
        return;
    };
    let links = disk
        .backing
        .iter()
        .filter(|b| matches!(b.kind.as_str(), "file" | "block"));
    let files = std::iter::once((own, "image"))
        .chain(links.map(|b| (b.source.as_str(), "backing file")))
        .chain(disk.data_file.as_deref().map(|file| (file, "data file")));
    for (file, what) in files {
        let Some(found) = image(snapshot, file) else {
            continue;
        };
        if let Some(reason) = found.size.unreadable() {
            report.not_checked(host.name(), unread_image(guest, disk, file, reason));
            return;
        }
        if found.size.is_absent() {
            let mut evidence = vec![disk_evidence(guest, disk)];
            let place = place::network(snapshot, file);
            let where_ = place.as_ref().map_or_else(String::new, |place| {
                format!(" (it belongs on {})", place.words())
            });
            evidence.push(Evidence::measured(file, "no such file"));
            evidence.extend(place.map(|place| place.evidence));
            let message = format!("its {what} {file} does not exist{where_}");
            find(host, guest, Some(disk), message, evidence, report);
            return;
        }
        if found.corrupt {
            let mut evidence = vec![disk_evidence(guest, disk)];
            let size = found.size.known().copied().unwrap_or(0);
            evidence.push(Evidence::measured(
                file,
                format!("qcow2 header of {}: the corrupt bit is set", bytes(size)),
            ));
            let message = format!("its {what} {file} is marked corrupt by QEMU");
            find(host, guest, Some(disk), message, evidence, report);
            return;
        }
    }
}

fn check_pool(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    let source = disk.source.as_deref().unwrap_or_default();
    let pool = source.split('/').next().unwrap_or_default();
    if pool.is_empty() || host.snapshot.pools.iter().any(|p| p.name == pool) {
        return;
    }
    // A pool whose file could not be read may be the one.
    let unread = host
        .snapshot
        .unread
        .iter()
        .find(|u| u.source == Source::Pools);
    if let Some(unread) = unread {
        let why = format!(
            "{}, disk {}: pool {pool}: {}",
            guest.name, disk.target, unread.reason
        );
        report.not_checked(host.name(), why);
    } else {
        let what = format!("its storage pool {pool} is not defined on this host");
        let evidence = vec![disk_evidence(guest, disk)];
        find(host, guest, Some(disk), what, evidence, report);
    }
}

fn find(
    host: &Host<'_>,
    guest: &Guest,
    disk: Option<&Disk>,
    what: String,
    evidence: Vec<Evidence>,
    report: &mut Report,
) {
    let name = &guest.name;
    let optional = disk.is_some_and(|d| d.startup_policy.as_deref() == Some("optional"));
    let runs = matches!(guest.state.as_deref(), Some("running" | "paused"));
    let consequence = match (runs, optional) {
        (true, _) => "The running guest cannot be started again once it stops",
        (false, true) => "The guest starts without this disk",
        (false, false) => "The guest does not start",
    };
    let severity = if optional {
        Severity::Warning
    } else {
        severity(host.estate, name)
    };
    let subject = disk.map_or_else(|| name.clone(), |disk| format!("{name} {}", disk.target));
    let mut finding = Finding::new(severity, host.name(), name, format!("{subject}: {what}"))
        .consequence(consequence)
        .fix(if runs {
            "do not stop the guest before its data are copied: virsh blockcopy".to_owned()
        } else {
            format!("bring the file back, or correct the definition: virsh edit {name}")
        });
    finding.evidence = evidence;
    report.find(finding);
}
