//! libvirt guests: persistent domain XML and live status, see libvirt's formatdomain
//! (<https://libvirt.org/formatdomain.html>).
//!
//! [`parse`] reads one document; [`merge`] joins the definition of a guest with its live status.

mod disk;
mod edit;
pub(crate) mod interface;
mod merge;
mod parse;
mod quantity;
mod redirect;
#[cfg(test)]
mod tests;
mod vlan_wish;

pub use edit::with_vlan;
pub use merge::merge;
pub use parse::parse;
pub use redirect::redirect;
pub use vlan_wish::VlanWish;

use serde::{Deserialize, Serialize};

/// One guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Guest {
    /// Name.
    pub name: String,
    /// UUID, lower case with dashes; empty where the XML has none.
    pub uuid: String,
    /// Whether libvirt starts it once per boot of the host; `None` where it could not be read.
    pub autostart: Option<bool>,
    /// `running`, `paused`, `shut-off`, `in-shutdown`, `crashed`, `pm-suspended`, …; `None` where
    /// it is not known.
    pub state: Option<String>,
    /// Reason that the status XML gives for the state.
    pub state_reason: Option<String>,
    /// Whether a persistent definition exists (a transient guest is gone once it stops).
    pub persistent: bool,
    /// The file of the definition, as evidence.
    pub file: String,
    /// Line of `<name>` in that file.
    pub line: u32,
    /// Memory in KiB.
    pub memory_kib: Option<u64>,
    /// Number of virtual CPUs.
    pub vcpus: Option<u32>,
    /// `<on_crash>`, `None` where it is left to the default (destroy).
    pub on_crash: Option<String>,
    /// `<on_poweroff>`.
    pub on_poweroff: Option<String>,
    /// `<on_reboot>`.
    pub on_reboot: Option<String>,
    /// Whether it has a panic device (`<panic>`): without one QEMU does not learn that the guest's
    /// kernel crashed, and `on_crash` has no effect.
    pub panic_device: bool,
    /// Disks, in the order of the XML.
    pub disks: Vec<Disk>,
    /// Interfaces, in the order of the XML.
    pub interfaces: Vec<Interface>,
    /// Other files that a start needs: `kernel`, `initrd`, `loader`, `nvram`, `filesystem`.
    pub files: Vec<NeededFile>,
    /// Host devices passed through (`<hostdev>`), as `type address`.
    pub hostdevs: Vec<String>,
    /// Main PID of QEMU, where it runs.
    pub pid: Option<u32>,
    /// VLANs that the definition asks for under nofail's own metadata namespace
    /// ([`METADATA_NAMESPACE`], element `vlans`): its text, else its attributes as `name=value`.
    pub metadata_vlans: Option<String>,
    /// The file of the live status, where the guest runs.
    pub status_file: Option<String>,
    /// Why the autostart link does not lead to this guest's definition, where it does not.
    pub autostart_broken: Option<String>,
}

/// XML namespace of what nofail keeps in a domain's `<metadata>`.
pub const METADATA_NAMESPACE: &str = "https://nofail.dev/xmlns/domain/1";

/// One disk of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Target name in the guest: `vda`.
    pub target: String,
    /// `disk`, `cdrom`, `floppy`, `lun`.
    pub device: String,
    /// `file`, `block`, `volume`, `network`, `dir`, `nvme`, `vhostuser`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The path, or `pool/volume`, or `protocol:name`; `None` for an empty drive.
    pub source: Option<String>,
    /// Format of the image (`qcow2`, `raw`), as the definition says.
    pub format: Option<String>,
    /// The backing chain as defined or found in the images, nearest first.
    pub backing: Vec<Backing>,
    /// `mandatory`, `requisite`, `optional`.
    pub startup_policy: Option<String>,
    /// Whether it is read-only.
    pub readonly: bool,
    /// Whether it is shareable.
    pub shareable: bool,
    /// Hosts of a network disk, `name[:port]`.
    pub hosts: Vec<String>,
    /// The file that a `volume` was found to be, where its pool was read.
    pub resolved: Option<String>,
    /// Line of `<disk>` in the definition.
    pub line: u32,
    /// Line of `<source>` in the definition, 0 where there is none.
    pub source_line: u32,
    /// The line of `<source>` (of `<disk>` where there is none) as it stands in the file.
    pub text: String,
    /// Whether the definition gives the backing chain to its end (an empty `<backingStore/>`):
    /// libvirt then follows it and does not look into the images.
    pub chain_ends: bool,
    /// Why the chain in [`Disk::backing`] could not be followed to its end; `None` where it was
    /// (or where nothing was looked at: see [`crate::Source::Images`]).
    pub chain_broken: Option<String>,
    /// External data file of the image (qcow2 `data-file`), which it is nothing without.
    pub data_file: Option<String>,
    /// Where a running block job copies the disk to (`<mirror>`).
    pub mirror: Option<String>,
    /// Whether that copy holds everything by now and follows each write (`ready='yes'`).
    pub mirror_ready: bool,
    /// Whether changes are thrown away when the guest stops (`<transient/>`).
    pub transient: bool,
    /// Whether the definition says that the image is encrypted.
    pub encrypted: bool,
    /// Source of the running guest, where it differs from the definition's: what is written to
    /// now is not what the guest will find at its next start.
    pub live_source: Option<String>,
    /// Plugged into the running guest only: gone at its next start.
    pub live_only: bool,
}

/// One file that a disk image rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backing {
    /// As for [`Disk::kind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// As for [`Disk::source`].
    pub source: String,
    /// Format, where known.
    pub format: Option<String>,
    /// Where this link of the chain was read: the domain file, or the image's header.
    pub read_from: String,
    /// Hosts of a network source, `name[:port]`.
    pub hosts: Vec<String>,
}

/// One network interface of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// `bridge`, `network`, `direct`, `ethernet`, `hostdev`, `user`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Bridge, network, or device.
    pub source: Option<String>,
    /// The bridge it ends on, also where `source` is a network (from status XML or the network).
    pub bridge: Option<String>,
    /// MAC address, lower case.
    pub mac: Option<String>,
    /// Host side device (`vnet3`); live only.
    pub target: Option<String>,
    /// Tags of the `<vlan>` element.
    pub vlans: Vec<u16>,
    /// The tag that is `nativeMode='untagged'` or `tagged`.
    pub native_vlan: Option<u16>,
    /// Whether the `<vlan>` element says `trunk='yes'`.
    pub trunk: bool,
    /// Link state forced by the definition: `up` or `down`.
    pub link: Option<String>,
    /// Line of `<interface>` in the definition.
    pub line: u32,
    /// That line as it stands in the file.
    pub text: String,
    /// Port group of a network, where the definition names one.
    pub portgroup: Option<String>,
    /// Type of `<virtualport>`: `openvswitch`, `802.1Qbg`, …
    pub virtualport: Option<String>,
    /// Mode of a `direct` interface: `vepa`, `bridge`, `private`, `passthrough`.
    pub mode: Option<String>,
    /// Plugged into the running guest only: gone at its next start.
    pub live_only: bool,
}

/// A file that a guest cannot start without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NeededFile {
    /// `kernel`, `initrd`, `dtb`, `loader`, `nvram`, `filesystem`, `rom`, `nvdimm`, `acpi-table`.
    pub role: String,
    /// Path.
    pub path: String,
    /// Line in the definition.
    pub line: u32,
}
