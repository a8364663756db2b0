//! libvirt networks, see libvirt's formatnetwork.

use serde::{Deserialize, Serialize};

/// One libvirt network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Name.
    pub name: String,
    /// `<forward mode=…>`: `nat`, `route`, `bridge`, …; `None` is isolated.
    pub forward: Option<String>,
    /// Bridge device.
    pub bridge: Option<String>,
    /// Whether it autostarts.
    pub autostart: Option<bool>,
    /// VLAN tags of the network itself.
    pub vlans: Vec<u16>,
    /// Port groups, name and VLAN tags.
    pub portgroups: Vec<PortGroup>,
    /// The file of the definition.
    pub file: String,
}

/// A port group of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortGroup {
    /// Name.
    pub name: String,
    /// Whether interfaces without a port group get this one.
    pub default: bool,
    /// VLAN tags.
    pub vlans: Vec<u16>,
}
