//! Disk images as they lie on the host: existence, format, backing file; managed saves, snapshots.
//!
//! [`header::parse`] reads the first bytes of an image, [`backing::resolve`] what a backing name
//! means, [`chain::follow`] the chain of images to its end. [`save::parse`] reads a managed save,
//! [`snapshot::parse`] libvirt's record of a snapshot.

pub mod backing;
pub mod chain;
pub mod header;
mod qcow2;
pub mod save;
pub mod snapshot;
mod vmdk;

#[cfg(test)]
mod tests;

use crate::known::Known;
use serde::{Deserialize, Serialize};

/// What was found about images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Images {
    /// Every image that a guest names, and every one found behind it.
    pub files: Vec<Image>,
    /// Guests with a managed save image (`/var/lib/libvirt/qemu/save/NAME.save`).
    pub managed_saves: Vec<ManagedSave>,
    /// Bytes free where managed saves are written; `None` where not known.
    pub save_space: Option<u64>,
    /// Snapshots that libvirt knows of.
    pub snapshots: Vec<GuestSnapshot>,
}

/// One image file or block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Path on the host.
    pub path: String,
    /// `Known(size in bytes)`, `Absent` (no such file), or why it could not be seen.
    pub size: Known<u64>,
    /// Bytes really allocated.
    pub allocated: Option<u64>,
    /// Size that the guest sees.
    pub virtual_size: Option<u64>,
    /// Format found in the header (`qcow2`, `raw`).
    pub format: Option<String>,
    /// Backing file as the header names it.
    pub backing: Option<String>,
    /// Format of the backing file as the header says.
    pub backing_format: Option<String>,
    /// Mount point that the path lies under, where the mount table tells.
    pub mount: Option<String>,
    /// External data file that a qcow2 header names.
    pub data_file: Option<String>,
    /// Extents that a VMDK descriptor names: the files that hold its data.
    pub extents: Vec<String>,
    /// Whether the header says that the image is encrypted.
    pub encrypted: bool,
    /// Whether QEMU marked the image corrupt: it will not write to it until it is repaired.
    pub corrupt: bool,
    /// What it is: `file`, `block`, `directory`, `other`; `None` where it was not seen.
    pub kind: Option<String>,
    /// Device and inode (`major:minor inode`), where known: the same for two names of one file.
    pub identity: Option<String>,
    /// Why the header could not be read, where that is so; the size may be known all the same.
    pub header_unread: Option<String>,
}

/// A managed save image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagedSave {
    /// Guest.
    pub guest: String,
    /// The file.
    pub path: String,
    /// Disk sources named in the saved XML.
    pub disks: Vec<String>,
    /// Why the saved XML could not be read, where that is so.
    pub unread: Option<String>,
    /// UUID of the guest in the saved XML.
    pub uuid: String,
    /// Whether the guest ran when it was saved (it was paused otherwise).
    pub was_running: Option<bool>,
    /// Whether the save was never finished: libvirt refuses to restore it.
    pub partial: bool,
    /// Disk targets with the sources of [`ManagedSave::disks`], in the same order.
    pub targets: Vec<String>,
}

/// A snapshot of a guest, from `/var/lib/libvirt/qemu/snapshot/GUEST/*.xml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuestSnapshot {
    /// Guest.
    pub guest: String,
    /// Name of the snapshot.
    pub name: String,
    /// The file.
    pub path: String,
    /// Disk sources named in it.
    pub disks: Vec<String>,
    /// `running`, `shut-off`, `disk-snapshot`, …: the guest's state when it was taken.
    pub state: Option<String>,
    /// Files that the snapshot wrote: external disk overlays and memory images.
    pub files: Vec<String>,
}
