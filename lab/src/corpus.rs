//! Random fstabs booted for real, and what nofail foretold of them.
//!
//! Each case is one JSON line: the fstab, what systemd's generator made of it, what the boot really
//! came to, and where a nofail binary is given what it foretold and where the two differ.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::cold::{ColdBoot, Outcome, ROOT_LINE, UnitState, Verdict};
use crate::disk::{Content, Disk};
use crate::fstabs::{self, Case, Place};
use crate::generator::Chroot;
use crate::nfs::NfsServer;
use crate::nspawn;

/// One booted case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Seed of the series.
    pub seed: u64,
    /// Number in the series.
    pub index: u64,
    /// Where it was booted.
    pub place: Place,
    /// The whole fstab, the root's line first (a container has none).
    pub fstab: String,
    /// How the boot ended.
    pub outcome: Outcome,
    /// Seconds until multi-user.target, by the machine's clock; absent in emergency mode.
    pub multi_user: Option<f64>,
    /// The same of a boot with the root's line alone, in the same series. Absent for a container,
    /// whose clock is this machine's and tells as much of its load.
    pub baseline: Option<f64>,
    /// Seconds that the boot took here.
    pub seconds: f64,
    /// State of each mount, automount and swap unit that came from the fstab.
    pub units: BTreeMap<String, UnitState>,
    /// Jobs that still waited at the verdict.
    pub jobs: Vec<String>,
    /// Units that failed, those of fstab and any other.
    pub failed: Vec<String>,
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
    /// Where they are booted.
    pub place: Place,
    /// The binary whose prediction is compared.
    pub nofail: Option<&'a Path>,
}

/// Time for one boot with systemd's longest waits in it, on a busy machine.
const LIMIT: Duration = Duration::from_secs(900);

/// Boots each case and hands the record to `each`.
///
/// # Errors
/// Where the lab or `each` fails; a wrong prediction is no error.
pub fn run(series: &Series<'_>, mut each: impl FnMut(&Record) -> Result<()>) -> Result<()> {
    let nas = NfsServer::start(&["vms"])?;
    let ground = Ground::new(series.place)?;
    fs::write(nas.directory("vms").join("image.ext4"), &ground.image)?;
    let (source, options) = (nas.source("vms"), nas.options());
    let mut baseline = None;
    for index in series.first..series.first + series.count {
        let case = fstabs::case(series.seed, index, (&source, &options), series.place);
        let verdict = match series.place {
            Place::Container => {
                let fstab = case.fstab.as_bytes();
                nspawn::boot(
                    &[("/etc/fstab", fstab), (fstabs::IMAGE, &ground.image)],
                    LIMIT,
                )?
            }
            Place::Machine => {
                if baseline.is_none() {
                    baseline = Some(ground.baseline()?);
                }
                ground.boot(&case.fstab)?
            }
        };
        let mut record = ground.record(series, index, &case, &verdict, baseline)?;
        if let Some(nofail) = series.nofail {
            judge(&mut record, nofail, ground.tree.path())?;
        }
        each(&record)?;
    }
    Ok(())
}

/// Compares boots made before with what `nofail` foretells now.
///
/// # Errors
/// Where `nofail` or `each` fails.
pub fn again(
    records: Vec<Record>,
    nofail: &Path,
    mut each: impl FnMut(&Record) -> Result<()>,
) -> Result<()> {
    let mut grounds: BTreeMap<Place, Ground> = BTreeMap::new();
    for mut record in records {
        let ground = match grounds.entry(record.place) {
            Entry::Occupied(ground) => ground.into_mut(),
            Entry::Vacant(place) => place.insert(Ground::new(record.place)?),
        };
        fs::write(ground.tree.path().join("etc/fstab"), &record.fstab)?;
        judge(&mut record, nofail, ground.tree.path())?;
        each(&record)?;
    }
    Ok(())
}

/// Adds what nofail foretells from the tree, and where it is wrong.
fn judge(record: &mut Record, nofail: &Path, tree: &Path) -> Result<()> {
    let foretold = foretell(nofail, tree)?;
    record.disagreements = compare(record, &foretold);
    record.foretold = Some(foretold);
    Ok(())
}

/// What all cases of a series share: the disks, and a tree that tells what the machine is.
struct Ground {
    tree: TempDir,
    disks: Vec<PathBuf>,
    image: Vec<u8>,
}

/// Files of every machine: networkd instead of NetworkManager, whose start would be a good part of
/// a boot, and a link that drops all.
const FILES: [(&str, &str); 6] = [
    (
        "/etc/systemd/system/multi-user.target.d/lab.conf",
        "[Unit]\nWants=systemd-networkd.service\n",
    ),
    (
        "/etc/systemd/system/network-online.target.d/lab.conf",
        "[Unit]\nWants=systemd-networkd-wait-online.service\n",
    ),
    (
        "/etc/systemd/network/10-eth0.network",
        "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n",
    ),
    (
        "/etc/systemd/network/10-storage.netdev",
        "[NetDev]\nName=storage\nKind=dummy\n",
    ),
    (
        "/etc/systemd/network/10-storage.network",
        "[Match]\nName=storage\n[Network]\nAddress=10.50.1.11/24\nLinkLocalAddressing=no\n",
    ),
    // Most of what still waits in emergency mode ends before the verdict.
    ("/etc/lab-grace", "20\n"),
];

