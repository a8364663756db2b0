//! Debian's kernel for the lab's machines: downloaded through this machine's own apt, unpacked,
//! and cut down to the modules that the lab uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::apt::{Offer, offer};
use crate::process::run;
use crate::{cache, initramfs, tools};

/// Modules that the initramfs loads: the root's disk and file system, the channel to the tests,
/// and what makes random numbers differ between machines that go on from one snapshot.
pub const EARLY: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "ext4",
    "crc32c_generic",
    "vmgenid",
];

/// Modules for the disks of a test, loaded when a case is there.
pub const DISKS: [&str; 2] = ["virtio_scsi", "sd_mod"];

/// What [`late`] gives.
const LATE: &str = "8021q 9p 9pnet_virtio act_gact act_mirred af_packet autofs4 binfmt_misc bonding br_netfilter \
     bridge btrfs cls_matchall cls_u32 dm_delay dm_flakey dm_linear dm_mod dummy efivarfs fuse \
     ifb isofs loop macvlan nf_conntrack nf_tables nfs nfsd nfsv3 nfsv4 nft_chain_nat nft_compat \
     nft_ct nft_masq nft_reject_inet nls_ascii nls_cp437 nls_iso8859-1 overlay rpcsec_gss_krb5 \
     sch_ingress sch_netem sch_prio sch_tbf softdog squashfs tap tls tun veth vfat virtio_balloon \
     virtio_net virtio_rng xfs xt_CHECKSUM xt_MASQUERADE xt_conntrack";

/// A kernel in the cache.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Package and version, `linux-image-6.1.0-56-amd64=6.1.192-2`.
    pub package: String,
    /// Kernel image.
    pub image: PathBuf,
    /// The initramfs, a cpio archive to which a case's files are appended.
    pub initramfs: PathBuf,
    /// A directory to put over the root: `usr/lib/modules/RELEASE` with the modules and indexes.
    pub tree: PathBuf,
}

/// Finds or makes the kernel.
///
/// # Errors
/// Where apt has no kernel package or a tool is missing.
pub fn kernel() -> Result<Kernel> {
    let Offer {
        kernel: name,
        version,
        ..
    } = offer()?;
    let digest = cache::digest(&[&name, &version, &recipe()]);
    let dir = cache::entry("kernel", &digest, |dir| build(dir, &name))?;
    Ok(Kernel {
        package: format!("{name}={version}"),
        image: dir.join("vmlinuz"),
        initramfs: dir.join("initramfs.cpio"),
        tree: dir.join("tree"),
    })
}

/// What of this file decides about the kernel's tree, a part of an image's name.
#[must_use]
pub fn recipe() -> String {
    [&EARLY.join(" "), &DISKS.join(" "), LATE, initramfs::INIT].join("|")
}

