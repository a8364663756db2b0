//! Disks for a machine: a file system, swap or nothing, on a file, whole or in a partition.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::run;
use crate::tools;

/// What is on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// ext4.
    Ext4,
    /// An ext4 whose root directory is destroyed: e2fsck leaves it and exits with 4.
    BrokenExt4,
    /// XFS; at least 300 MiB (mkfs.xfs refuses less).
    Xfs,
    /// Btrfs; at least 110 MiB.
    Btrfs,
    /// FAT.
    Vfat,
    /// Swap space.
    Swap,
    /// Zeroes.
    Blank,
}

/// A disk to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    content: Content,
    partitioned: bool,
    uuid: Option<String>,
    label: Option<String>,
}

/// Where the one partition starts, as partitioning tools put it.
const START: u64 = 1 << 20;

/// Bytes in a sector.
const SECTOR: u64 = 512;

impl Disk {
    /// A disk with this directly on it: `/dev/sda`.
    #[must_use]
    pub fn whole(content: Content) -> Self {
        Self {
            content,
            partitioned: false,
            uuid: None,
            label: None,
        }
    }

    /// A disk with this in its only partition: `/dev/sda1`.
    #[must_use]
    pub fn partitioned(content: Content) -> Self {
        Self {
            partitioned: true,
            ..Self::whole(content)
        }
    }

