//! The initramfs that brings a lab machine up, and the cpio archives that it reads.
//!
//! A case's files come as one more archive through the port `lab.data`, and are laid over the root
//! before systemd starts. The machine waits for them there: a snapshot of this moment spares every
//! cold boot the kernel's own start. Disks are looked for only afterwards, one place after the
//! other, so that the first is always `/dev/sda` (left to itself the kernel probes them side by side).

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The first program: loads the modules, mounts the root, lays the case over it, finds the disks,
/// starts systemd.
///
/// The marker under `/var/lib` keeps a reset from laying the case over the root a second time, as
/// by then a test may have mended what the case broke.
pub const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
load() {
    while read -r module; do
        case $module in
            # Disks are found where this script says, in its order (scsi_mod's parameter).
            scsi_mod.*) busybox insmod /modules/$module scan=manual ;;
            *) busybox insmod /modules/$module ;;
        esac
    done < /modules/$1
}
load list
n=0
until busybox mount -t ext4 -o rw /dev/vda /root 2>/dev/null; do
    n=$((n + 1))
    if [ $n -gt 100 ]; then echo "lab: no root file system on /dev/vda"; busybox poweroff -f; fi
    busybox sleep 0.1
done
if [ ! -e /root/var/lib/lab-case ]; then
    for port in /sys/class/virtio-ports/*; do
        read -r name < $port/name
        [ "$name" = lab.data ] && break
    done
    exec 3<>/dev/${port##*/}
    echo LAB-WAITS >&3
    until read -r size <&3; do busybox sleep 0.05; done
    busybox head -c $size <&3 > /case.cpio
    (cd /root && busybox cpio -idu < /case.cpio 2>/dev/null)
    busybox rm /case.cpio
    : > /root/var/lib/lab-case
    echo LAB-TAKEN >&3
    exec 3>&-
fi
load disks
for host in /sys/class/scsi_host/host*; do
    for id in 0 1 2 3 4 5 6 7 8 9; do
        echo "0 $id 0" > $host/scan
        disk=/sys/bus/scsi/devices/${host##*host}:0:$id:0
        [ -e $disk ] || continue
        set -- $disk/block/*
        until [ -e "$1" ]; do busybox sleep 0.02; set -- $disk/block/*; done
    done
done
busybox mount --move /dev /root/dev
busybox umount /sys
busybox umount /proc
exec busybox switch_root /root /sbin/init
"#;

/// What the machine writes to the port `lab.data` when it can take a case: a line with the archive's
/// size, then the archive.
pub const WAITS: &str = "LAB-WAITS\n";

/// What it writes there when the case is laid over its root.
pub const TAKEN: &str = "LAB-TAKEN\n";

/// The archive that all machines have: busybox, [`INIT`] and these modules, loaded in this order:
/// the first list before the case comes, the second after it.
///
/// # Errors
/// Where a file cannot be read.
pub fn base(before: &[PathBuf], after: &[PathBuf]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "root", "sys"] {
        archive.directory(dir);
    }
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("bin/busybox", 0o755, &fs::read("/usr/bin/busybox")?);
    for (list, modules) in [("list", before), ("disks", after)] {
        let mut names = String::new();
        for module in modules {
            let name = module
                .file_name()
                .context("a module without a name")?
                .to_string_lossy()
                .into_owned();
            names.push_str(&name);
            names.push('\n');
            archive.file(&format!("modules/{name}"), 0o644, &fs::read(module)?);
        }
        archive.file(&format!("modules/{list}"), 0o644, names.as_bytes());
    }
    Ok(archive.finish())
}

/// The archive of one case: files (absolute path, mode, content) to lay over the root.
#[must_use]
pub fn case(files: &[(PathBuf, u32, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    for (path, mode, content) in files {
        let inner = path.strip_prefix("/").unwrap_or(path);
        archive.file(&inner.to_string_lossy(), *mode, content);
    }
    archive.finish()
}

/// A cpio archive in the "newc" form, the one that the kernel reads.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds a directory and those above it.
    fn directory(&mut self, name: &str) {
        if name.is_empty() || self.directories.contains(name) {
            return;
        }
        if let Some((above, _)) = name.rsplit_once('/') {
            self.directory(above);
        }
        self.directories.insert(name.to_owned());
        self.entry(name, 0o040_755, &[]);
    }

    /// Adds a regular file and the directories above it.
    fn file(&mut self, name: &str, mode: u32, content: &[u8]) {
        if let Some((above, _)) = name.rsplit_once('/') {
            self.directory(above);
        }
        self.entry(name, 0o100_000 | mode, content);
    }

    /// One header of 13 hexadecimal fields, the name and the content, each padded to 4 bytes.
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let links = 1;
        self.bytes.extend_from_slice(b"070701");
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// The archive with its end mark.
    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busybox_reads_the_archive_back() {
        let files = [(PathBuf::from("/etc/fstab"), 0o640, b"# a\n".to_vec())];
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("case.cpio");
        fs::write(&archive, case(&files)).unwrap();
        let done = std::process::Command::new("/usr/bin/busybox")
            .args(["cpio", "-idm", "-F"])
            .arg(&archive)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let fstab = dir.path().join("etc/fstab");
        assert_eq!(fs::read(&fstab).unwrap(), b"# a\n");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(fstab).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }
}
