//! The real `systemd-fstab-generator`, run alone in a chroot: systemd's own reading of an fstab in
//! milliseconds, without a boot.
//!
//! Outside a chroot the generator follows this machine's own symbolic links, and it drops swap
//! lines where it finds no `/proc/swaps` and swap and device lines where it believes itself in a
//! container. The chroot has none of a container's marks, a `/proc` that consists of `swaps`
//! alone, and no `/sys`, so it answers as it does on a host. Needs root, or a kernel that allows
//! unprivileged user namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where Debian and the RHEL family install it (`/lib` is a link to `/usr/lib` on both).
const GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-fstab-generator";

/// File systems whose checker a hypervisor's root normally has. The generator links
/// `systemd-fsck@.service` only where `fsck.TYPE` is found on its path (systemd.mount(5), passno).
const CHECKERS: [&str; 7] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "minix"];

/// What the generator wrote for one fstab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generated {
    /// Each unit file's text, by file name (`mnt-nas.mount`); drop-ins as `UNIT.d/NAME.conf`.
    pub units: BTreeMap<String, String>,
    /// `(unit or target that pulls, "requires" or "wants", unit)`, one for each link.
    pub links: BTreeSet<(String, String, String)>,
    /// What the generator said, at log level debug.
    pub stderr: String,
    /// Whether it ended with exit status 0 (it does not where an entry is invalid).
    pub success: bool,
}

/// A directory with the generator and its libraries in it, built once and used for many fstabs.
///
/// Not for several threads at once: each case replaces the last one's `etc/fstab`.
#[derive(Debug)]
pub struct Chroot {
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Chroot {
    /// A fresh root in a temporary directory, removed on drop.
    ///
    /// # Errors
    /// Where the generator is missing or cannot be copied.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir().context("no temporary directory for the chroot")?;
        let root = dir.path().to_path_buf();
        install(&root)?;
        Ok(Self {
            root,
            _temporary: Some(dir),
        })
    }

    /// A fresh root with the generator of the system at `system`, another distribution's say.
    ///
    /// # Errors
    /// Where the generator is missing there or cannot be copied.
    pub fn of(system: &Path) -> Result<Self> {
        let dir = tempfile::tempdir().context("no temporary directory for the chroot")?;
        let root = dir.path().to_path_buf();
        install_from(system, &root)?;
        Ok(Self {
            root,
            _temporary: Some(dir),
        })
    }

    /// Uses `root`, a case's own file tree, and puts the generator into it where it is missing.
    ///
    /// # Errors
    /// Where the generator is missing on this machine or cannot be copied.
    pub fn at(root: &Path) -> Result<Self> {
        if !root.join(&GENERATOR[1..]).exists() {
            install(root)?;
        }
        Ok(Self {
            root: root.to_path_buf(),
            _temporary: None,
        })
    }

    /// The directory that is the generator's `/`: put links or directories of a case here.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs the generator over `fstab` with a kernel command line of `root=/dev/vda ro`.
    ///
    /// # Errors
    /// Where the generator cannot be run; its own complaints are in [`Generated::stderr`].
    pub fn run(&self, fstab: &str) -> Result<Generated> {
        self.run_with(fstab.as_bytes(), "root=/dev/vda ro")
    }

    /// Runs the generator over any bytes with this kernel command line.
    ///
    /// # Errors
    /// Where the generator cannot be run; its own complaints are in [`Generated::stderr`].
    pub fn run_with(&self, fstab: &[u8], cmdline: &str) -> Result<Generated> {
        let etc = self.root.join("etc");
        fs::create_dir_all(&etc)?;
        fs::write(etc.join("fstab"), fstab)?;
        let out = self.root.join("run/generator");
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        for dir in ["normal", "early", "late"] {
            fs::create_dir_all(out.join(dir))?;
        }
        let mut command = if rustix::process::geteuid().is_root() {
            Command::new("/usr/sbin/chroot")
        } else {
            let mut command = Command::new("/usr/bin/unshare");
            command.args(["--map-root-user", "/usr/sbin/chroot"]);
            command
        };
        let result = command
            .arg(&self.root)
            .args([
                GENERATOR,
                "/run/generator/normal",
                "/run/generator/early",
                "/run/generator/late",
            ])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("SYSTEMD_PROC_CMDLINE", cmdline)
            .env("SYSTEMD_LOG_TARGET", "console")
            .env("SYSTEMD_LOG_LEVEL", "debug")
            .stdin(Stdio::null())
            .output()
            .context("cannot run chroot")?;
        let stderr = String::from_utf8_lossy(&result.stderr).into_owned();
        if matches!(result.status.code(), None | Some(125..=127)) {
            bail!("the generator did not run ({}): {stderr}", result.status);
        }
        let mut generated = Generated {
            stderr,
            success: result.status.success(),
            ..Generated::default()
        };
        for dir in ["normal", "early", "late"] {
            read_units(&out.join(dir), &mut generated)?;
        }
        Ok(generated)
    }
}

/// Runs the generator over `fstab` in `root`, which gets the generator if it lacks it.
///
/// # Errors
/// Where the generator is missing or cannot be run.
pub fn run(fstab: &str, root: &Path) -> Result<Generated> {
    Chroot::at(root)?.run(fstab)
}

/// Copies the generator, its libraries and the marks of a host that can check and swap to `root`.
fn install(root: &Path) -> Result<()> {
    install_from(Path::new("/"), root)
}

