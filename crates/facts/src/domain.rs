//! libvirt guests: persistent domain XML and live status, see libvirt's formatdomain.

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
    /// `running`, `paused`, `shut-off`, `crashed`, …; `None` where it is not known.
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
    /// VLANs that the definition asks for under nofail's own metadata namespace.
    pub metadata_vlans: Option<String>,
}

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
    /// The source element's text as it stands in the file.
    pub text: String,
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
}

/// A file that a guest cannot start without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NeededFile {
    /// `kernel`, `initrd`, `dtb`, `loader`, `nvram`, `filesystem`, `rom`.
    pub role: String,
    /// Path.
    pub path: String,
    /// Line in the definition.
    pub line: u32,
}
