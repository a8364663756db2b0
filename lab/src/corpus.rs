//! Random fstabs booted for real, and what nofail foretold of them.
//!
//! Each case is one JSON line: the fstab, what systemd's generator made of it, what the boot really
//! came to, and where a nofail binary is given what it foretold and where the two differ.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cold::{ColdBoot, Outcome, ROOT_LINE, UnitState, Verdict};
use crate::disk::{Content, Disk};
use crate::fstabs::{self, Case};
use crate::generator::Chroot;
use crate::nfs::NfsServer;

/// One booted case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Seed of the series.
    pub seed: u64,
    /// Number in the series.
    pub index: u64,
    /// The whole fstab, the root's line first.
    pub fstab: String,
    /// How the boot ended.
    pub outcome: Outcome,
    /// Seconds until multi-user.target, by the machine's clock; absent in emergency mode.
    pub multi_user: Option<f64>,
    /// The same of a boot with the root's line alone, in the same series.
    pub baseline: f64,
    /// State of each mount, automount and swap unit that came from the fstab.
    pub units: BTreeMap<String, UnitState>,
    /// Jobs that still waited at the verdict.
    pub jobs: Vec<String>,
    /// What nofail foretold, as it printed it.
    pub foretold: Option<Value>,
    /// Where it was wrong, one sentence each.
    pub disagreements: Vec<String>,
}

/// A series of boots.
#[derive(Debug)]
pub struct Series<'a> {
    /// Seed of the fstabs.
    pub seed: u64,
    /// First case.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The binary whose prediction is compared.
    pub nofail: Option<&'a Path>,
}

/// Time for one boot with systemd's longest wait in it, on a busy machine.
const LIMIT: Duration = Duration::from_secs(400);

/// Boots each case and hands the record to `each`.
///
/// # Errors
/// Where the lab or `each` fails; a wrong prediction is no error.
pub fn run(series: &Series<'_>, mut each: impl FnMut(&Record) -> Result<()>) -> Result<()> {
    let nas = NfsServer::start(&["vms"])?;
    let image = small_image()?;
    fs::write(nas.directory("vms").join("image.ext4"), &image)?;
    let (source, options) = (nas.source("vms"), nas.options());
    let plain = boot("", &image)?;
    if plain.outcome != Outcome::Normal {
        bail!("a boot with the root's line alone is {:?}", plain.outcome);
    }
    let baseline = plain
        .reached("multi-user.target")
        .context("the plain boot did not reach multi-user.target")?;
    for index in series.first..series.first + series.count {
        let case = fstabs::case(series.seed, index, (&source, &options));
        let verdict = boot(&case.fstab, &image)?;
        let tree = tempfile::tempdir()?;
        furnish(tree.path(), &case, &image)?;
        let mut record = record(series.seed, index, &case, &verdict, baseline, tree.path())?;
        if let Some(nofail) = series.nofail {
            let foretold = foretell(nofail, tree.path())?;
            record.disagreements = compare(&record, &foretold);
            record.foretold = Some(foretold);
        }
        each(&record)?;
    }
    Ok(())
}

/// Boots the lines over the disks of [`fstabs::DISKS`].
fn boot(lines: &str, image: &[u8]) -> Result<Verdict> {
    let mut boot = ColdBoot::new()
        .fstab(lines)
        .file(fstabs::IMAGE, image)
        .file(&format!("{}/file", fstabs::DIRECTORY), b"data")
        .empty_network();
    for disk in fstabs::disks() {
        boot = boot.disk(disk);
    }
    boot.verdict(LIMIT)
}

/// An ext4 of 2 MiB for loop mounts.
fn small_image() -> Result<Vec<u8>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("image");
    fs::File::create(&path)?.set_len(2 << 20)?;
    let text = path.to_string_lossy();
    let args = ["-q", "-F", &*text];
    crate::process::run("/usr/sbin/mkfs.ext4", &args, Duration::from_secs(30))?;
    Ok(fs::read(path)?)
}

