//! The second way: the host's files come over as a tar archive and are read here, as a tree.

use super::{Remote, RemoteError};
use crate::{LocalReader, Options};
use facts::Snapshot;

/// What the sources read, below `/`: configuration and small state on local file systems.
const PATHS: &[&str] = &[
    "etc/crypttab",
    "etc/cron.d",
    "etc/crontab",
    "etc/default/libvirt-guests",
    "etc/fstab",
    "etc/hostname",
    "etc/hosts",
    "etc/libvirt",
    "etc/lvm/backup",
    "etc/mdadm",
    "etc/mdadm.conf",
    "etc/netplan",
    "etc/network",
    "etc/NetworkManager",
    "etc/nsswitch.conf",
    "etc/os-release",
    "etc/resolv.conf",
    "etc/selinux/config",
    "etc/sysconfig/libvirt-guests",
    "etc/sysconfig/network-scripts",
    "etc/sysctl.conf",
    "etc/sysctl.d",
    "etc/systemd",
    "etc/watchdog.conf",
    "run/libvirt/qemu",
    "run/systemd/resolve",
    "run/udev/data",
    "usr/lib/os-release",
    "var/lib/libvirt/qemu/snapshot",
];

pub(super) fn collect(remote: &Remote, address: &str) -> Result<Snapshot, RemoteError> {
    // Only what is there and readable is asked for: not every tar passes over the rest.
    let script = format!(
        r#"for p in {}; do [ -r "/$p" ] && set -- "$@" "$p"; done
[ $# -gt 0 ] || exit 0
exec tar -cf - -C / "$@" 2>/dev/null"#,
        PATHS.join(" ")
    );
    let answer = remote.run(address, &script, &[])?;
    let directory = tempfile::tempdir().map_err(RemoteError::Unpack)?;
    // The crate refuses members that would leave the directory.
    let mut archive = tar::Archive::new(answer.stdout.as_slice());
    archive.set_preserve_ownerships(false);
    for entry in archive.entries().map_err(RemoteError::Unpack)? {
        let mut entry = entry.map_err(RemoteError::Unpack)?;
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            entry
                .unpack_in(directory.path())
                .map_err(RemoteError::Unpack)?;
        }
    }
    let reader = LocalReader::rooted(directory.path()).map_err(RemoteError::Unpack)?;
    let options = Options {
        deadline: remote.probe_deadline,
        ..Options::default()
    };
    Ok(crate::collect(&reader, &options))
}
