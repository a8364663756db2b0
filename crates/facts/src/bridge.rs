//! Bridges, ports and VLANs as the kernel has them, see bridge(8) and rtnetlink(7).

use serde::{Deserialize, Serialize};

/// One Linux bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bridge {
    /// Device name.
    pub name: String,
    /// Whether it filters by VLAN; `None` where the kernel did not say.
    pub vlan_filtering: Option<bool>,
    /// PVID that a new port gets; 0 is none.
    pub default_pvid: Option<u16>,
    /// Whether the spanning tree protocol runs on it.
    pub stp: Option<bool>,
    /// Ports, the bridge's own entry (role `self`) first.
    pub ports: Vec<Port>,
}

/// What a port of a bridge is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Physical interface, bond, team, or a VLAN or macvlan of one: the way out.
    Uplink,
    /// A guest's tap (`vnetN`), or a veth of a container.
    Guest,
    /// The bridge's own entry: what the host itself speaks.
    #[serde(rename = "self")]
    Own,
    /// Anything else (veth, dummy, tunnel).
    #[default]
    Other,
}

/// One port and its VLANs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Port {
    /// Device name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// VLAN given to frames that come in untagged; `None` is none (they are dropped).
    pub pvid: Option<u16>,
    /// VLANs that leave untagged.
    pub untagged: Vec<u16>,
    /// VLANs that leave tagged.
    pub tagged: Vec<u16>,
    /// Guest that the port belongs to, where the live status XML tells.
    pub guest: Option<String>,
    /// Operational state: `up`, `down`, `lower-layer-down`, …
    pub state: Option<String>,
}
