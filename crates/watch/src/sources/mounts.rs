//! Mounts: what is mounted (the kernel wakes us when that changes), and whether network mounts
//! are well (a disposable helper looks; the hang of a server is never ours).

mod guests;
mod judge;
mod probing;
mod remount;
mod schedule;
mod table;
mod told;

use super::{Pulse, Source, SourceError};
use crate::daemon::Context;
use facts::fstab::{self, Entry};
use probing::Probing;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::convert::Infallible;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use table::PATH;
use told::Told;

/// The source.
pub const SOURCE: Source = Source {
    name: "mounts",
    // It waits for nothing but `systemctl`, which has a deadline.
    silent_after: |settings| settings.mounts.interval * 3 + Duration::from_secs(60),
    run,
};

/// A mount that stands in fstab may be away so long (somebody mounts it again).
const GRACE: Duration = Duration::from_secs(5);

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let failed = |e: &dyn std::error::Error| SourceError::failed(PATH, e);
    let mut file = File::open(PATH).map_err(|e| failed(&e))?;
    let mut table = table::read(&mut file)?;
    let mut probing = Probing::new(context).map_err(|e| failed(&e))?;
    probing.watch(table.values().filter(|m| m.is_network()));
    let mut told = Told::new(context);
    let interval = context.settings.mounts.interval;
    let mut round = Instant::now();
    loop {
        pulse.beat();
        if Instant::now() >= round {
            round = Instant::now() + interval;
            let lines = lines();
            told.read_only(table::unlike(&table, &lines));
            told.round(&table, &missing(&table, lines), &probing);
        }
        for (target, seen) in probing.start() {
            told.seen(&table, &target, &seen);
        }
        let left = round.saturating_duration_since(Instant::now());
        let wait = probing.rest().map_or(left, |rest| rest.min(left));
        let changed = wait_for(&file, probing.wake(), wait)?;
        for (target, seen) in probing.take() {
            told.seen(&table, &target, &seen);
        }
        if changed {
            let new = table::read(&mut file)?;
            for event in table::compare(context, &table, &new) {
                context.tell(event);
            }
            let gone = table.keys().any(|target| !new.contains_key(target));
            table = new;
            probing.watch(table.values().filter(|m| m.is_network()));
            // What is missing is told after the grace.
            if gone {
                round = round.min(Instant::now() + GRACE);
            }
        }
    }
}

/// Waits for the kernel to say that the table changed (`POLLPRI`, proc(5)) or for a probe to
/// have seen something; says whether it was the first.
fn wait_for(file: &File, seen: &OwnedFd, wait: Duration) -> Result<bool, SourceError> {
    let timeout = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(60),
        tv_nsec: wait.subsec_nanos().into(),
    };
    let mut fds = [
        PollFd::new(file, PollFlags::PRI),
        PollFd::new(seen, PollFlags::IN),
    ];
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => Ok(!fds[0].revents().is_empty()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(SourceError::failed(PATH, &error)),
    }
}

/// The lines of fstab.
fn lines() -> Vec<Entry> {
    let text = std::fs::read("/etc/fstab").unwrap_or_default();
    fstab::parse(&String::from_utf8_lossy(&text)).entries()
}

/// Lines of fstab that should be mounted and are not.
fn missing(table: &table::Table, lines: Vec<Entry>) -> Vec<Entry> {
    let wanted = |e: &Entry| !e.noauto() && !e.is_swap() && e.mount_point().starts_with('/');
    lines
        .into_iter()
        .filter(wanted)
        .filter(|e| !table.contains_key(&e.mount_point()))
        .collect()
}
