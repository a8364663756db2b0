//! The closed list of sources that a snapshot is made of, and what could not be read of them.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! sources {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One source: a section of the snapshot, filled by one file in `collect`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Source { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Source {
            /// Every source, in the order in which a snapshot holds them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in snapshots and under *not checked*.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

sources! {
    /// `/etc/fstab`.
    Fstab = "fstab",
    /// The mount table, `/proc/self/mountinfo`.
    Mounts = "mounts",
    /// Probes of network mounts and of the directories under them.
    MountHealth = "mount-health",
    /// Real file system type, UUID, label of block devices; crypttab, LVM, md.
    BlockDevices = "block-devices",
    /// Persistent domain XML and autostart links.
    Guests = "guests",
    /// Live status XML: which guests run, with which interfaces.
    GuestState = "guest-state",
    /// Disk images: existence, format, backing chain; managed saves and snapshots.
    Images = "images",
    /// libvirt storage pools and their fill.
    Pools = "pools",
    /// libvirt networks.
    Networks = "networks",
    /// Bridges, their ports and VLANs, from the kernel over netlink.
    Bridges = "bridges",
    /// Network profiles: what the network service would restore at the next boot.
    Profiles = "profiles",
    /// libvirt hook scripts.
    Hooks = "hooks",
    /// Journal traces of hooks.
    HookTraces = "hook-traces",
    /// systemd units: failed ones, native mounts, drop-ins.
    Units = "units",
    /// Earlier boots: emergency or rescue mode.
    Boots = "boots",
    /// libvirt daemons and the settings of libvirt-guests.
    Daemons = "daemons",
    /// resolv.conf, hosts, nsswitch.conf.
    Names = "names",
    /// Physical network interfaces: link, speed, error counters.
    Nics = "nics",
    /// The BMC seen from the host's own interface.
    Bmc = "bmc",
    /// Kernel settings, watchdogs, scripts that reboot the host.
    Kernel = "kernel",
}

impl Source {
    /// The key of the snapshot's section that it fills.
    pub fn section(self) -> &'static str {
        match self {
            Self::Fstab => "fstab",
            Self::Mounts => "mounts",
            Self::MountHealth => "mount_points",
            Self::BlockDevices => "block_devices",
            Self::Guests | Self::GuestState => "guests",
            Self::Images => "images",
            Self::Pools => "pools",
            Self::Networks => "networks",
            Self::Bridges => "bridges",
            Self::Profiles => "profiles",
            Self::Hooks | Self::HookTraces => "hooks",
            Self::Units => "units",
            Self::Boots => "boots",
            Self::Daemons => "daemons",
            Self::Names => "names",
            Self::Nics => "nics",
            Self::Bmc => "bmc",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that was not read. Without `item` the whole source was not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// The source.
    pub source: Source,
    /// The file, device or guest of it that was not read; `None` is the whole source.
    #[serde(default)]
    pub item: Option<String>,
    /// Why: no permission, no such tool, time-out, a tree holds no kernel state.
    pub reason: String,
}
