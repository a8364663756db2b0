//! The initramfs that brings a lab machine up, and the cpio archives it consists of.
//!
//! The kernel unpacks archives that are simply joined (Documentation/driver-api/early-userspace/
//! buffer-format), so a case's files are one more archive behind the common one: its tree `case/`
//! is laid over the root before systemd starts. That takes no shared folder, which a snapshot
//! could not hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The first program: loads the modules, mounts the root, lays the case over it, starts systemd.
///
/// The marker under `/var/lib` keeps a reset from laying the case over the root a second time, as
/// by then a test may have mended what the case broke.
pub const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
while read module; do busybox insmod /modules/$module; done < /modules/list
n=0
until busybox mount -t ext4 -o rw /dev/vda /root 2>/dev/null; do
    n=$((n + 1))
    if [ $n -gt 100 ]; then echo "lab: no root file system on /dev/vda"; busybox poweroff -f; fi
    busybox sleep 0.1
done
if [ -d /case ]; then
    read id < /case-id
    marker=/root/var/lib/lab-case-$id
    if [ ! -e $marker ]; then
        busybox cp -a /case/. /root/
        : > $marker
    fi
fi
busybox mount --move /dev /root/dev
busybox umount /proc
exec busybox switch_root /root /sbin/init
"#;

/// The archive that all machines have: busybox, [`INIT`] and these modules, loaded in this order.
///
/// # Errors
/// Where a file cannot be read.
pub fn base(modules: &[PathBuf]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "root"] {
        archive.directory(dir);
    }
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("bin/busybox", 0o755, &fs::read("/usr/bin/busybox")?);
    let mut list = String::new();
    for module in modules {
        let name = module
            .file_name()
            .context("a module without a name")?
            .to_string_lossy()
            .into_owned();
        list.push_str(&name);
        list.push('\n');
        archive.file(&format!("modules/{name}"), 0o644, &fs::read(module)?);
    }
    archive.file("modules/list", 0o644, list.as_bytes());
    Ok(archive.finish())
}

/// The archive of one case: files (absolute path, mode, content) to lay over the root.
#[must_use]
pub fn case(id: &str, files: &[(PathBuf, u32, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.directory("case");
    archive.file("case-id", 0o644, format!("{id}\n").as_bytes());
    for (path, mode, content) in files {
        let inner = path.strip_prefix("/").unwrap_or(path);
        let name = Path::new("case").join(inner);
        archive.file(&name.to_string_lossy(), *mode, content);
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
        fs::write(&archive, case("7", &files)).unwrap();
        let done = std::process::Command::new("/usr/bin/busybox")
            .args(["cpio", "-idm", "-F"])
            .arg(&archive)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let fstab = dir.path().join("case/etc/fstab");
        assert_eq!(fs::read(&fstab).unwrap(), b"# a\n");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(fstab).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(fs::read(dir.path().join("case-id")).unwrap(), b"7\n");
    }
}
