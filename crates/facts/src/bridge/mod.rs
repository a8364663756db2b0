//! Bridges, ports and VLANs as the kernel has them, see bridge(8) and rtnetlink(7).

pub mod device;
pub mod link;
pub mod vid;
pub mod vlan_show;

pub use device::{Device, devices};
pub use link::{Link, LinkKind, assemble};
pub use vid::{Entries, VlanEntry};
pub use vlan_show::parse_vlan_show;

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
    /// Operational state of the bridge device.
    pub state: Option<String>,
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
    /// Kind of link as the kernel names it (`tun`, `veth`, `bond`, `vlan`, …), `physical` for a
    /// device without one; `None` where the kernel did not say.
    pub link: Option<String>,
    /// Whether it is isolated: no frames pass between two isolated ports (bridge(8)).
    pub isolated: bool,
    /// Whether frames may leave by the port on which they came in (bridge(8), `hairpin`).
    pub hairpin: bool,
    /// Spanning-tree state: `forwarding`, `blocking`, `learning`, `listening`, `disabled`; `None`
    /// where the kernel did not say.
    pub stp_state: Option<String>,
}

impl Bridge {
    /// The bridge's own entry: the VLANs that the host itself speaks on it.
    pub fn own(&self) -> Option<&Port> {
        self.ports.iter().find(|p| p.role == Role::Own)
    }

    /// A port by its device name; the bridge's own entry has the bridge's name.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|p| p.name == name)
    }

    /// The ways out of the host.
    pub fn uplinks(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|p| p.role == Role::Uplink)
    }

    /// Sorts the ports: the bridge's own entry first, then uplinks, guests and the rest, each by
    /// name with its number (`vnet2` before `vnet10`).
    pub fn sort(&mut self) {
        let rank = |role: Role| match role {
            Role::Own => 0,
            Role::Uplink => 1,
            Role::Guest => 2,
            Role::Other => 3,
        };
        self.ports
            .sort_by_cached_key(|p| (rank(p.role), natural(&p.name), p.name.clone()));
    }
}

impl Port {
    /// Whether frames of this VLAN pass the port in either form.
    pub fn carries(&self, vid: u16) -> bool {
        self.untagged.contains(&vid) || self.tagged.contains(&vid)
    }
}

/// A device name as its text and its trailing number, for sorting.
fn natural(name: &str) -> (String, u64) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (text.to_owned(), name[text.len()..].parse().unwrap_or(0))
}