/// Units without which a boot is cheaper and the way of its mounts the same.
const NEEDLESS: &str = "NetworkManager.service NetworkManager-wait-online.service \
     NetworkManager-dispatcher.service auth-rpcgss-module.service dbus.service dbus.socket \
     dev-hugepages.mount dev-mqueue.mount getty-static.service modprobe@configfs.service \
     modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
     modprobe@fuse.service nfs-blkmap.service proc-sys-fs-binfmt_misc.automount rpc-gssd.service \
     rpc-statd-notify.service rpcbind.service rpcbind.socket run-rpc_pipefs.mount \
     serial-getty@ttyS0.service sys-fs-fuse-connections.mount sys-kernel-config.mount \
     sys-kernel-debug.mount sys-kernel-tracing.mount systemd-binfmt.service \
     systemd-hwdb-update.service systemd-initctl.socket systemd-journal-flush.service \
     systemd-journal-catalog-update.service systemd-logind.service \
     systemd-machine-id-commit.service systemd-random-seed.service systemd-sysctl.service \
     systemd-sysusers.service systemd-update-done.service";

impl Ground {
    fn new(place: Place) -> Result<Self> {
        let tree = tempfile::tempdir()?;
        let image = small_image()?;
        let disks = furnish(tree.path(), &image, place)?;
        Ok(Self { tree, disks, image })
    }

    /// Boots the lines over the disks of [`fstabs::DISKS`].
    fn boot(&self, lines: &str) -> Result<Verdict> {
        let mut boot = ColdBoot::new()
            .fstab(lines)
            .file(fstabs::IMAGE, &self.image)
            .file(&format!("{}/file", fstabs::DIRECTORY), b"data")
            .shared_disks(&self.disks);
        for (path, text) in FILES {
            boot = boot.file(path, text);
        }
        for unit in NEEDLESS.split_whitespace() {
            // An empty file masks a unit.
            boot = boot.file(&format!("/etc/systemd/system/{unit}"), "");
        }
        boot.verdict(LIMIT)
    }

    /// Seconds to multi-user.target with the root's line alone.
    fn baseline(&self) -> Result<f64> {
        let plain = self.boot("")?;
        if plain.outcome != Outcome::Normal {
            bail!(
                "a boot with the root's line alone is {:?}: {:?}",
                plain.outcome,
                plain.failed
            );
        }
        plain
            .reached("multi-user.target")
            .context("the plain boot did not reach multi-user.target")
    }

    /// Keeps what matters of a verdict: the units that the generator made of this fstab.
    fn record(
        &self,
        series: &Series<'_>,
        index: u64,
        case: &Case,
        verdict: &Verdict,
        baseline: Option<f64>,
    ) -> Result<Record> {
        let fstab = match series.place {
            Place::Machine => format!("{ROOT_LINE}{}", case.fstab),
            Place::Container => case.fstab.clone(),
        };
        // Leaves the lines in the tree, where nofail reads them.
        let chroot = Chroot::at(self.tree.path())?;
        let generated = chroot.run_with(fstab.as_bytes(), "root=/dev/vda rw")?;
        let units = generated
            .units
            .keys()
            .filter(|name| !name.contains('/') && *name != "-.mount")
            .map(|name| (name.clone(), verdict.unit(name)))
            .collect();
        Ok(Record {
            seed: series.seed,
            index,
            place: series.place,
            fstab,
            outcome: verdict.outcome,
            multi_user: verdict.reached("multi-user.target"),
            baseline,
            seconds: verdict.seconds,
            units,
            jobs: verdict.jobs.clone(),
            failed: verdict.failed.clone(),
            foretold: None,
            disagreements: Vec::new(),
        })
    }
}

/// An ext4 of 2 MiB for loop mounts.
fn small_image() -> Result<Vec<u8>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("image");
    fs::File::create(&path)?.set_len(2 << 20)?;
    let text = path.to_string_lossy();
    let args = ["-q", "-F", &*text];
    crate::process::run("/usr/sbin/mkfs.ext4", &args, Duration::from_secs(60))?;
    Ok(fs::read(path)?)
}

