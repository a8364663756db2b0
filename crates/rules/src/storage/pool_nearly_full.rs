//! `storage/pool-nearly-full`: guests stop when their images cannot grow.

use super::support::{bytes, path};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::path::is_below;
use facts::pool::Pool;
use facts::{Evidence, Source};

/// Free share and free bytes below which a pool is nearly full; both must be undercut.
const NEARLY: (u64, u64) = (10, 100 << 30);
/// The same for a pool that is as good as full.
const FULL: (u64, u64) = (3, 10 << 30);

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/pool-nearly-full",
    summary: "a storage pool has little space left",
    needs: &[Source::Pools],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A directory pool on whose file system less than 10 % and less than 100 GiB are free (warning); less
than 3 % and less than 10 GiB is an error where a critical guest or a member of an HA group has a
disk there.

## Why it matters
Most images are sparse: they grow as the guest writes. On a full file system QEMU gets ENOSPC and
pauses the guest at that write (`virsh domstate --reason`: paused, I/O error). All guests of the pool
stop within minutes of each other, twins included, and a managed save or a snapshot fails as well.

## Evidence
statvfs(3) of the pool's target, asked by a child process with a deadline; the space free for an
ordinary user, as libvirt runs QEMU as one. Pools that do not run are not measured.

## Example
    $ virsh pool-info vms
    Capacity:       931.07 GiB
    Available:      8.12 GiB

## Remedy
Remove what nobody needs (`virsh vol-list POOL`, old snapshots, ISOs), give unused blocks back
(`fstrim` in the guests with `discard='unmap'` on their disks), or enlarge the file system.

## When to ignore it
A pool of ISOs or backups whose images never grow.

## References
libvirt, formatdomain, `error_policy` (default: report to the guest; virtio disks on ENOSPC pause);
statvfs(3).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for pool in &host.snapshot.pools {
        check_pool(host, pool, report);
    }
}

fn check_pool(host: &Host<'_>, pool: &Pool, report: &mut Report) {
    let (Some(capacity), Some(available)) = (pool.capacity, pool.available) else {
        return;
    };
    let under = |(share, least): (u64, u64)| {
        available < least && u128::from(available) * 100 < u128::from(capacity) * u128::from(share)
    };
    if capacity == 0 || !under(NEARLY) {
        return;
    }
    let target = pool.target.as_deref().unwrap_or_default();
    let on_it = |guest: &&facts::domain::Guest| {
        guest
            .disks
            .iter()
            .filter_map(path)
            .any(|path| is_below(path, target))
    };
    let guests: Vec<&str> = host
        .snapshot
        .guests
        .iter()
        .filter(on_it)
        .map(|guest| guest.name.as_str())
        .collect();
    let important = guests.iter().any(|guest| host.estate.is_important(guest));
    let severity = if under(FULL) && important {
        Severity::Error
    } else {
        Severity::Warning
    };
    let share = available.saturating_mul(100) / capacity;
    let consequence = if guests.is_empty() {
        "What is to be written there next fails".to_owned()
    } else {
        format!(
            "When it is full, these guests pause at their next write: {}",
            guests.join(", ")
        )
    };
    report.find(
        Finding::new(
            severity,
            host.name(),
            &pool.name,
            format!(
                "the pool {} has {} of {} left ({share} %)",
                pool.name,
                bytes(available),
                bytes(capacity)
            ),
        )
        .consequence(consequence)
        .evidence(Evidence::measured(
            format!("statvfs {target}"),
            format!("{capacity} bytes, {available} available"),
        ))
        .evidence(Evidence::line(&pool.file, pool.line.max(1), &pool.text).mark(target))
        .fix(format!(
            "find what can go: du -xh --max-depth=1 {target} | sort -h"
        )),
    );
}
