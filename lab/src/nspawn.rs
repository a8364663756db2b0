//! Boots without disks in `systemd-nspawn`: systemd itself on this machine's kernel, faster than a
//! machine, for what concerns neither disks nor this kernel's missing parts (no NFS client, no
//! VLAN filtering here).

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::image::{Variant, rootfs};
use crate::process::{Guard, Guarded};
use crate::tools;

/// What a boot in a container ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whether it ended in emergency mode, and not at a login prompt.
    pub emergency: bool,
    /// The console.
    pub console: String,
}

/// Boots the plain image's root with these files over it, until a login prompt or emergency mode.
/// The root is read only; what the boot writes is thrown away.
///
/// # Errors
/// Where neither comes within `limit`; this takes root.
pub fn boot(files: &[(&str, &str)], limit: Duration) -> Result<Ended> {
    tools::require(&["/usr/bin/systemd-nspawn", "/usr/bin/script"])?;
    let root = rootfs(Variant::Plain)?;
    let dir = tempfile::Builder::new()
        .prefix("nofail-nspawn-")
        .tempdir()?;
    let mut command = format!(
        "exec systemd-nspawn --register=no --keep-unit --quiet -b -D '{}' --volatile=overlay \
         --private-network --machine=nofail-lab-{} --console=interactive",
        root.display(),
        std::process::id()
    );
    for (number, (path, content)) in files.iter().enumerate() {
        let file = dir.path().join(number.to_string());
        fs::write(&file, content)?;
        command.push_str(&format!(" --bind-ro='{}:{path}'", file.display()));
    }
    let console = dir.path().join("console");
    // nspawn wants a terminal, which script(1) makes.
    let args = [
        "-qefc".to_owned(),
        command,
        console.to_string_lossy().into_owned(),
    ];
    let log = dir.path().join("output");
    let mut process = Guarded::start(Guard::Family, "/usr/bin/script", &args, &log)?;
    let deadline = Instant::now() + limit;
    loop {
        let text = read(&console);
        if text.contains("emergency mode") || text.contains("Emergency Mode") {
            return Ok(Ended {
                emergency: true,
                console: text,
            });
        }
        if text.contains("login:") {
            return Ok(Ended {
                emergency: false,
                console: text,
            });
        }
        if !process.alive() {
            bail!("systemd-nspawn ended: {text}");
        }
        if Instant::now() > deadline {
            bail!("no end of the boot within {limit:?}: {text}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The console so far, with what is no UTF-8 replaced.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.context("no console yet").map_or_else(
        |_| String::new(),
        |_| String::from_utf8_lossy(&bytes).into_owned(),
    )
}
