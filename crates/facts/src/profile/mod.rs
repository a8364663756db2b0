//! Network profiles: what the network service would restore at the next boot.

pub mod commands;
pub mod ifcfg;
pub mod ifupdown;
pub mod keyfile;
pub mod netplan;
pub mod networkd;
mod restored;
mod text;

pub use restored::{Restored, glob, restores};

use serde::{Deserialize, Serialize};

/// Which program owns a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// NetworkManager keyfile, see nm-settings-keyfile(5).
    #[default]
    Keyfile,
    /// Red Hat's `ifcfg-*`.
    Ifcfg,
    /// systemd-networkd `.network` and `.netdev`, see systemd.network(5).
    Networkd,
    /// netplan YAML.
    Netplan,
    /// `/etc/network/interfaces`, see interfaces(5), ifupdown2's addons included.
    Ifupdown,
    /// A script of the administrator's that runs at boot (dispatcher, unit, rc.local).
    Script,
}

/// One profile: one interface as one file (or stanza) would set it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Which program owns it.
    pub kind: ProfileKind,
    /// The file.
    pub file: String,
    /// Line where it begins.
    pub line: u32,
    /// Name of the profile (connection id, stanza).
    pub name: String,
    /// Interface it is for; `None` where it matches otherwise.
    pub interface: Option<String>,
    /// `bridge`, `ethernet`, `bond`, `vlan`, `team`, …
    #[serde(rename = "type")]
    pub kind_of_link: String,
    /// Whether it comes up by itself.
    pub autoconnect: bool,
    /// Bridge that it is a port of.
    pub controller: Option<String>,
    /// VLAN filtering of a bridge; `None` where the profile does not say.
    pub vlan_filtering: Option<bool>,
    /// Default PVID of a bridge's ports; `None` where the profile does not say.
    pub default_pvid: Option<u16>,
    /// VLANs of this interface (of the bridge's own entry, for a bridge).
    pub vlans: Vec<ProfileVlan>,
    /// Addresses, `10.0.0.2/24`.
    pub addresses: Vec<String>,
    /// Name servers of the profile.
    pub dns: Vec<String>,
    /// UUID of a NetworkManager connection; other profiles name it as their controller.
    pub uuid: Option<String>,
    /// MAC address that it matches, lower case, where it names no interface.
    pub mac: Option<String>,
    /// Name patterns that it matches (networkd's `[Match] Name=`), where they are no plain name.
    pub matches: Vec<String>,
    /// Which of several profiles for one interface wins: the highest.
    pub priority: i32,
    /// Whether the file lies under `/run` and so is gone at the next boot.
    pub volatile: bool,
    /// Whether the program that owns it is started at boot; `None` where that is not known.
    pub active: Option<bool>,
    /// Why its program passes it over (NetworkManager: a file that others may read).
    pub ignored: Option<String>,
    /// A script that sets VLANs in a way that only running it would tell (loops, variables).
    pub dynamic: bool,
}

/// A VLAN, or a range of them, in a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileVlan {
    /// First VLAN.
    pub first: u16,
    /// Last VLAN, the same as the first for a single one.
    pub last: u16,
    /// Whether it is the PVID.
    pub pvid: bool,
    /// Whether it leaves untagged.
    pub untagged: bool,
    /// Line in the file.
    pub line: u32,
    /// The file, where it is not the profile's own (a drop-in).
    pub file: Option<String>,
    /// Whether it is taken away, not added.
    pub removed: bool,
}

impl ProfileVlan {
    /// A VLAN or range without flags.
    pub fn tagged((first, last): (u16, u16), line: u32) -> Self {
        Self {
            first,
            last,
            line,
            ..Self::default()
        }
    }
}

impl Profile {
    /// Whether it takes part in the next boot, as far as its own text and place tell.
    pub fn counts(&self) -> bool {
        self.autoconnect && !self.volatile && self.ignored.is_none() && self.active != Some(false)
    }

    /// Whether it is only drop-ins, for a file that netplan generates at each boot: its file is
    /// then their directory, `10-netplan-br0.netdev.d`.
    pub fn is_drop_ins(&self) -> bool {
        self.kind == ProfileKind::Networkd && self.file.ends_with(".d")
    }

    /// Whether it makes a device for networkd, as systemd.netdev(5) has it, or is drop-ins to that.
    pub fn is_netdev(&self) -> bool {
        let file = self.file.strip_suffix(".d").unwrap_or(&self.file);
        self.kind == ProfileKind::Networkd && file.ends_with(".netdev")
    }
}