/// Makes a tree that tells what the machine is: fstab, disks as files below `dev` with their
/// links, the generator and the checkers.
fn furnish(root: &Path, case: &Case, image: &[u8]) -> Result<()> {
    Chroot::at(root)?;
    let write = |path: &str, bytes: &[u8]| -> Result<()> {
        let to = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(to.parent().context("a file at the top")?)?;
        Ok(fs::write(to, bytes)?)
    };
    write("etc/fstab", format!("{ROOT_LINE}{}", case.fstab).as_bytes())?;
    write("etc/hostname", b"lab\n")?;
    write(fstabs::IMAGE, image)?;
    write(&format!("{}/file", fstabs::DIRECTORY), b"data")?;
    let dev = root.join("dev");
    for by in ["by-uuid", "by-label"] {
        fs::create_dir_all(dev.join("disk").join(by))?;
    }
    for (number, (content, uuid, label)) in fstabs::DISKS.into_iter().enumerate() {
        let name = format!("sd{}", char::from(b'a' + u8::try_from(number)?));
        let disk = Disk::whole(content).uuid(uuid).label(label);
        disk.make(&dev, &name)?;
        for (by, value) in [("by-uuid", uuid), ("by-label", label)] {
            let link = dev.join("disk").join(by).join(value);
            std::os::unix::fs::symlink(format!("../../{name}"), link)?;
        }
    }
    // The root's own disk: an ext4, as the machine's is.
    Disk::whole(Content::Ext4).make(&dev, "vda")?;
    let sbin = root.join("usr/sbin");
    for helper in ["mount.nfs", "mount.nfs4"] {
        fs::write(sbin.join(helper), "#!/bin/sh\nexit 1\n")?;
        fs::set_permissions(sbin.join(helper), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Keeps what matters of a verdict: the units that the generator made of this fstab.
fn record(
    seed: u64,
    index: u64,
    case: &Case,
    verdict: &Verdict,
    baseline: f64,
    root: &Path,
) -> Result<Record> {
    let fstab = format!("{ROOT_LINE}{}", case.fstab);
    let generated = Chroot::at(root)?.run_with(fstab.as_bytes(), "root=/dev/vda rw")?;
    let units = generated
        .units
        .keys()
        .filter(|name| !name.contains('/') && *name != "-.mount")
        .map(|name| (name.clone(), verdict.unit(name)))
        .collect();
    Ok(Record {
        seed,
        index,
        fstab,
        outcome: verdict.outcome,
        multi_user: verdict.reached("multi-user.target"),
        baseline,
        units,
        jobs: verdict.jobs.clone(),
        foretold: None,
        disagreements: Vec::new(),
    })
}

/// Asks nofail. Exit status 1 tells of a degraded or emergency boot and is no failure.
fn foretell(nofail: &Path, root: &Path) -> Result<Value> {
    let mut command = Command::new(nofail);
    command.args(["boot", "--format", "json"]);
    // A tree cannot tell that a device is absent: it holds no kernel state.
    for source in fstabs::ABSENT.into_iter().chain([fstabs::UNREACHABLE]) {
        command.args(["--unreachable", source]);
    }
    let output = command
        .arg("--root")
        .arg(root)
        .output()
        .with_context(|| format!("cannot run {}", nofail.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("nofail boot failed ({}): {stderr}", output.status);
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("nofail boot printed no JSON: {stderr}"))
}

/// Where prediction and reality differ: outcome, each mount and swap, the delay.
fn compare(record: &Record, foretold: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let outcome = foretold["outcome"].as_str().unwrap_or("(none)");
    let real = serde_json::to_value(record.outcome).unwrap_or_default();
    if real.as_str() != Some(outcome) {
        differences.push(format!(
            "outcome: foretold {outcome}, was {:?}",
            record.outcome
        ));
    }
    let empty = Vec::new();
    let list = |key: &str| foretold[key].as_array().unwrap_or(&empty).clone();
    for item in list("mounts").iter().chain(&list("swaps")) {
        let Some(name) = item["unit"].as_str() else {
            differences.push(format!("an entry without a unit: {item}"));
            continue;
        };
        let waits = record.jobs.iter().any(|job| job.contains(name));
        // Emergency mode does not wait for all jobs: what has one is not decided.
        let Some(state) = record.units.get(name).filter(|_| !waits) else {
            continue;
        };
        let result = item["result"].as_str().unwrap_or("(none)");
        let active = state.active == "active";
        let expected = matches!(result, "mounted" | "on" | "active" | "activated");
        if active != expected {
            differences.push(format!(
                "{name}: foretold {result}, was {} ({}, {})",
                state.active, state.sub, state.result
            ));
        }
    }
    if let (Some(reached), Some(delay)) = (record.multi_user, foretold["delay_seconds"].as_f64())
        && record.outcome != Outcome::Emergency
        && outcome != "emergency"
    {
        let real = (reached - record.baseline).max(0.0);
        let allowed = (real.max(delay) * 0.2).max(5.0);
        if (real - delay).abs() > allowed {
            differences.push(format!("delay: foretold {delay:.1} s, was {real:.1} s"));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn booted(outcome: Outcome, active: &str, multi_user: Option<f64>) -> Record {
        let state = UnitState {
            active: active.to_owned(),
            ..UnitState::default()
        };
        Record {
            seed: 1,
            index: 1,
            fstab: String::new(),
            outcome,
            multi_user,
            baseline: 20.0,
            units: BTreeMap::from([("data.mount".to_owned(), state)]),
            jobs: Vec::new(),
            foretold: None,
            disagreements: Vec::new(),
        }
    }

    #[test]
    fn differences_of_outcome_mount_and_delay_are_named() {
        let foretold = |outcome: &str, result: &str, delay: f64| {
            json!({"outcome": outcome, "delay_seconds": delay, "swaps": [],
                   "mounts": [{"unit": "data.mount", "result": result}]})
        };
        let record = booted(Outcome::Degraded, "failed", Some(60.0));
        assert_eq!(
            compare(&record, &foretold("degraded", "failed", 36.0)),
            Vec::<String>::new()
        );
        let wrong = compare(&record, &foretold("normal", "mounted", 0.0));
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        let mut record = booted(Outcome::Emergency, "activating", None);
        assert_eq!(
            compare(&record, &foretold("emergency", "mounted", 9.0)).len(),
            1
        );
        record.jobs = vec!["7 data.mount start running".to_owned()];
        assert_eq!(
            compare(&record, &foretold("emergency", "mounted", 9.0)).len(),
            0
        );
    }

    #[test]
    fn a_furnished_tree_holds_what_the_machine_has() {
        let dir = tempfile::tempdir().unwrap();
        let case = fstabs::case(1, 1, ("10.0.2.2:/vms", "port=1"));
        furnish(dir.path(), &case, b"image").unwrap();
        let link = dir.path().join("dev/disk/by-label/beta");
        let start = fs::read(link).unwrap();
        assert_eq!(&start[..4], b"XFSB");
        assert!(
            fs::read_to_string(dir.path().join("etc/fstab"))
                .unwrap()
                .ends_with(&case.fstab)
        );
    }
}
