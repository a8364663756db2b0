//! Disk images as they lie on the host: existence, format, backing file; managed saves, snapshots.

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
}