fn install_from(system: &Path, root: &Path) -> Result<()> {
    let mut ldd = if system == Path::new("/") {
        Command::new("/usr/bin/ldd")
    } else {
        let mut command = Command::new("/usr/sbin/chroot");
        command.arg(system).arg("/usr/bin/ldd");
        command
    };
    let ldd = ldd
        .arg(GENERATOR)
        .env("LC_ALL", "C")
        .output()
        .context("cannot run ldd")?;
    if !ldd.status.success() {
        bail!(
            "{GENERATOR} is missing in {}: install the package systemd",
            system.display()
        );
    }
    copy(system, root, Path::new(GENERATOR))?;
    let listed = String::from_utf8_lossy(&ldd.stdout).into_owned();
    for word in listed.split_whitespace().filter(|w| w.starts_with('/')) {
        copy(system, root, Path::new(word))?;
    }
    let sbin = root.join("usr/sbin");
    fs::create_dir_all(&sbin)?;
    let names = CHECKERS.iter().map(|fs| format!("fsck.{fs}"));
    for name in names.chain(["fsck".to_owned()]) {
        let file = sbin.join(name);
        if !file.exists() {
            // Never run: the generator only looks whether it is there and executable.
            fs::write(&file, "#!/bin/sh\nexit 0\n")?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
    }
    fs::create_dir_all(root.join("proc"))?;
    let swaps = root.join("proc/swaps");
    if !swaps.exists() {
        fs::write(swaps, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")?;
    }
    Ok(())
}

/// Copies one file of a system to the same path below `root`, links resolved.
fn copy(system: &Path, root: &Path, file: &Path) -> Result<()> {
    let from = system.join(file.strip_prefix("/").unwrap_or(file));
    let to = root.join(file.strip_prefix("/").unwrap_or(file));
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(&from, &to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Adds the unit files, drop-ins and links of one of the generator's three directories.
fn read_units(dir: &Path, generated: &mut Generated) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            generated.units.insert(name, text);
            continue;
        }
        for inner in fs::read_dir(entry.path())? {
            let inner = inner?;
            let file = inner.file_name().to_string_lossy().into_owned();
            match name.rsplit_once('.') {
                Some((unit, kind @ ("requires" | "wants"))) => {
                    let link = (unit.to_owned(), kind.to_owned(), file);
                    generated.links.insert(link);
                }
                _ => {
                    let text = String::from_utf8_lossy(&fs::read(inner.path())?).into_owned();
                    generated.units.insert(format!("{name}/{file}"), text);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: &str, kind: &str, to: &str) -> (String, String, String) {
        (from.to_owned(), kind.to_owned(), to.to_owned())
    }

    #[test]
    fn the_incidents_lines_as_systemd_reads_them() {
        let chroot = Chroot::new().unwrap();
        let generated = chroot
            .run(
                "/dev/sdb1 /data xfs defaults 0 2\n\
                 nas-01:/volume1/vms /mnt/nas/vms nfs nofail,x-systemd.device-timeout=5 0 0\n\
                 /dev/sdc1 none swap sw 0 0\n",
            )
            .unwrap();
        assert!(generated.success, "{}", generated.stderr);
        let data = &generated.units["data.mount"];
        assert!(data.contains("What=/dev/sdb1\n") && data.contains("Type=xfs\n"));
        assert!(
            data.contains("Requires=systemd-fsck@dev-sdb1.service"),
            "{data}"
        );
        for expected in [
            link("local-fs.target", "requires", "data.mount"),
            link("remote-fs.target", "wants", "mnt-nas-vms.mount"),
            link("swap.target", "requires", "dev-sdc1.swap"),
        ] {
            assert!(
                generated.links.contains(&expected),
                "{expected:?} in {generated:#?}"
            );
        }
        assert!(
            generated
                .stderr
                .contains("x-systemd.device-timeout ignored")
        );
    }

    #[test]
    fn a_second_case_sees_nothing_of_the_first() {
        let chroot = Chroot::new().unwrap();
        chroot.run("/dev/sdb1 /data xfs defaults 0 2\n").unwrap();
        let second = chroot.run("# nothing\n").unwrap();
        assert_eq!(second.units, BTreeMap::new());
    }

    #[test]
    fn a_link_in_the_cases_root_is_followed_and_this_machines_is_not() {
        let chroot = Chroot::new().unwrap();
        std::os::unix::fs::symlink("/srv/real", chroot.root().join("data")).unwrap();
        let generated = chroot.run("/dev/sdb1 /data/x ext4 defaults 0 0\n").unwrap();
        assert!(
            generated.units.contains_key("srv-real-x.mount"),
            "{generated:#?}"
        );
        let generated = chroot.run("/dev/sdb1 /bin/x ext4 defaults 0 0\n").unwrap();
        assert!(
            generated.units.contains_key("bin-x.mount"),
            "{generated:#?}"
        );
    }

    #[test]
    fn a_bad_line_is_reported_and_the_others_stand() {
        let chroot = Chroot::new().unwrap();
        let generated = chroot
            .run("badline\n/dev/sdb1 /data ext4 noauto 0 0\n")
            .unwrap();
        assert!(generated.units.contains_key("data.mount"));
        assert!(
            !generated
                .links
                .iter()
                .any(|(_, _, unit)| unit == "data.mount")
        );
        assert!(
            generated.stderr.contains("not a valid path"),
            "{}",
            generated.stderr
        );
    }
}
