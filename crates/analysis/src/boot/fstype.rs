//! Which file systems and mount points systemd treats apart.
//!
//! Seen by giving each to the generator of systemd 252; the lists are the same in 257.

use facts::path;

/// File systems that systemd knows to need the network, with or without `fuse.` before the name.
/// `9p`, `virtiofs`, `smb`, and most FUSE clients (`fuse.s3fs`, `fuse.rclone`) are not among
/// them: such a line needs `_netdev`.
pub const NETWORK: [&str; 18] = [
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "pvfs2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// Whether systemd takes this type for a network file system.
pub fn is_network(fstype: &str) -> bool {
    NETWORK.contains(&fstype.strip_prefix("fuse.").unwrap_or(fstype))
}

/// File systems with a source of their own making, so that nothing outside can be missing.
pub fn is_virtual(fstype: &str) -> bool {
    matches!(
        fstype,
        "tmpfs"
            | "ramfs"
            | "proc"
            | "sysfs"
            | "devpts"
            | "devtmpfs"
            | "mqueue"
            | "hugetlbfs"
            | "debugfs"
            | "tracefs"
            | "configfs"
            | "securityfs"
            | "cgroup"
            | "cgroup2"
            | "bpf"
            | "pstore"
            | "efivarfs"
            | "binfmt_misc"
            | "rpc_pipefs"
            | "nfsd"
            | "overlay"
            | "fusectl"
            | "selinuxfs"
    )
}

/// Mount points that systemd sets up or leaves alone itself: a line for one yields no unit.
/// `/run/lock` is one only on Debian and its children, which mounted it early before systemd 257.
pub fn is_api(target: &str, early_lock: bool) -> bool {
    const POINTS: [&str; 20] = [
        "/dev",
        "/dev/console",
        "/dev/pts",
        "/dev/shm",
        "/proc",
        "/proc/kmsg",
        "/proc/sys",
        "/proc/sys/kernel/random/boot_id",
        "/run",
        "/run/host",
        "/sys",
        "/sys/firmware/efi/efivars",
        "/sys/fs/bpf",
        "/sys/fs/cgroup",
        "/sys/fs/pstore",
        "/sys/fs/selinux",
        "/sys/fs/smackfs",
        "/sys/kernel/security",
        "/sys/fs/cgroup/unified",
        "/sys/fs/cgroup/systemd",
    ];
    POINTS.contains(&target)
        || path::is_below(target, "/sys/fs/cgroup")
        || path::is_below(target, "/run/host")
        || early_lock && target == "/run/lock"
}

/// Mounts that stay from before systemd until after it: systemd gives their units no default
/// dependencies.
pub fn is_extrinsic(target: &str, options: &str) -> bool {
    matches!(target, "/" | "/usr" | "/etc")
        || ["/run/initramfs", "/proc", "/sys", "/dev"]
            .iter()
            .any(|prefix| path::is_below(target, prefix))
        || super::options::has(options, &["x-initrd.mount"])
}
