//! Mounts: what is mounted (the kernel wakes us when that changes), and whether network mounts
//! are well (a disposable child looks; issue of a hung server is never ours).

mod guests;
mod judge;
mod remount;
mod rounds;

use super::{Pulse, Source, SourceError};
use crate::daemon::Context;
use crate::event::{Event, Evidence, Kind};
use facts::fstab::{self, Entry};
use facts::mount::{Mount, parse_mountinfo};
use facts::path;
use judge::{Memory, Seen};
use rounds::Rounds;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

/// The source.
pub const SOURCE: Source = Source {
    name: "mounts",
    // A round over many dead servers takes its time; eight of them end within this.
    silent_after: |settings| settings.mounts.interval * 3 + settings.mounts.deadline * 20,
    run,
};

/// The table of this process: the same file systems as the manager's, unmounts included.
const TABLE: &str = "/proc/self/mountinfo";
/// A mount that stands in fstab may be away so long (somebody mounts it again).
const GRACE: Duration = Duration::from_secs(5);
/// How often the bare directories below mounts are looked at.
const BELOW: Duration = Duration::from_secs(900);
/// The name under which memories are kept.
const MEMORY: &str = "mounts.memory";

type Table = BTreeMap<String, Mount>;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let failed = |e: &std::io::Error| SourceError::failed(TABLE, e);
    let mut file = File::open(TABLE).map_err(|e| failed(&e))?;
    let mut table = read(&mut file)?;
    let mut memory: BTreeMap<String, Memory> = context
        .state(MEMORY)
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut rounds = Rounds::new(context);
    let interval = context.settings.mounts.interval;
    let mut next = Instant::now();
    let mut below = Instant::now();
    loop {
        pulse.beat();
        let now = Instant::now();
        if now >= next {
            let below_too = now >= below;
            if below_too {
                below = now + BELOW;
            }
            round(context, pulse, &table, &mut memory, &mut rounds, below_too);
            next = Instant::now() + interval;
        }
        let wait = next.saturating_duration_since(Instant::now());
        if changed(&file, wait)? {
            let new = read(&mut file)?;
            let events = compare(context, &table, &new);
            let gone = table.keys().any(|target| !new.contains_key(target));
            table = new;
            for event in events {
                context.tell(event);
            }
            // What appears is looked at soon, what is missing after the grace.
            let soon = if gone { GRACE } else { Duration::from_secs(1) };
            next = next.min(Instant::now() + soon);
        }
    }
}

/// Waits for the kernel to say that the table changed (`POLLPRI`, proc(5)).
fn changed(file: &File, wait: Duration) -> Result<bool, SourceError> {
    let timeout = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(60),
        tv_nsec: wait.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(file, PollFlags::PRI)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(SourceError::failed(TABLE, &error)),
    }
}

fn read(file: &mut File) -> Result<Table, SourceError> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut text))
        .map_err(|e| SourceError::failed(TABLE, &e))?;
    let mounts = parse_mountinfo(&String::from_utf8_lossy(&text))
        .map_err(|e| SourceError::failed(TABLE, &e))?;
    // Of several on one mount point the last covers the others.
    Ok(mounts.into_iter().map(|m| (m.target.clone(), m)).collect())
}

/// Mounts that people care about: no pseudo file systems, no containers' layers.
fn worth_telling(mount: &Mount) -> bool {
    mount.is_network() || mount.source.starts_with('/') || mount.fstype == "zfs"
}

fn compare(context: &Context, old: &Table, new: &Table) -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |kind, mount: &Mount, message: String| {
        let evidence = Evidence::measured(
            TABLE,
            format!(
                "{} {} {} {}",
                mount.source,
                mount.target,
                mount.fstype,
                mount.options.join(",")
            ),
        );
        let mut event = context
            .event("mounts", kind, &mount.target, message)
            .evidence(evidence);
        event.after = Some(mount.source.clone());
        events.push(event);
    };
    for (target, mount) in new.iter().filter(|(_, m)| worth_telling(m)) {
        match old.get(target) {
            None => tell(
                Kind::MountAdded,
                mount,
                format!("{} was mounted", mount.source),
            ),
            Some(before) if before.id != mount.id && before.source != mount.source => {
                tell(
                    Kind::MountAdded,
                    mount,
                    format!("{} was mounted over {}", mount.source, before.source),
                );
            }
            Some(before) if before.is_read_only() != mount.is_read_only() => {
                let how = if mount.is_read_only() {
                    "read-only"
                } else {
                    "writable"
                };
                tell(Kind::MountChanged, mount, format!("is {how} now"));
            }
            Some(_) => {}
        }
    }
    for (target, mount) in old.iter().filter(|(_, m)| worth_telling(m)) {
        if !new.contains_key(target) {
            tell(
                Kind::MountRemoved,
                mount,
                format!("{} was unmounted", mount.source),
            );
        }
    }
    events
}

