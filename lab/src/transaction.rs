//! The transaction of a boot as the real systemd makes it, without a boot: `systemd --test` in a root
//! file system, which runs the generators, gathers the jobs, takes circles out of their order, and ends.
//! A tenth of a second each.
//!
//! It wants a cgroup hierarchy and no root's rights (systemd refuses its test mode to root), so it runs as
//! nobody in a chroot within a mount name space of its own. Nothing is written but to a tmpfs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::apart::{self, Apart, OVERLAY};

/// What is left of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Units with a start job.
    pub jobs: BTreeSet<String>,
    /// Units whose job was picked to break a circle, in order.
    pub deleted: Vec<String>,
}

/// Makes the transaction of a boot to multi-user.target with this fstab `tries` times, with the systemd of
/// `root`, a directory that is not written to.
///
/// # Errors
/// Where a tool is missing, or a try tells of no job at all; this takes root.
pub fn transactions(root: &Path, fstab: &str, tries: u32) -> Result<Vec<Transaction>> {
    let given = tempfile::NamedTempFile::new()?;
    fs::write(given.path(), fstab)?;
    let script = format!(
        r#"{OVERLAY}
mount --bind /proc "$own/root/proc"
cp '{}' "$own/root/etc/fstab"
for try in $(seq {tries}); do
    echo "try $try"
    HOME=/ chroot --userspec=65534:65534 "$own/root" /lib/systemd/systemd --test --system \
        --unit=multi-user.target 2>&1 | grep -E ' deleted to break ordering cycle |Action: .* -> start$' || true
    umount "$own/root/run"
    mount -t tmpfs -o mode=1777 none "$own/root/run"
done
"#,
        given.path().display()
    );
    let limit = Duration::from_secs(60 + 30 * u64::from(tries));
    let text = apart::run(root, Apart::Mounts, &script, limit)?;
    let mut all: Vec<Transaction> = Vec::new();
    for line in text.lines() {
        if line.starts_with("try ") {
            all.push(Transaction::default());
            continue;
        }
        let last = all.last_mut().context("a line before the first try")?;
        if let Some((_, rest)) = line.split_once("Action: ") {
            last.jobs
                .insert(rest.trim_end_matches(" -> start").to_owned());
        } else if let Some((_, rest)) = line.split_once(": Job ") {
            let job = rest.split(' ').next().unwrap_or(rest);
            let unit = job.rsplit_once('/').map_or(job, |(unit, _)| unit);
            last.deleted.push(unit.to_owned());
        }
    }
    if all.iter().any(|one| one.jobs.is_empty()) || all.len() != tries as usize {
        bail!("systemd --test made no transaction:\n{text}");
    }
    Ok(all)
}
