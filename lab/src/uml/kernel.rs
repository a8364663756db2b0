//! Debian's package `user-mode-linux`: the kernel as a program, and the lab's modules for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::apt::offer;
use crate::kernel::{late, place, release, unpack};
use crate::{cache, tools};

/// The kernel in the cache.
#[derive(Debug, Clone)]
pub struct UserModeKernel {
    /// Package and version.
    pub package: String,
    /// The program.
    pub program: PathBuf,
    /// A directory to put over the root: `usr/lib/modules/RELEASE` with the modules and indexes.
    pub tree: PathBuf,
}

/// Debian's package.
const PACKAGE: &str = "user-mode-linux";

/// Finds or makes it.
///
/// # Errors
/// Where apt has no such package or a tool is missing.
pub fn user_mode_kernel() -> Result<UserModeKernel> {
    let version = offer()?.user_mode;
    let modules = late().join(" ");
    let digest = cache::digest(&[PACKAGE, &version, &modules]);
    let dir = cache::entry("uml", &digest, build)?;
    Ok(UserModeKernel {
        package: format!("{PACKAGE}={version}"),
        program: dir.join("linux"),
        tree: dir.join("tree"),
    })
}

fn build(dir: &Path) -> Result<()> {
    tools::require(&["/usr/bin/apt-get", "/usr/bin/dpkg-deb", "/usr/sbin/depmod"])?;
    let scratch = dir.join("scratch");
    fs::create_dir(&scratch)?;
    let unpacked = unpack(&scratch, PACKAGE)?.join("usr");
    fs::copy(unpacked.join("bin/linux.uml"), dir.join("linux"))?;
    // Where depmod(8) looks for them.
    fs::create_dir_all(unpacked.join("lib/modules"))?;
    let modules = unpacked.join("lib/uml/modules");
    let release = release(&modules)?;
    let all = unpacked.join("lib/modules").join(&release);
    fs::rename(modules.join(&release), all)?;
    place(&unpacked, &release, &late(), &dir.join("tree"))?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}
