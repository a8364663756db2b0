//! Programs of this machine that the lab runs, and the Debian package of each.
//!
//! A missing prerequisite fails with the package's name; nothing is skipped.

use std::path::Path;

use anyhow::{Result, bail};

/// Each program with the package that has it. `./test` installs these packages.
pub const PROGRAMS: [(&str, &str); 25] = [
    ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/bin/qemu-img", "qemu-utils"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/depmod", "kmod"),
    ("/usr/bin/busybox", "busybox-static"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/sbin/mkfs.xfs", "xfsprogs"),
    ("/usr/sbin/mkfs.btrfs", "btrfs-progs"),
    ("/usr/sbin/mkfs.vfat", "dosfstools"),
    ("/usr/sbin/mkswap", "util-linux"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/taskset", "util-linux"),
    ("/usr/bin/slirp4netns", "slirp4netns"),
    ("/usr/bin/script", "bsdutils"),
    ("/usr/sbin/chroot", "coreutils"),
    ("/usr/bin/ldd", "libc-bin"),
    ("/usr/bin/ganesha.nfsd", "nfs-ganesha"),
    (
        "/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so",
        "nfs-ganesha-vfs",
    ),
    ("/usr/bin/ipmi_sim", "openipmi"),
    ("/usr/bin/ipmitool", "ipmitool"),
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/bin/dpkg-deb", "dpkg"),
    ("/usr/bin/apt-get", "apt"),
];

/// Checks that these programs of [`PROGRAMS`] are there.
///
/// # Errors
/// Names every missing program and the packages to install.
pub fn require(programs: &[&str]) -> Result<()> {
    let mut missing = Vec::new();
    let mut packages = Vec::new();
    for program in programs {
        if Path::new(program).exists() {
            continue;
        }
        missing.push(*program);
        let known = PROGRAMS.iter().find(|(path, _)| path == program);
        packages.push(known.map_or("(package unknown)", |(_, package)| package));
    }
    if missing.is_empty() {
        return Ok(());
    }
    packages.sort_unstable();
    packages.dedup();
    bail!(
        "the lab needs {}, which this machine lacks; run: apt-get install -y --no-install-recommends {}",
        missing.join(", "),
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        assert!(require(&["/usr/bin/ldd"]).is_ok());
        let error = require(&["/nonexistent/tool"]).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/tool"), "{error}");
    }

    #[test]
    fn every_program_is_listed_once() {
        let mut paths: Vec<_> = PROGRAMS.iter().map(|(path, _)| path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), PROGRAMS.len());
    }
}
