//! The memory of a machine that has booted once, from which tests go on in about a second.
//!
//! The state is a migration stream in a file and the disk at the same moment a qcow2 that is only
//! read: so several machines can go on from one snapshot at the same time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::image::{Image, Variant, image};
use crate::machine::{BOOT, Machine, PLACE};
use crate::qemu;

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

/// Finds or makes the snapshot of `variant`.
///
/// # Errors
/// Where the machine does not boot to its end.
pub fn snapshot(variant: Variant) -> Result<Snapshot> {
    let image = image(variant)?;
    let recipe = qemu::recipe(&image);
    let version = qemu::version()?;
    let digest = cache::digest(&[&image.digest, &recipe, &version, SETTLE]);
    let kind = format!("snapshot-{}", variant.name());
    let dir = cache::entry(&kind, &digest, |dir| make(dir, &image))?;
    Ok(Snapshot {
        image,
        disk: dir.join("disk.qcow2"),
        state: dir.join("state"),
    })
}

/// What is run in the machine before it is saved: systemd done, clean pages given up, disk written.
const SETTLE: &str = "for i in $(seq 1000); do s=$(systemctl is-system-running); \
     case $s in running|degraded|maintenance) break;; esac; sleep 0.5; done; echo $s; systemctl stop lab-verdict.service; sync; echo 3 > /proc/sys/vm/drop_caches";

/// Boots, waits until systemd is done, and saves.
fn make(dir: &Path, image: &Image) -> Result<()> {
    let place = cache::slot(Instant::now() + PLACE)?;
    let machine = Machine::boot_in(image.clone(), place, &[], &[])?;
    machine.await_agent(BOOT)?;
    let output = machine.run(SETTLE, Duration::from_secs(600))?;
    if output.stdout.trim() != "running" {
        let failed = machine.run("systemctl --failed --no-pager", Duration::from_secs(30))?;
        bail!(
            "the image boots to {}: {}",
            output.stdout.trim(),
            failed.stdout
        );
    }
    machine.save(&dir.join("state"))?;
    let disk = machine.dir().join("root.qcow2");
    machine.kill();
    std::fs::copy(disk, dir.join("disk.qcow2")).context("cannot keep the disk")?;
    Ok(())
}
