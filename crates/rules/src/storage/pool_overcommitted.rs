//! `storage/pool-overcommitted`: the disks promised to guests are larger than what is there.

use super::support::{bytes, defined_disks, path, removable, severity};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::path::is_below;
use facts::pool::Pool;
use facts::{Evidence, Source};
use std::collections::BTreeSet;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/pool-overcommitted",
    summary: "the guests' disks in a pool can grow beyond its free space",
    needs: &[Source::Guests, Source::Images, Source::Pools],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A directory pool whose guests' images may still grow by more than the file system has free: the sum
of (size that the guest sees, less what is allocated) over the images that guests write to. Warning
where a critical guest or a member of an HA group has a disk there, else info.

## Why it matters
Thin images are a loan that the guests may call in at any time, for instance all at once when a
package update or a log runs wild. Then every guest of the pool pauses at its next write, the good
ones as well as the one that filled it.

## Evidence
Virtual size from each image's header, allocated bytes from stat(2), free bytes from statvfs(3).
Backing files do not grow and are not counted. Images that cannot be read are told under *not
checked*; the sum is then a lower bound.

## Example
    vms: images may grow by 640 GiB, 210 GiB are free

## Remedy
Enlarge the file system, move images away, or give the images that matter their space now
(`qemu-img create -o preallocation=falloc`, `virsh vol-create --prealloc-metadata`): a pool that is
full then stops only the others.

## When to ignore it
Overcommitment that is watched: keep `storage/pool-nearly-full` in force.

## References
qemu-img(1), preallocation; libvirt, formatstorage, `<allocation>`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for pool in &host.snapshot.pools {
        check_pool(host, pool, report);
    }
}

fn check_pool(host: &Host<'_>, pool: &Pool, report: &mut Report) {
    let (Some(available), Some(target)) = (pool.available, pool.target.as_deref()) else {
        return;
    };
    let mut growth: u64 = 0;
    let mut worst = Severity::Info;
    let mut largest: Option<(u64, &str)> = None;
    let mut count = 0_usize;
    let written: BTreeSet<(&str, &str)> = host
        .snapshot
        .guests
        .iter()
        .flat_map(|guest| {
            let disks = defined_disks(guest).filter(|d| !removable(d) && !d.readonly);
            disks.filter_map(|disk| Some((path(disk)?, guest.name.as_str())))
        })
        .filter(|(path, _)| is_below(path, target))
        .collect();
    let mut seen = BTreeSet::new();
    for (path, guest) in written {
        let Some(image) = super::support::image(host.snapshot, path) else {
            continue;
        };
        if let Some(why) = image.size.unreadable().or(image.header_unread.as_deref()) {
            report.not_checked(host.name(), format!("{guest}: {path}: {why}"));
            continue;
        }
        let (Some(size), Some(allocated)) = (image.virtual_size, image.allocated) else {
            continue;
        };
        let grows = size.saturating_sub(allocated);
        if grows == 0 || !seen.insert(image.identity.as_deref().unwrap_or(path)) {
            continue;
        }
        count += 1;
        growth = growth.saturating_add(grows);
        if severity(host.estate, guest) == Severity::Error {
            worst = Severity::Warning;
        }
        if largest.is_none_or(|(most, _)| grows > most) {
            largest = Some((grows, path));
        }
    }
    if growth <= available {
        return;
    }
    let largest = largest.map(|(grows, path)| {
        Evidence::measured(
            path,
            format!("may grow by {}, the most of all", bytes(grows)),
        )
    });
    report.find(
        Finding::new(
            worst,
            host.name(),
            &pool.name,
            format!(
                "the {count} thin images in the pool {} may grow by {}, and {} are free",
                pool.name,
                bytes(growth),
                bytes(available)
            ),
        )
        .consequence("When the guests write what they were promised, all of them pause")
        .evidence(Evidence::measured(
            format!("statvfs {target}"),
            format!("{available} bytes available"),
        ))
        .evidence_if(largest)
        .fix("enlarge the file system, or move images to another".to_owned()),
    );
}
