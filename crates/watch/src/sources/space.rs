//! Free space under storage pools, guests' disks, and the host's own directories. A path may lie
//! on a hung mount: a disposable child asks.

use super::{Pulse, Source, SourceError, rest};
use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use collect::probe::Prober;
use facts::{mount, pool};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// The source.
pub const SOURCE: Source = Source {
    name: "space",
    silent_after: |settings| settings.space.interval * 3 + settings.mounts.deadline * 40,
    run,
};

/// Where libvirt keeps definitions of pools.
const POOLS: &str = "/etc/libvirt/storage";
/// Above the limit by so many points, it is well again: no alert goes to and fro at the limit.
const HYSTERESIS: u64 = 2;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let settings = &context.settings.space;
    let mut prober = Prober::new(&context.options);
    loop {
        for directory in directories(&settings.directories) {
            pulse.beat();
            // One that is not there, or hangs, is the business of others.
            let Ok(vfs) = prober.statvfs(&directory) else {
                continue;
            };
            if vfs.size == 0 {
                continue;
            }
            let percent = vfs.available.saturating_mul(100) / vfs.size;
            let labels = [("directory", directory.as_str())];
            #[expect(clippy::cast_precision_loss, reason = "shown, not counted with")]
            {
                context
                    .gauges
                    .set("nofail_space_free_bytes", &labels, vfs.available as f64);
                context
                    .gauges
                    .set("nofail_space_size_bytes", &labels, vfs.size as f64);
            }
            let free = vfs.available >> 20;
            let evidence = Evidence::measured(
                "statvfs",
                format!("{directory}: {free} MiB of {} MiB", vfs.size >> 20),
            );
            if percent < settings.low_percent {
                let message = format!("only {free} MiB ({percent} %) are free");
                context.tell_once(
                    context
                        .event("space", Kind::SpaceLow, &directory, message)
                        .evidence(evidence),
                );
            } else if percent >= settings.low_percent + HYSTERESIS {
                let message = format!("{free} MiB ({percent} %) are free again");
                context.tell_once(
                    context
                        .event("space", Kind::SpaceOk, &directory, message)
                        .evidence(evidence),
                );
            }
        }
        prober.rest();
        rest(pulse, settings.interval);
    }
}

/// The directories, one per file system.
fn directories(own: &[String]) -> Vec<String> {
    let mut all: BTreeSet<String> = own.iter().cloned().collect();
    all.insert("/var/lib/libvirt/images".to_owned());
    for entry in std::fs::read_dir(POOLS)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let parsed = std::fs::read_to_string(entry.path())
            .ok()
            .and_then(|text| pool::parse(&text).ok());
        if let Some(pool) = parsed.filter(pool::Pool::is_directory) {
            all.extend(pool.target);
        }
    }
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let table = mount::parse_mountinfo(&table).unwrap_or_default();
    let mut by_mount: BTreeMap<u32, String> = BTreeMap::new();
    for directory in all {
        if let Some(mount) = mount::mount_of(&directory, &table) {
            by_mount.entry(mount.id).or_insert(directory);
        }
    }
    by_mount.into_values().collect()
}