/// Makes a tree that tells what the machine is: disks as files below `dev` with their links, the
/// generator and the checkers, the network's profiles. The disks' files, in order.
fn furnish(root: &Path, image: &[u8], place: Place) -> Result<Vec<PathBuf>> {
    Chroot::at(root)?;
    let write = |path: &str, bytes: &[u8]| -> Result<()> {
        let to = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(to.parent().context("a file at the top")?)?;
        Ok(fs::write(to, bytes)?)
    };
    write("etc/hostname", b"lab\n")?;
    write("etc/fstab", b"")?;
    write(fstabs::IMAGE, image)?;
    write(&format!("{}/file", fstabs::DIRECTORY), b"data")?;
    // What the image enables, and which networking.service it has.
    let image_root = crate::image::rootfs(crate::image::Variant::Plain)?;
    for path in ["etc/systemd/system", "usr/lib/systemd/system"] {
        fs::create_dir_all(root.join(path))?;
    }
    for (from, to) in [
        ("etc/systemd/system", "etc/systemd"),
        (
            "usr/lib/systemd/system/networking.service",
            "usr/lib/systemd/system",
        ),
    ] {
        let (from, to) = (image_root.join(from), root.join(to));
        let args = ["-a", &*from.to_string_lossy(), &*to.to_string_lossy()];
        crate::process::run("/usr/bin/cp", &args, Duration::from_secs(60))?;
    }
    if place == Place::Machine {
        for (path, text) in FILES {
            write(path, text.as_bytes())?;
        }
        for unit in NEEDLESS.split_whitespace() {
            write(&format!("etc/systemd/system/{unit}"), b"")?;
        }
    }
    let dev = root.join("dev");
    for by in ["by-uuid", "by-label"] {
        fs::create_dir_all(dev.join("disk").join(by))?;
    }
    let mut disks = Vec::new();
    for (number, (content, uuid, label)) in fstabs::DISKS.into_iter().enumerate() {
        let name = format!("sd{}", char::from(b'a' + u8::try_from(number)?));
        let disk = Disk::whole(content).uuid(uuid).label(label);
        disks.push(disk.make(&dev, &name)?);
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
    Ok(disks)
}

/// Asks nofail. Exit status 1 tells of a degraded or emergency boot and is no failure.
fn foretell(nofail: &Path, root: &Path) -> Result<Value> {
    let mut command = Command::new(nofail);
    let output = command
        .args(["boot", "--format", "json"])
        .args(["--unreachable", fstabs::UNREACHABLE])
        // A tree does not tell that an image is missing: its file system may not be in the tree.
        .args(["--unreachable", fstabs::NO_IMAGE])
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

/// Where prediction and reality differ: outcome, each mount and swap, the delay. A boot with a circle in its
/// order may come to several ends, and comes to one of them.
fn compare(record: &Record, foretold: &Value) -> Vec<String> {
    let usual = differences(record, foretold);
    let empty = Vec::new();
    let others = foretold["otherwise"].as_array().unwrap_or(&empty);
    let met = others
        .iter()
        .any(|end| differences(record, &instead(foretold, end)).is_empty());
    if met { Vec::new() } else { usual }
}

/// The prediction with one of its other ends in it.
fn instead(foretold: &Value, end: &Value) -> Value {
    let mut foretold = foretold.clone();
    for key in ["outcome", "delay_seconds"] {
        foretold[key] = end[key].clone();
    }
    let empty = Vec::new();
    for fate in end["mounts"].as_array().unwrap_or(&empty) {
        for key in ["mounts", "swaps"] {
            for item in foretold[key].as_array_mut().into_iter().flatten() {
                if item["unit"] == fate["unit"] {
                    item["result"] = fate["result"].clone();
                }
            }
        }
    }
    foretold
}

fn differences(record: &Record, foretold: &Value) -> Vec<String> {
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
            // A line that systemd passes over, a duplicate say, has no unit.
            if item["result"] == "skipped" {
                continue;
            }
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
    if let (Some(reached), Some(baseline), Some(delay)) = (
        record.multi_user,
        record.baseline,
        foretold["delay_seconds"].as_f64(),
    ) && record.outcome != Outcome::Emergency
        && outcome != "emergency"
    {
        let real = (reached - baseline).max(0.0);
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
            place: Place::Machine,
            fstab: String::new(),
            outcome,
            multi_user,
            baseline: Some(20.0),
            seconds: 30.0,
            units: BTreeMap::from([("data.mount".to_owned(), state)]),
            jobs: Vec::new(),
            failed: Vec::new(),
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
    fn another_end_of_a_circle_is_as_foretold() {
        let mut foretold = json!({"outcome": "normal", "delay_seconds": 0.0, "swaps": [],
            "mounts": [{"unit": "data.mount", "result": "mounted"}]});
        let record = booted(Outcome::Degraded, "failed", None);
        assert_eq!(compare(&record, &foretold).len(), 2);
        foretold["otherwise"] = json!([{"outcome": "degraded", "delay_seconds": 0.0,
            "mounts": [{"unit": "data.mount", "result": "failed"}]}]);
        assert_eq!(compare(&record, &foretold), Vec::<String>::new());
    }

    #[test]
    fn a_furnished_tree_holds_what_the_machine_has() {
        let dir = tempfile::tempdir().unwrap();
        let disks = furnish(dir.path(), b"image", Place::Machine).unwrap();
        let link = dir.path().join("dev/disk/by-label/beta");
        assert_eq!(
            fs::canonicalize(&link).unwrap(),
            fs::canonicalize(&disks[1]).unwrap()
        );
        let start = fs::read(link).unwrap();
        assert_eq!(&start[..4], b"XFSB");
    }
}