/// Downloads and unpacks the package and keeps what [`Kernel`] names.
fn build(dir: &Path, package: &str) -> Result<()> {
    tools::require(&[
        "/usr/bin/apt-get",
        "/usr/bin/dpkg-deb",
        "/usr/sbin/depmod",
        "/usr/bin/busybox",
    ])?;
    let scratch = dir.join("scratch");
    fs::create_dir(&scratch)?;
    let unpacked = unpack(&scratch, package)?;
    let release = release(&unpacked.join("lib/modules"))?;
    fs::copy(
        unpacked.join("boot").join(format!("vmlinuz-{release}")),
        dir.join("vmlinuz"),
    )?;
    let early: Vec<&str> = EARLY.into_iter().chain(DISKS).collect();
    let wanted: Vec<&str> = early.iter().copied().chain(late()).collect();
    let (table, kept) = place(&unpacked, &release, &wanted, &dir.join("tree"))?;

    let before = table.closure(&EARLY)?;
    let mut after = table.closure(&early)?;
    after.retain(|file| !before.contains(file));
    let paths = |files: Vec<String>| files.iter().map(|file| kept.join(file)).collect::<Vec<_>>();
    let archive = initramfs::base(&paths(before), &paths(after))?;
    fs::write(dir.join("initramfs.cpio"), archive)?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// Downloads a package into `scratch` and unpacks it there; the directory with its files.
pub(crate) fn unpack(scratch: &Path, package: &str) -> Result<PathBuf> {
    let script = "cd \"$1\" && apt-get -q download \"$2\" && dpkg-deb -x *.deb unpacked";
    let place = scratch.to_string_lossy().into_owned();
    let args = ["-c", script, "sh", &place, package];
    run("/bin/sh", &args, Duration::from_secs(300))?;
    Ok(scratch.join("unpacked"))
}

/// The kernel's release, for which a directory of modules has its only directory.
pub(crate) fn release(modules: &Path) -> Result<String> {
    let first = fs::read_dir(modules)?.next();
    let entry = first.context("the kernel package has no modules")??;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

/// Modules that a running machine may load.
pub(crate) fn late() -> Vec<&'static str> {
    LATE.split_whitespace().collect()
}

/// Puts the modules `wanted` of `unpacked`/lib/modules/`release`, with all that they need and their
/// indexes, below `tree`. Returns who needs whom, and the directory of the modules.
pub(crate) fn place(
    unpacked: &Path,
    release: &str,
    wanted: &[&str],
    tree: &Path,
) -> Result<(Dependencies, PathBuf)> {
    let all = unpacked.join("lib/modules").join(release);
    depmod(unpacked, release)?;
    let table = Dependencies::parse(&fs::read_to_string(all.join("modules.dep"))?);
    let kept = tree.join("usr/lib/modules").join(release);
    for file in table.closure(wanted)? {
        let to = kept.join(&file);
        fs::create_dir_all(to.parent().context("a module at the top")?)?;
        fs::copy(all.join(&file), to)?;
    }
    for index in [
        "modules.order",
        "modules.builtin",
        "modules.builtin.modinfo",
    ] {
        fs::copy(all.join(index), kept.join(index))?;
    }
    depmod(&tree.join("usr"), release)?;
    Ok((table, kept))
}

/// Writes the index of `base`/lib/modules/`release`.
fn depmod(base: &Path, release: &str) -> Result<()> {
    let base = base.to_string_lossy();
    let args = ["-b", &*base, release];
    run("/usr/sbin/depmod", &args, Duration::from_secs(120))?;
    Ok(())
}

/// `modules.dep`: each module's file with the files that it needs (depmod(8)).
pub(crate) struct Dependencies {
    files: BTreeMap<String, String>,
    needs: BTreeMap<String, Vec<String>>,
}

impl Dependencies {
    /// Reads `FILE: NEEDED NEEDED…` lines, the last needed being the first to load.
    fn parse(text: &str) -> Self {
        let (mut files, mut needs) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            let Some((file, list)) = line.split_once(':') else {
                continue;
            };
            let list = list.split_whitespace().rev().map(str::to_owned).collect();
            files.insert(module_name(file), file.to_owned());
            needs.insert(file.to_owned(), list);
        }
        Self { files, needs }
    }

    /// Files of `modules` and all that they need, in an order in which they can be loaded.
    ///
    /// A module that is built into the kernel is left out: there is nothing to load.
    fn closure(&self, modules: &[&str]) -> Result<Vec<String>> {
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for module in modules {
            let Some(file) = self.files.get(&module.replace('-', "_")) else {
                continue;
            };
            for needed in self.needs.get(file).into_iter().flatten().chain([file]) {
                if seen.insert(needed.clone()) {
                    order.push(needed.clone());
                }
            }
        }
        if order.is_empty() {
            bail!(
                "the kernel package has none of the modules {}",
                modules.join(", ")
            );
        }
        Ok(order)
    }
}

/// `kernel/net/8021q/8021q.ko` → `8021q`; dashes become underscores, as the kernel has them.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.split(".ko").next().unwrap_or(name);
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_need_and_once() {
        let table = Dependencies::parse(
            "kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/jbd2/jbd2.ko\n\
             kernel/fs/jbd2/jbd2.ko:\nkernel/lib/crc16.ko:\n\
             kernel/arch/x86/crypto/crc32c-intel.ko:\n",
        );
        assert_eq!(
            table
                .closure(&["jbd2", "ext4", "crc32c_intel", "builtin"])
                .unwrap(),
            [
                "kernel/fs/jbd2/jbd2.ko",
                "kernel/lib/crc16.ko",
                "kernel/fs/ext4/ext4.ko",
                "kernel/arch/x86/crypto/crc32c-intel.ko"
            ]
        );
        assert!(table.closure(&["none"]).is_err());
    }
}
