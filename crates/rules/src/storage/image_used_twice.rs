//! `storage/image-used-twice`: two guests that would write to one image.

use super::place;
use super::support::{defined_disks, disk_evidence, image, path, removable};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::domain::{Disk, Guest};
use facts::{Snapshot, Source};
use model::Estate;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/image-used-twice",
    summary: "two guests have the same image as a writable disk",
    needs: &[Source::Guests],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
One image that is a writable, unshared disk of two guests, on one host or, where it lies on a file
server, on two; also an image that one guest writes to and another has as its backing file. Error
where at least two of them run or start with their hosts, warning otherwise.

## Why it matters
Two writers destroy a file system within seconds. QEMU's image locks stop the second one on the same
host, and on NFS only where locks work (`nolock`, some SMB mounts and a rebooted server do not keep
them); libvirt's own lock manager is off by default. Where the locks do work, the second guest does
not start. Writing to a backing file corrupts every overlay upon it.

## Evidence
The disks in the definitions. Two paths count as one image where device and inode are the same, or
where they are the same file on the same server.

## Example
    kvm-01  db-01       /mnt/nas/vms/db.qcow2
    kvm-02  db-01-test  /mnt/nas/vms/db.qcow2

## Remedy
Give the second guest a copy (`qemu-img convert`) or an overlay of its own
(`qemu-img create -f qcow2 -b BASE -F qcow2 NEW`). A disk that is meant to be shared by a cluster
file system says `<shareable/>`.

## When to ignore it
The same guest, by its UUID, defined on two hosts to be migrated between them is not reported as
long as it runs on one at most and starts by itself on one at most.

## References
libvirt, formatdomain, `shareable`; libvirt, \"Virtual machine lock manager\"; qemu(1), `file.locking`.
";

#[derive(Clone, Copy)]
struct User<'a> {
    host: &'a Snapshot,
    guest: &'a Guest,
    disk: &'a Disk,
}

fn check(estate: &Estate, hosts: &[&Snapshot], report: &mut Report) {
    let mut writers: BTreeMap<String, Vec<User<'_>>> = BTreeMap::new();
    let mut readers: BTreeMap<String, Vec<User<'_>>> = BTreeMap::new();
    for host in hosts {
        for guest in &host.guests {
            for disk in defined_disks(guest).filter(|disk| !removable(disk)) {
                let user = User { host, guest, disk };
                for link in disk.backing.iter().filter(|b| b.kind == "file") {
                    readers
                        .entry(key(estate, host, &link.source))
                        .or_default()
                        .push(user);
                }
                if let Some(path) = path(disk)
                    && !(disk.readonly || disk.shareable || disk.transient)
                {
                    writers
                        .entry(key(estate, host, path))
                        .or_default()
                        .push(user);
                }
            }
        }
    }
    for (image, users) in &writers {
        for (at, first) in users.iter().enumerate() {
            for second in &users[at + 1..] {
                pair(first, second, image, "both write to", report);
            }
            for second in readers.get(image).into_iter().flatten() {
                if !std::ptr::eq(second.guest, first.guest) {
                    pair(first, second, image, "write to, and rest upon,", report);
                }
            }
        }
    }
}

/// What tells one image from others across the estate.
fn key(estate: &Estate, host: &Snapshot, path: &str) -> String {
    if let Some(place) = place::of_path(host, path) {
        let inside = path
            .strip_prefix(place.target.trim_end_matches('/'))
            .unwrap_or(path);
        let server = place.server_identity(estate, host);
        return format!("{server}:{}{inside}", place.export.trim_end_matches('/'));
    }
    let identity = image(host, path).and_then(|image| image.identity.as_deref());
    format!("{} {}", host.host, identity.unwrap_or(path))
}

fn pair(first: &User<'_>, second: &User<'_>, image: &str, verb: &str, report: &mut Report) {
    let awake = |user: &User<'_>| {
        matches!(user.guest.state.as_deref(), Some("running" | "paused"))
            || user.guest.autostart == Some(true)
    };
    let both = awake(first) && awake(second);
    let same = !first.guest.uuid.is_empty()
        && first.guest.uuid == second.guest.uuid
        && first.host.host != second.host.host;
    // One guest, defined on two hosts for migration.
    if same && !both {
        return;
    }
    let severity = if both {
        Severity::Error
    } else {
        Severity::Warning
    };
    let (one, other) = (&first.guest.name, &second.guest.name);
    let shown = path(first.disk).unwrap_or(image);
    report.find(
        Finding::new(
            severity,
            &first.host.host,
            format!("{one}, {other}"),
            format!(
                "{one} (disk {}) and {other} on {} (disk {}) {verb} the same image {shown}",
                first.disk.target, second.host.host, second.disk.target
            ),
        )
        .consequence("At best the second one does not start; at worst its file system is lost")
        .evidence(disk_evidence(first.guest, first.disk))
        .evidence(disk_evidence(second.guest, second.disk))
        .fix(format!("give {other} an image of its own (qemu-img convert), or mark a cluster disk <shareable/>")),
    );
}
