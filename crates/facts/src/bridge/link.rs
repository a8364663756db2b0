//! From the kernel's list of links to bridges with ports and roles.
//!
//! The links are plain data, however they were read, so that all of this is tested without a
//! kernel.

use super::{Bridge, Entries, Port, Role, VlanEntry};
use std::collections::BTreeMap;

/// What kind of device a link is, as far as its role on a bridge depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// No kind of its own and a real parent (PCI, USB, virtio, …).
    Physical,
    /// No kind, no parent: `lo` and the like.
    #[default]
    Plain,
    /// A bridge and its settings.
    Bridge {
        /// Whether it filters by VLAN.
        vlan_filtering: Option<bool>,
        /// PVID of new ports; the kernel says 0 for none.
        default_pvid: Option<u16>,
        /// Whether STP runs.
        stp: Option<bool>,
    },
    /// Any other, by the kernel's name: `bond`, `team`, `vlan`, `macvlan`, `tun`, `veth`, …
    Kind(String),
}

impl LinkKind {
    /// As snapshots name it: the kernel's word, `physical` or `plain` for devices without one.
    pub fn name(&self) -> &str {
        match self {
            Self::Physical => "physical",
            Self::Plain => "plain",
            Self::Bridge { .. } => "bridge",
            Self::Kind(kind) => kind,
        }
    }
}

/// One network device of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: LinkKind,
    /// Index of the bridge, bond or team it belongs to.
    pub controller: Option<u32>,
    /// Index of the device it rests on (VLAN, macvlan), where that is in this namespace.
    pub lower: Option<u32>,
    /// Whether it stands for a virtual function of a NIC (`pf0vf3`): a guest's side, not a way out.
    pub representor: bool,
    /// Operational state: `up`, `down`, `lower-layer-down`, …
    pub state: Option<String>,
    /// Whether the administrator has it up (`ip link set … up`); `None` where not told.
    pub admin_up: Option<bool>,
    /// VLANs on the bridge; `None` where the kernel told none (a kernel without VLAN filtering).
    pub vlans: Option<Vec<VlanEntry>>,
    /// VLAN number of a device of kind `vlan`.
    pub vlan: Option<u16>,
    /// Tag protocol of a device of kind `vlan`, or of a bridge: `802.1Q` or `802.1ad`.
    pub protocol: Option<String>,
    /// Mode of a bond or a macvlan, as ip-link(8) names it.
    pub mode: Option<String>,
    /// Index of a bond's active member.
    pub active: Option<u32>,
    /// Whether it takes frames for any station, by somebody's wish or by a device on top of it.
    pub promiscuous: bool,
    /// Whether it is an isolated port of a bridge.
    pub isolated: bool,
    /// Whether a bridge may send a frame back by this port.
    pub hairpin: bool,
    /// Spanning-tree state on its bridge.
    pub stp_state: Option<String>,
    /// Addresses, `10.0.0.2/24`.
    pub addresses: Vec<String>,
}

/// Longest chain of devices resting on one another that is followed.
const DEEPEST: u32 = 8;

/// Builds the bridges out of the links, sorted by name.
pub fn assemble(links: &[Link]) -> Vec<Bridge> {
    let by_index: BTreeMap<u32, &Link> = links.iter().map(|l| (l.index, l)).collect();
    let mut members: BTreeMap<u32, Vec<&Link>> = BTreeMap::new();
    for link in links {
        if let Some(controller) = link.controller {
            members.entry(controller).or_default().push(link);
        }
    }
    let mut bridges: Vec<Bridge> = links
        .iter()
        .filter_map(|link| {
            let LinkKind::Bridge {
                vlan_filtering,
                default_pvid,
                stp,
            } = link.kind
            else {
                return None;
            };
            let mut bridge = Bridge {
                name: link.name.clone(),
                vlan_filtering,
                default_pvid,
                stp,
                state: link.state.clone(),
                ports: vec![port(link, Role::Own)],
            };
            for member in members.get(&link.index).into_iter().flatten() {
                bridge
                    .ports
                    .push(port(member, role(member, &by_index, &members, DEEPEST)));
            }
            bridge.sort();
            Some(bridge)
        })
        .collect();
    bridges.sort_by(|a, b| a.name.cmp(&b.name));
    bridges
}

fn port(link: &Link, role: Role) -> Port {
    let entries = Entries::flat(link.vlans.as_deref().unwrap_or_default());
    Port {
        name: link.name.clone(),
        role,
        pvid: entries.pvid,
        untagged: entries.untagged,
        tagged: entries.tagged,
        guest: None,
        state: link.state.clone(),
        link: Some(link.kind.name().to_owned()),
        isolated: link.isolated,
        hairpin: link.hairpin,
        stp_state: link.stp_state.clone(),
    }
}

/// What a port is for. A VLAN or macvlan is what the device below it is; a bridge below (with a
/// VLAN of it as a port elsewhere) counts as what its own ports are.
fn role(
    link: &Link,
    by_index: &BTreeMap<u32, &Link>,
    members: &BTreeMap<u32, Vec<&Link>>,
    depth: u32,
) -> Role {
    match &link.kind {
        LinkKind::Physical if link.representor => Role::Other,
        LinkKind::Physical => Role::Uplink,
        LinkKind::Plain => Role::Other,
        LinkKind::Bridge { .. } => {
            let leads_out = depth > 0
                && members
                    .get(&link.index)
                    .into_iter()
                    .flatten()
                    .any(|m| role(m, by_index, members, depth - 1) == Role::Uplink);
            if leads_out { Role::Uplink } else { Role::Other }
        }
        LinkKind::Kind(kind) => match kind.as_str() {
            "bond" | "team" => Role::Uplink,
            "vlan" | "macvlan" | "macvtap" | "ipvlan" => link
                .lower
                .filter(|_| depth > 0)
                .and_then(|lower| by_index.get(&lower))
                .map_or(Role::Other, |below| {
                    role(below, by_index, members, depth - 1)
                }),
            _ if is_guest_name(&link.name, kind) => Role::Guest,
            _ => Role::Other,
        },
    }
}

