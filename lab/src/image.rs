//! The disk image of a lab machine: Debian made by `mmdebstrap` from this machine's own apt
//! sources, with the lab's units in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::kernel::Kernel;
use crate::process::run;
use crate::uml::kernel::{UserModeKernel, user_mode_kernel};
use crate::{cache, tools};

/// What a machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// A host: systemd, NetworkManager, NFS client, file systems, bridges with VLANs.
    Plain,
    /// The same with libvirt and QEMU inside.
    Libvirt,
}

impl Variant {
    /// Its name in the cache.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Libvirt => "libvirt",
        }
    }

    /// Memory of the machine in MiB.
    #[must_use]
    pub fn memory(self) -> u32 {
        match self {
            Self::Plain => 768,
            Self::Libvirt => 1280,
        }
    }

    /// The packages beside Debian's smallest system.
    fn packages(self) -> Vec<&'static str> {
        let more = if self == Self::Libvirt {
            HYPERVISOR
        } else {
            ""
        };
        COMMON
            .split_whitespace()
            .chain(more.split_whitespace())
            .collect()
    }
}

/// Packages of every machine.
const COMMON: &str = "btrfs-progs dbus dosfstools e2fsprogs ethtool ifupdown2 ipmitool iproute2 iputils-arping \
     iputils-ping kmod libpam-systemd mount netbase netplan.io network-manager nfs-common nftables openssh-server parted \
     procps psmisc qemu-guest-agent systemd systemd-sysv tcpdump tcpreplay udev util-linux \
     xfsprogs";

/// Packages of a machine that runs guests.
const HYPERVISOR: &str = "busybox-static dnsmasq-base iptables libvirt-clients libvirt-daemon-config-network \
     libvirt-daemon-system qemu-system-x86 qemu-utils";

/// Documents and firmware that no test reads: they would double the image.
const EXCLUDED: &str = "/usr/lib/firmware/* /usr/share/doc/* /usr/share/icons/* /usr/share/info/* \
     /usr/share/locale/* /usr/share/man/* /usr/share/qemu/*.fd /usr/share/qemu/edk2* \
     /usr/share/qemu/firmware/*";

/// Files of the lab in the image: path, mode, content.
const FILES: [(&str, u32, &str); 15] = [
    ("etc/hostname", 0o644, "lab\n"),
    ("etc/hosts", 0o644, "127.0.0.1 localhost\n127.0.1.1 lab\n"),
    (
        "etc/fstab",
        0o644,
        "/dev/vda / ext4 defaults,errors=remount-ro 0 1\n",
    ),
    (
        "etc/systemd/system/lab-agent.service",
        0o644,
        include_str!("guest/lab-agent.service"),
    ),
    (
        "etc/systemd/system/lab-verdict.service",
        0o644,
        include_str!("guest/lab-verdict.service"),
    ),
    (
        "usr/local/sbin/lab-agent",
        0o755,
        include_str!("guest/lab-agent.sh"),
    ),
    (
        "usr/local/sbin/lab-verdict",
        0o755,
        include_str!("guest/lab-verdict.sh"),
    ),
    (
        "etc/NetworkManager/system-connections/eth0.nmconnection",
        0o600,
        include_str!("guest/eth0.nmconnection"),
    ),
    (
        "etc/systemd/network/98-default-mac-none.link",
        0o644,
        include_str!("guest/98-default-mac-none.link"),
    ),
    (
        "etc/NetworkManager/conf.d/lab.conf",
        0o644,
        include_str!("guest/networkmanager.conf"),
    ),
    (
        "etc/udev/rules.d/70-lab-uml.rules",
        0o644,
        include_str!("guest/70-lab-uml.rules"),
    ),
    (
        "etc/systemd/network/90-lab-uml.link",
        0o644,
        "[Match]\nOriginalName=vec0\n\n[Link]\nName=eth0\nMACAddressPolicy=none\n",
    ),
    (
        "etc/systemd/network/91-lab-uml.link",
        0o644,
        "[Match]\nOriginalName=vec1\n\n[Link]\nName=eth1\nMACAddressPolicy=none\n",
    ),
    (
        "etc/systemd/network/92-lab-uml.link",
        0o644,
        "[Match]\nOriginalName=vec2\n\n[Link]\nName=eth2\nMACAddressPolicy=none\n",
    ),
    (
        "etc/systemd/network/93-lab-uml.link",
        0o644,
        "[Match]\nOriginalName=vec3\n\n[Link]\nName=eth3\nMACAddressPolicy=none\n",
    ),
];

/// Units that only cost time in a machine that lives for seconds, or that change things by themselves.
pub(crate) const MASKED: &str = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
     e2scrub_reap.service fstrim.timer getty@tty1.service systemd-pstore.service \
     systemd-update-utmp.service systemd-update-utmp-runlevel.service qemu-guest-agent.service \
     networking.service nftables.service ssh.service dm-event.socket";

/// A built image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Which packages it has.
    pub variant: Variant,
    /// The kernel it goes with.
    pub kernel: Kernel,
    /// The kernel that runs it as a program.
    pub user_mode: UserModeKernel,
    /// The root file system, a raw ext4; only ever used below an overlay.
    pub disk: PathBuf,
    /// Name that changes with its content.
    pub digest: String,
}

