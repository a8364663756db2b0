//! The memory of a machine that has booted once, from which tests go on in about a second.
//!
//! The state is a migration stream in a file and the disk at the same moment a qcow2 that is only
//! read: so several machines can go on from one snapshot at the same time. [`booted`] is a host
//! whose systemd is done, [`waiting`] one that has mounted its root and waits for a case's files
//! before systemd starts.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cache;
use crate::image::{Image, Variant, image};
use crate::machine::{BOOT, Machine, PLACE};
use crate::qemu::{self, Clock};

/// A snapshot in the cache.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was booted from.
    pub image: Image,
    /// The disk as it was then.
    pub disk: PathBuf,
    /// The memory and the devices.
    pub state: PathBuf,
}

/// Finds or makes the snapshot of a booted host.
///
/// # Errors
/// Where the machine does not boot to its end.
pub fn booted(variant: Variant) -> Result<Snapshot> {
    entry("snapshot", variant, Clock::Host, SETTLE, |image, dir| {
        let place = cache::slot(cache::Sort::Emulated, Instant::now() + PLACE)?;
        let machine = Machine::power_on(image.clone(), place, Clock::Host)?;
        machine.give(&[])?;
        settle(&machine)?;
        keep(&machine, dir)
    })
}

/// Finds or makes the snapshot of a machine whose systemd has not started yet.
///
/// # Errors
/// Where the machine does not come so far.
pub fn waiting(variant: Variant, clock: Clock) -> Result<Snapshot> {
    entry("start", variant, clock, "", |image, dir| {
        let place = cache::slot(cache::Sort::Emulated, Instant::now() + PLACE)?;
        let machine = Machine::power_on(image.clone(), place, clock)?;
        keep(&machine, dir)
    })
}

/// The entry of one kind in the cache.
fn entry(
    kind: &str,
    variant: Variant,
    clock: Clock,
    recipe: &str,
    make: impl FnOnce(&Image, &Path) -> Result<()>,
) -> Result<Snapshot> {
    let image = image(variant)?;
    let arguments = qemu::recipe(&image, clock);
    let version = qemu::version()?;
    let digest = cache::digest(&[&image.digest, &arguments, &version, recipe]);
    let kind = format!("{kind}-{}-{}", variant.name(), clock.name());
    let dir = cache::entry(&kind, &digest, |dir| make(&image, dir))?;
    Ok(Snapshot {
        image,
        disk: dir.join("disk.qcow2"),
        state: dir.join("state"),
    })
}

/// What is run in the machine before it is saved: systemd done, clean pages given up, disk written.
const SETTLE: &str = "for i in $(seq 1000); do s=$(systemctl is-system-running); \
     case $s in running|degraded|maintenance) break;; esac; sleep 0.5; done; echo $s; systemctl stop lab-verdict.service; sync; echo 3 > /proc/sys/vm/drop_caches";

/// Waits until systemd is done, and makes the machine small.
fn settle(machine: &Machine) -> Result<()> {
    machine.await_agent(BOOT)?;
    let output = machine.run(SETTLE, Duration::from_secs(600))?;
    machine.must_run(&output)
}

/// Saves memory and disk to `dir` and ends the machine.
fn keep(machine: &Machine, dir: &Path) -> Result<()> {
    machine.save(&dir.join("state"))?;
    let disk = machine.dir().join("root.qcow2");
    machine.kill();
    std::fs::copy(disk, dir.join("disk.qcow2")).context("cannot keep the disk")?;
    Ok(())
}
