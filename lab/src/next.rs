//! The root of another distribution than this machine's: the Debian release after it, with a younger
//! systemd (257) and a libvirt (11.3) that sets VLANs itself. No machine boots it: programs of it run
//! in chroots, and nofail among them.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{apt, cache, image};

/// The release, and the one that this machine's sources name.
const RELEASE: (&str, &str) = ("trixie", "bookworm");

/// Packages beside Debian's smallest system: who takes part in a boot's transaction, and libvirt.
const PACKAGES: &str = "dbus e2fsprogs iproute2 kmod libvirt-clients libvirt-daemon-driver-qemu \
     libvirt-daemon-system mount network-manager nfs-common procps qemu-system-x86 systemd systemd-sysv udev \
     util-linux";

/// The directory with the release's root. Read it only: copy, or lay an overlay over it.
///
/// # Errors
/// Where the archive cannot be reached, mmdebstrap is missing, or this is not root.
pub fn root() -> Result<PathBuf> {
    let sources: Vec<String> = apt::offer()?
        .sources
        .iter()
        .filter(|line| line.contains(&format!(" {} ", RELEASE.1)))
        .map(|line| line.replace(RELEASE.1, RELEASE.0))
        .collect();
    if sources.is_empty() {
        bail!(
            "apt's sources name no {}, whose successor is wanted",
            RELEASE.1
        );
    }
    let packages: Vec<&str> = PACKAGES.split_whitespace().collect();
    let mut recipe = packages.clone();
    recipe.push(RELEASE.0);
    let dir = cache::entry("rootfs-next", &cache::digest(&recipe), |dir| {
        image::install(dir, &packages, &sources)
    })?;
    Ok(dir.join("root"))
}
