//! Boots without disks in `systemd-nspawn`: systemd itself on this machine's kernel, faster than a
//! machine, for what concerns neither disks nor this kernel's missing parts (no NFS client, no
//! VLAN filtering here).
//!
//! A container has no device units, no swap and no file system checks: systemd's generator passes
//! such lines over there (systemd-fstab-generator(8)), and automounts do not work. Images do, on this
//! machine's loop devices.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cold::{self, Verdict};
use crate::image::{MASKED, Variant, rootfs};
use crate::process::{Guard, Guarded};
use crate::tools;

/// Files of every container: path, mode, content.
const FILES: [(&str, u32, &[u8]); 3] = [
    (
        "/etc/systemd/system/lab-verdict.service",
        0o644,
        include_bytes!("guest/lab-verdict.service"),
    ),
    (
        "/usr/local/sbin/lab-verdict",
        0o755,
        include_bytes!("guest/lab-verdict.sh"),
    ),
    (
        "/etc/systemd/system/sysinit.target.d/lab.conf",
        0o644,
        b"[Unit]\nWants=lab-verdict.service\n",
    ),
];

/// The NFS client's pipes, for which this machine's kernel has no file system.
const NO_CLIENT: &str = "run-rpc_pipefs.mount";

/// How many loop devices a container is given.
const LOOPS: u32 = 8;

/// Boots the plain image's root with these files (path, content) over it, until systemd has no more
/// to do. The root is read only; what the boot writes is thrown away.
///
/// # Errors
/// Where no verdict comes within `limit`; this takes root.
pub fn boot(files: &[(&str, &[u8])], limit: Duration) -> Result<Verdict> {
    tools::require(&["/usr/bin/systemd-nspawn", "/usr/bin/script"])?;
    let root = rootfs(Variant::Plain)?;
    let dir = tempfile::Builder::new()
        .prefix("nofail-nspawn-")
        .tempdir()?;
    let out = dir.path().join("out");
    fs::create_dir(&out)?;
    let mut command = format!(
        "exec systemd-nspawn --register=no --keep-unit --quiet -b -D '{}' --volatile=overlay \
         --private-network --machine=nofail-lab-{} --console=interactive --bind='{}:/lab'",
        root.display(),
        std::process::id(),
        out.display()
    );
    let own = files.iter().map(|(path, content)| (*path, 0o644, *content));
    for (number, (path, mode, content)) in FILES.into_iter().chain(own).enumerate() {
        let file = dir.path().join(number.to_string());
        fs::write(&file, content)?;
        fs::set_permissions(&file, Permissions::from_mode(mode))?;
        command.push_str(&format!(" --bind='{}:{path}'", file.display()));
    }
    // This machine's loop devices, for images; the kernel frees them at the container's end.
    let loops = (0..LOOPS).map(|number| format!("/dev/loop{number}"));
    for device in loops.chain(["/dev/loop-control".to_owned()]) {
        if Path::new(&device).exists() {
            command.push_str(&format!(" --bind={device}"));
        }
    }
    // An empty file masks a unit, as a link to /dev/null does.
    let empty = dir.path().join("empty");
    fs::write(&empty, "")?;
    for unit in MASKED.split_whitespace().chain([NO_CLIENT]) {
        command.push_str(&format!(
            " --bind-ro='{}:/etc/systemd/system/{unit}'",
            empty.display()
        ));
    }
    let console = dir.path().join("console");
    // nspawn wants a terminal, which script(1) makes.
    let args = [
        "-qefc".to_owned(),
        command,
        console.to_string_lossy().into_owned(),
    ];
    let log = dir.path().join("output");
    let started = Instant::now();
    let mut process = Guarded::start(Guard::Family, "/usr/bin/script", &args, &log)?;
    loop {
        let text = read(&out.join("verdict"));
        if text.ends_with("LAB-END\n") {
            let seconds = started.elapsed().as_secs_f64();
            return cold::parse(&text, seconds, read(&console));
        }
        if !process.alive() {
            bail!("systemd-nspawn ended: {}", read(&console));
        }
        if started.elapsed() > limit {
            bail!("no end of the boot within {limit:?}: {}", read(&console));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A file so far, with what is no UTF-8 replaced; empty where there is none yet.
fn read(path: &Path) -> String {
    fs::read(path).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}