/// The directory with the packages alone, without kernel modules and the lab's own files.
///
/// # Errors
/// As [`image`].
pub fn rootfs(variant: Variant) -> Result<PathBuf> {
    let packages = variant.packages();
    let mut recipe = packages.clone();
    recipe.push(EXCLUDED);
    let kind = format!("rootfs-{}", variant.name());
    let sources = crate::apt::offer()?.sources;
    let dir = cache::entry(&kind, &cache::digest(&recipe), |dir| {
        install(dir, &packages, &sources)
    })?;
    Ok(dir.join("root"))
}

/// Finds or builds the image of `variant`.
///
/// # Errors
/// Where a tool is missing, this is not root, or a package cannot be had.
pub fn image(variant: Variant) -> Result<Image> {
    let kernel = crate::kernel::kernel()?;
    let user_mode = user_mode_kernel()?;
    let mut recipe = variant.packages();
    recipe.push(EXCLUDED);
    let kernel_recipe = crate::kernel::recipe();
    recipe.extend([kernel.package.as_str(), &kernel_recipe]);
    recipe.push(user_mode.package.as_str());
    recipe.push(MASKED);
    recipe.extend(FILES.iter().map(|(_, _, content)| *content));
    let digest = cache::digest(&recipe);
    let kind = format!("image-{}", variant.name());
    let dir = cache::entry(&kind, &digest, |dir| {
        // Kept apart: a change of the lab's own files then takes seconds, not a minute.
        let trees = [&kernel.tree, &user_mode.tree];
        build(dir, &rootfs(variant)?, trees, variant)
    })?;
    Ok(Image {
        variant,
        kernel,
        user_mode,
        disk: dir.join("root.ext4"),
        digest,
    })
}

/// Puts a Debian with these packages below `dir`/root.
pub(crate) fn install(dir: &Path, packages: &[&str], sources: &[String]) -> Result<()> {
    tools::require(&["/usr/bin/mmdebstrap"])?;
    if !rustix::process::geteuid().is_root() {
        bail!("building a lab image takes root");
    }
    let root = dir.join("root");
    let mut args = vec![
        "--quiet".to_owned(),
        "--variant=minbase".to_owned(),
        "--mode=root".to_owned(),
        "--aptopt=Apt::Install-Recommends \"false\"".to_owned(),
        format!("--include={}", packages.join(",")),
    ];
    args.extend(
        EXCLUDED
            .split_whitespace()
            .map(|p| format!("--dpkgopt=path-exclude={p}")),
    );
    args.push(String::new());
    args.push(root.to_string_lossy().into_owned());
    args.extend(sources.iter().cloned());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run("/usr/bin/mmdebstrap", &args, Duration::from_secs(900))?;
    let root_text = root.to_string_lossy().into_owned();
    // An empty password opens the emergency shell, which Debian refuses to a locked root.
    let passwd = ["/usr/bin/passwd", "-d", "root"];
    let args = [[root_text.as_str()].as_slice(), &passwd].concat();
    run("/usr/sbin/chroot", &args, Duration::from_secs(60))?;
    for gone in ["var/cache/apt", "var/lib/apt/lists", "var/log/journal"] {
        let _ = fs::remove_dir_all(root.join(gone));
    }
    Ok(())
}

/// Adds the kernels' modules and the lab's files and makes a file system of it all.
fn build(dir: &Path, rootfs: &Path, trees: [&PathBuf; 2], variant: Variant) -> Result<()> {
    tools::require(&["/usr/sbin/mkfs.ext4"])?;
    let limit = Duration::from_secs(120);
    let source = rootfs.to_string_lossy().into_owned();
    let root = dir.join("root");
    let root_text = root.to_string_lossy().into_owned();
    run("/bin/cp", &["-a", &source, &root_text], limit)?;
    for (path, mode, content) in FILES {
        let to = root.join(path);
        fs::create_dir_all(to.parent().context("a file at the top")?)?;
        fs::write(&to, content)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
    }
    let units = root.join("etc/systemd/system");
    for unit in MASKED.split_whitespace() {
        let link = units.join(unit);
        let _ = fs::remove_file(&link);
        symlink("/dev/null", link)?;
    }
    // Both start as soon as systemd does, in whatever state the machine then ends up.
    let wants = units.join("sysinit.target.wants");
    fs::create_dir_all(&wants)?;
    for unit in ["lab-agent.service", "lab-verdict.service"] {
        symlink(format!("/etc/systemd/system/{unit}"), wants.join(unit))?;
    }
    for tree in trees {
        let tree = tree.join("usr").to_string_lossy().into_owned();
        run("/bin/cp", &["-a", &tree, &root_text], limit)?;
    }

    let disk = dir.join("root.ext4").to_string_lossy().into_owned();
    let size = match variant {
        Variant::Plain => "1500M",
        Variant::Libvirt => "3000M",
    };
    run("/usr/bin/truncate", &["-s", size, &disk], limit)?;
    let args = [
        "-q",
        "-F",
        "-L",
        "lab-root",
        "-E",
        "lazy_itable_init=1",
        "-d",
        &root_text,
        &disk,
    ];
    run("/usr/sbin/mkfs.ext4", &args, Duration::from_secs(300))?;
    fs::remove_dir_all(&root)?;
    Ok(())
}
