//! What the rules on disks share: which path a disk has, where it stands in the definition, how
//! much a guest matters.

use crate::{Finding, Host, Severity};
use facts::domain::{Disk, Guest, NeededFile};
use facts::image::Image;
use facts::{Evidence, Snapshot};
use model::Estate;
use std::collections::HashMap;

/// Error for a guest that others rely on (critical, or in an HA group), else warning.
pub(crate) fn severity(estate: &Estate, guest: &str) -> Severity {
    if estate.is_important(guest) {
        Severity::Error
    } else {
        Severity::Warning
    }
}

/// The path on the host that a disk is; `None` for network disks, empty drives and volumes whose
/// pool is not known.
pub(crate) fn path(disk: &Disk) -> Option<&str> {
    match disk.kind.as_str() {
        "file" | "block" | "dir" => disk.source.as_deref(),
        "volume" => disk.resolved.as_deref(),
        _ => None,
    }
}

/// Whether it is a drive of removable media.
pub(crate) fn removable(disk: &Disk) -> bool {
    matches!(disk.device.as_str(), "cdrom" | "floppy")
}

/// Disks that the next start of a guest uses.
pub(crate) fn defined_disks(guest: &Guest) -> impl Iterator<Item = &Disk> {
    guest.disks.iter().filter(|disk| !disk.live_only)
}

/// Guests of a host that libvirt starts with it.
pub(crate) fn autostarted(snapshot: &Snapshot) -> impl Iterator<Item = &Guest> {
    let guests = snapshot.guests.iter();
    guests.filter(|guest| guest.autostart == Some(true))
}

/// What a guest with autostart waits for and libvirt does not start: a `pool` or a `network`.
pub(crate) fn not_started(
    host: &Host<'_>,
    guest: &Guest,
    kind: &str,
    message: String,
    evidence: [Evidence; 2],
    fix: String,
) -> Finding {
    let severity = severity(host.estate, &guest.name);
    let mut finding = Finding::new(severity, host.name(), &guest.name, message)
        .consequence(format!(
            "After the next boot of the host its start fails: the {kind} is not active"
        ))
        .fix(fix);
    finding.evidence = evidence.into();
    finding
}

/// The disk's place in the definition, its source marked.
pub(crate) fn disk_evidence(guest: &Guest, disk: &Disk) -> Evidence {
    let source = disk.source.as_deref().unwrap_or_default();
    let line = if disk.source_line > 0 {
        disk.source_line
    } else {
        disk.line
    };
    if guest.file.is_empty() || line == 0 || disk.text.is_empty() {
        return Evidence::measured(definition(guest), format!("disk {}: {source}", disk.target));
    }
    // The last part of a volume is what stands in the attribute.
    let needle = match disk.kind.as_str() {
        "volume" | "network" => source.rsplit(['/', ':']).next().unwrap_or(source),
        _ => source,
    };
    Evidence::line(&guest.file, line, &disk.text).mark(needle)
}

/// The file of a guest's definition, or words for it where a snapshot does not tell.
pub(crate) fn definition(guest: &Guest) -> String {
    if guest.file.is_empty() {
        format!("definition of {}", guest.name)
    } else {
        guest.file.clone()
    }
}

/// Evidence of a whole guest: its name in its definition.
pub(crate) fn guest_evidence(guest: &Guest, text: impl Into<String>) -> Evidence {
    let mut evidence = Evidence::measured(definition(guest), text);
    evidence.line = (guest.line > 0).then_some(guest.line);
    evidence
}

/// Evidence of a file that a guest needs.
pub(crate) fn file_evidence(guest: &Guest, file: &NeededFile) -> Evidence {
    let text = format!("<{}> {}", file.role, file.path);
    let mut evidence = Evidence::measured(definition(guest), text).mark(&file.path);
    evidence.line = (file.line > 0).then_some(file.line);
    evidence
}

/// What was found of an image.
pub(crate) fn image<'a>(snapshot: &'a Snapshot, path: &str) -> Option<&'a Image> {
    // Images of a snapshot are sorted by path when nofail made it; one made elsewhere need not be.
    let files = &snapshot.images.files;
    match files.binary_search_by(|image| image.path.as_str().cmp(path)) {
        Ok(at) => files.get(at),
        Err(_) => files.iter().find(|image| image.path == path),
    }
}

/// A host's guest and disk in words, for *not checked*.
pub(crate) fn unread_image(guest: &Guest, disk: &Disk, path: &str, reason: &str) -> String {
    format!("{}, disk {}: {path}: {reason}", guest.name, disk.target)
}

/// Says under *not checked* which disks could not be placed: volumes of pools that were not read.
/// Gives the path where there is one.
pub(crate) fn path_or_not_checked<'a>(
    host: &Host<'_>,
    guest: &Guest,
    disk: &'a Disk,
    report: &mut crate::Report,
) -> Option<&'a str> {
    let found = path(disk);
    if found.is_none() && disk.kind == "volume" {
        let source = disk.source.as_deref().unwrap_or_default();
        let pool = source.split('/').next().unwrap_or_default();
        // A pool that is known and has no path (rbd, gluster) lies on no mount.
        if !host.snapshot.pools.iter().any(|p| p.name == pool) {
            report.not_checked(
                host.name(),
                format!(
                    "{}, disk {}: the pool {pool} is not known",
                    guest.name, disk.target
                ),
            );
        }
    }
    found
}

/// Bytes in words.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut power = 0;
    let mut rest = count;
    while rest >= 10 * 1024 && power + 1 < units.len() {
        rest /= 1024;
        power += 1;
    }
    format!("{rest} {}", units[power])
}

/// Where each guest is defined: looked up for each member of each group, so indexed once.
pub(crate) fn definitions<'a>(
    hosts: &[&'a Snapshot],
) -> HashMap<&'a str, Vec<(&'a Snapshot, &'a Guest)>> {
    let mut definitions: HashMap<&str, Vec<_>> = HashMap::new();
    for &host in hosts {
        for guest in &host.guests {
            definitions
                .entry(&guest.name)
                .or_default()
                .push((host, guest));
        }
    }
    definitions
}