/// Whether a device is a guest's by its name: libvirt's `vnetN`, OpenStack's and Proxmox's taps,
/// Proxmox's firewall pairs (`fwpr100p0`) and containers (`veth100i0`).
fn is_guest_name(name: &str, kind: &str) -> bool {
    let number = |text: &str, between: char| {
        text.split_once(between).is_some_and(|(a, b)| {
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            digits(a) && digits(b)
        })
    };
    if let Some(rest) = name.strip_prefix("fwpr") {
        return number(rest, 'p');
    }
    if let Some(rest) = name.strip_prefix("veth") {
        return kind == "veth" && number(rest, 'i');
    }
    kind == "tun" && (name.starts_with("vnet") || name.starts_with("tap"))
}

/// Tells each port its guest: `owners` are pairs of host side device and guest, from the live
/// status XML. Such a port is a guest's whatever its name or kind, but never the bridge's own.
pub fn name_guests<'a>(
    bridges: &mut [Bridge],
    owners: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let owners: BTreeMap<&str, &str> = owners.into_iter().collect();
    for bridge in bridges {
        for port in &mut bridge.ports {
            if port.role != Role::Own
                && let Some(guest) = owners.get(port.name.as_str())
            {
                port.role = Role::Guest;
                port.guest = Some((*guest).to_owned());
            }
        }
        bridge.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, kind: LinkKind, controller: Option<u32>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            kind,
            controller,
            ..Link::default()
        }
    }

    fn bridge() -> LinkKind {
        LinkKind::Bridge {
            vlan_filtering: Some(true),
            default_pvid: Some(1),
            stp: Some(false),
        }
    }

    fn kind(name: &str) -> LinkKind {
        LinkKind::Kind(name.to_owned())
    }

    #[test]
    fn roles_follow_the_device_below() {
        let mut vlan_of_bond = link(5, "bond0.100", kind("vlan"), Some(1));
        vlan_of_bond.lower = Some(4);
        let mut vlan_of_veth = link(6, "eth9.100", kind("vlan"), Some(1));
        vlan_of_veth.lower = Some(7);
        let mut loops = link(8, "odd", kind("vlan"), Some(1));
        loops.lower = Some(8);
        let mut representor = link(9, "eth4", LinkKind::Physical, Some(1));
        representor.representor = true;
        let links = [
            link(1, "br0", bridge(), None),
            link(2, "eno1", LinkKind::Physical, Some(1)),
            link(3, "vnet10", kind("tun"), Some(1)),
            link(13, "vnet2", kind("tun"), Some(1)),
            link(4, "bond0", kind("bond"), None),
            vlan_of_bond,
            vlan_of_veth,
            link(7, "eth9", kind("veth"), None),
            loops,
            representor,
            link(10, "fwpr100p0", kind("veth"), Some(1)),
            link(11, "vethab12", kind("veth"), Some(1)),
            link(12, "tun0", kind("tun"), Some(1)),
        ];
        let bridges = assemble(&links);
        let roles: Vec<(&str, Role)> = bridges[0]
            .ports
            .iter()
            .map(|p| (p.name.as_str(), p.role))
            .collect();
        assert_eq!(
            roles,
            [
                ("br0", Role::Own),
                ("bond0.100", Role::Uplink),
                ("eno1", Role::Uplink),
                ("fwpr100p0", Role::Guest),
                ("vnet2", Role::Guest),
                ("vnet10", Role::Guest),
                ("eth4", Role::Other),
                ("eth9.100", Role::Other),
                ("odd", Role::Other),
                ("tun0", Role::Other),
                ("vethab12", Role::Other),
            ]
        );
    }

    #[test]
    fn a_vlan_of_another_bridge_leads_out_where_that_does() {
        let mut upper = link(3, "br0.7", kind("vlan"), Some(4));
        upper.lower = Some(1);
        let links = [
            link(1, "br0", bridge(), None),
            link(2, "eno1", LinkKind::Physical, Some(1)),
            upper,
            link(4, "br7", bridge(), None),
        ];
        let bridges = assemble(&links);
        assert_eq!(bridges[1].name, "br7");
        assert_eq!(bridges[1].uplinks().count(), 1);
    }

    #[test]
    fn the_status_xml_names_the_guest() {
        let links = [
            link(1, "br0", bridge(), None),
            link(2, "web-eth0", kind("tun"), Some(1)),
        ];
        let mut bridges = assemble(&links);
        assert_eq!(bridges[0].ports[1].role, Role::Other);
        name_guests(&mut bridges, [("web-eth0", "web"), ("br0", "nobody")]);
        assert_eq!(bridges[0].ports[1].guest.as_deref(), Some("web"));
        assert_eq!(bridges[0].ports[1].role, Role::Guest);
        assert_eq!(bridges[0].ports[0].guest, None);
    }
}