    /// Gives the file system this UUID (not for FAT, which has none).
    #[must_use]
    pub fn uuid(mut self, uuid: &str) -> Self {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// Gives the file system this label.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// Makes it as the sparse file `dir`/`name`.
    ///
    /// # Errors
    /// Where a mkfs is missing or fails.
    pub fn make(&self, dir: &Path, name: &str) -> Result<PathBuf> {
        let path = dir.join(name);
        let content = dir.join(format!("{name}.content"));
        let size = self.size();
        File::create(&content)?.set_len(size)?;
        self.format(&content)?;
        if !self.partitioned {
            fs::rename(&content, &path)?;
            return Ok(path);
        }
        let mut disk = File::create(&path)?;
        disk.set_len(START + size)?;
        disk.write_all(&self.partition_table(size)?)?;
        drop(disk);
        let (from, to) = (content.to_string_lossy(), path.to_string_lossy());
        let args = [
            format!("if={from}"),
            format!("of={to}"),
            "bs=1M".to_owned(),
            format!("seek={}", START >> 20),
            "conv=sparse,notrunc".to_owned(),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run("/bin/dd", &args, Duration::from_secs(60))?;
        fs::remove_file(content)?;
        Ok(path)
    }

    /// Bytes that the smallest such file system needs, with some room.
    fn size(&self) -> u64 {
        let mebibytes = match self.content {
            Content::Xfs => 320,
            Content::Btrfs => 128,
            _ => 32,
        };
        mebibytes << 20
    }

    /// Puts the content on the file.
    fn format(&self, file: &Path) -> Result<()> {
        let (program, mut args): (&str, Vec<&str>) = match self.content {
            Content::Blank => return Ok(()),
            Content::Ext4 | Content::BrokenExt4 => ("/usr/sbin/mkfs.ext4", vec!["-q", "-F"]),
            Content::Xfs => ("/usr/sbin/mkfs.xfs", vec!["-q", "-f"]),
            Content::Btrfs => ("/usr/sbin/mkfs.btrfs", vec!["-q", "-f"]),
            Content::Vfat => ("/usr/sbin/mkfs.vfat", vec![]),
            Content::Swap => ("/usr/sbin/mkswap", vec!["-q"]),
        };
        tools::require(&[program])?;
        let xfs = format!("uuid={}", self.uuid.as_deref().unwrap_or_default());
        if let Some(uuid) = self.uuid.as_deref() {
            match self.content {
                Content::Xfs => args.extend(["-m", &xfs]),
                Content::Vfat => {}
                _ => args.extend(["-U", uuid]),
            }
        }
        if let Some(label) = self.label.as_deref() {
            let flag = if self.content == Content::Vfat {
                "-n"
            } else {
                "-L"
            };
            args.extend([flag, label]);
        }
        let path = file.to_string_lossy();
        args.push(&path);
        run(program, &args, Duration::from_secs(60))?;
        if self.content == Content::BrokenExt4 {
            let break_root = "clri <2>\nssv state 2\n";
            let commands = file.with_extension("debugfs");
            fs::write(&commands, break_root)?;
            let commands_text = commands.to_string_lossy();
            let args = ["-w", "-f", &*commands_text, &*path];
            run("/usr/sbin/debugfs", &args, Duration::from_secs(30))?;
            fs::remove_file(commands)?;
        }
        Ok(())
    }

    /// A master boot record with one Linux partition of `size` bytes at [`START`].
    fn partition_table(&self, size: u64) -> Result<Vec<u8>> {
        let kind = if self.content == Content::Swap {
            0x82
        } else {
            0x83
        };
        let sectors = u32::try_from(size / SECTOR).context("a disk too large for an MBR")?;
        let start = u32::try_from(START / SECTOR)?;
        let mut record = Vec::with_capacity(512);
        record.resize(440, 0);
        record.extend_from_slice(&0x1ab0_1ab0_u32.to_le_bytes());
        record.extend_from_slice(&[0, 0]);
        // Not active; the cylinder, head and sector that stand for "use the sector numbers".
        record.extend_from_slice(&[0, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff]);
        record.extend_from_slice(&start.to_le_bytes());
        record.extend_from_slice(&sectors.to_le_bytes());
        record.resize(510, 0);
        record.extend_from_slice(&[0x55, 0xaa]);
        Ok(record)
    }
}

/// Overwrites the first bytes of a disk file, as a wrong `dd` does.
///
/// # Errors
/// Where the file cannot be written.
pub fn wipe(file: &Path) -> Result<()> {
    let mut disk = File::options().write(true).open(file)?;
    disk.seek(SeekFrom::Start(0))?;
    disk.write_all(&vec![0; 1 << 20])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn blkid(path: &Path, offset: u64) -> String {
        let output = Command::new("/usr/sbin/blkid")
            .args(["-p", "-O", &offset.to_string(), "-o", "export"])
            .arg(path)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn each_content_is_what_blkid_says() {
        let dir = tempfile::tempdir().unwrap();
        let uuid = "0fa11000-0000-4000-8000-000000000001";
        for (content, name) in [
            (Content::Ext4, "ext4"),
            (Content::Xfs, "xfs"),
            (Content::Btrfs, "btrfs"),
            (Content::Swap, "swap"),
        ] {
            let disk = Disk::whole(content).uuid(uuid).label("LAB");
            let path = disk.make(dir.path(), name).unwrap();
            let text = blkid(&path, 0);
            assert!(text.contains(&format!("TYPE={name}\n")), "{name}: {text}");
            assert!(text.contains(&format!("\nUUID={uuid}\n")), "{name}: {text}");
            assert!(text.contains("LABEL=LAB\n"), "{name}: {text}");
        }
        let path = Disk::whole(Content::Vfat).make(dir.path(), "v").unwrap();
        assert!(blkid(&path, 0).contains("TYPE=vfat\n"));
    }

    #[test]
    fn a_partition_holds_the_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let path = Disk::partitioned(Content::Ext4)
            .make(dir.path(), "p")
            .unwrap();
        assert!(blkid(&path, 0).contains("PTTYPE=dos\n"));
        assert!(blkid(&path, START).contains("TYPE=ext4\n"));
        wipe(&path).unwrap();
        assert!(!blkid(&path, 0).contains("PTTYPE"));
    }

    #[test]
    fn a_broken_file_system_is_left_by_e2fsck() {
        let dir = tempfile::tempdir().unwrap();
        let path = Disk::whole(Content::BrokenExt4)
            .make(dir.path(), "b")
            .unwrap();
        let status = Command::new("/usr/sbin/e2fsck")
            .arg("-p")
            .arg(&path)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.code().unwrap() & 4, 4, "{status}");
    }
}
