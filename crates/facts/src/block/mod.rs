//! Block devices: what really lies on what fstab names.

mod resolve;
pub mod superblock;
mod tables;
mod udev;

pub use resolve::{matching, resolve};
pub use tables::{
    MdArray, lvm_mapper_name, parse_crypttab, parse_lvm_backup, parse_mdadm_conf, parse_mdstat,
};
pub use udev::{apply_blkid, apply_udev};

use crate::known::Known;
use crate::syntax::SyntaxError;
use serde::{Deserialize, Serialize};

/// Block devices, and the tables that map them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockDevices {
    /// Every device that was seen (udev's database, blkid, or an image under the root).
    pub devices: Vec<BlockDevice>,
    /// `/etc/crypttab`.
    pub crypttab: Vec<CryptEntry>,
    /// Lines of crypttab that break its grammar.
    pub crypttab_errors: Vec<SyntaxError>,
}

/// One device or partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockDevice {
    /// Kernel name: `/dev/sdb1`.
    pub name: String,
    /// Other names: `/dev/disk/by-uuid/…`, `/dev/mapper/…`.
    pub links: Vec<String>,
    /// File system type on it (`ext4`, `xfs`, `swap`, `LVM2_member`, …).
    pub fstype: Known<String>,
    /// File system UUID.
    pub uuid: Option<String>,
    /// File system label.
    pub label: Option<String>,
    /// Partition UUID.
    pub partuuid: Option<String>,
    /// Partition label.
    pub partlabel: Option<String>,
    /// Kind of device: `disk`, `part`, `crypt`, `lvm`, `raid`, `loop`, `rom`.
    pub kind: String,
    /// For md and LVM: `clean`, `degraded`, `inactive`, …; `None` where there is no such state.
    pub state: Option<String>,
    /// What is known to be wrong with the file system on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
    /// Devices it is made of.
    pub parents: Vec<String>,
    /// Where this was read: `udev`, `blkid`, `superblock`.
    pub read_from: String,
}

/// What is wrong with a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// The kernel met errors in it and wrote that down: it is checked in full before the next mount, and
    /// most often repaired.
    Errors,
    /// It has no root directory: it does not mount, and no check repairs that by itself.
    NoRoot,
}

/// One line of `/etc/crypttab`, see crypttab(5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CryptEntry {
    /// Line, from 1.
    pub line: u32,
    /// Name under `/dev/mapper`.
    pub name: String,
    /// The encrypted device.
    pub source: String,
    /// Key file, `none` or `-` for a passphrase.
    pub key: String,
    /// Options.
    pub options: Vec<String>,
}

#[cfg(test)]
mod tests;