fn fstab_entries() -> Vec<Entry> {
    let text = std::fs::read("/etc/fstab").unwrap_or_default();
    fstab::parse(&String::from_utf8_lossy(&text)).entries()
}

/// One look at every mount that is watched.
fn round(
    context: &Context,
    pulse: &Pulse,
    table: &Table,
    memory: &mut BTreeMap<String, Memory>,
    rounds: &mut Rounds,
    below: bool,
) {
    let entries = fstab_entries();
    let wanted = |e: &&Entry| !e.noauto() && !e.is_swap() && e.mount_point().starts_with('/');
    let missing: Vec<&Entry> = entries
        .iter()
        .filter(wanted)
        .filter(|e| !table.contains_key(&e.mount_point()))
        .collect();
    let mounts: Vec<&Mount> = table.values().filter(|m| m.is_network()).collect();
    let mut seen = rounds.probe(&mounts, below, &|| pulse.beat());
    for entry in &missing {
        seen.push((
            entry.mount_point(),
            Seen::Unmounted {
                source: entry.source.clone(),
            },
        ));
    }
    context.gauges.clear("nofail_mount_healthy");
    context.gauges.clear("nofail_mount_probe_seconds");
    context
        .gauges
        .set("nofail_probes_hanging", &[], rounds.hanging().into());
    #[expect(clippy::cast_precision_loss, reason = "a number of mounts")]
    context.gauges.set("nofail_mounts", &[], seen.len() as f64);
    let guests = guests::disks();
    let before = memory.clone();
    let mut skipped = Vec::new();
    for (target, seen) in &seen {
        let used: Vec<String> = guests
            .iter()
            .filter(|(_, disk)| path::is_below(disk, target))
            .map(|(g, _)| g.clone())
            .collect();
        let mine = memory.entry(target.clone()).or_default();
        let verdict = judge::judge(
            mine,
            seen,
            context.settings.mounts.slow_milliseconds,
            !used.is_empty(),
        );
        if let Some(milliseconds) = seen.milliseconds() {
            let seconds = Duration::from_millis(milliseconds).as_secs_f64();
            context
                .gauges
                .set("nofail_mount_probe_seconds", &[("target", target)], seconds);
        }
        let Some(healthy) = verdict.healthy else {
            skipped.push(target.as_str());
            continue;
        };
        context.gauges.set(
            "nofail_mount_healthy",
            &[("target", target)],
            u8::from(healthy).into(),
        );
        for (kind, message) in verdict.tell {
            let mut event = context
                .event("mounts", kind, target, message)
                .evidence(seen.evidence());
            if !used.is_empty() && !healthy {
                event.message += &format!("; disks of {} lie there", used.join(", "));
            }
            event.after = Some(kind.name().trim_start_matches("mount.").to_owned());
            context.tell_once(event);
        }
        if !healthy {
            remount::consider(context, target, seen, &used, mine);
        }
    }
    tell_skipped(context, &skipped);
    // A mount that is neither in the table nor in fstab any more has no health to be ill of.
    memory.retain(|target, _| seen.iter().any(|(known, _)| known == target));
    for target in before.keys().filter(|target| !memory.contains_key(*target)) {
        context.tell_once(context.event(
            "mounts",
            Kind::MountHealthy,
            target,
            "is neither mounted nor in fstab any more",
        ));
    }
    if before != *memory {
        context.keep(MEMORY, serde_json::to_string(memory).unwrap_or_default());
    }
}

/// One event for all that could not be looked at: there may be a thousand.
fn tell_skipped(context: &Context, skipped: &[&str]) {
    let name = "mounts.skipped";
    let now = skipped.len().to_string();
    let before = context.state(name).unwrap_or_else(|| "0".into());
    if now == before {
        return;
    }
    context.keep(name, now);
    if let Some(first) = skipped.first() {
        let message = format!(
            "{} mounts are not checked, {first} first: too many probes hang already, or permission is missing",
            skipped.len()
        );
        context.tell(context.event("mounts", Kind::MountUnknown, "mounts", message));
    }
}
