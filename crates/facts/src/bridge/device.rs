//! Network devices around the bridges: what frames pass on their way between a bridge, the wire
//! and the host's own stack (bonds, VLAN devices, macvtaps, veth pairs), and the host's addresses.

use super::link::{Link, LinkKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One network device of the running kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Name.
    pub name: String,
    /// Kind as the kernel names it (`bridge`, `vlan`, `bond`, `macvtap`, `veth`, …), `physical` for
    /// a real one.
    pub kind: String,
    /// Device that it rests on (VLAN, macvlan); the other end of a veth pair. `None` where there
    /// is none in this network namespace.
    pub lower: Option<String>,
    /// Bridge, bond or team that it belongs to.
    pub controller: Option<String>,
    /// VLAN number of a VLAN device.
    pub vlan: Option<u16>,
    /// Tag protocol of a VLAN device or a bridge: `802.1Q` or `802.1ad`.
    pub protocol: Option<String>,
    /// Mode of a bond (`active-backup`, `802.3ad`, …) or of a macvlan (`bridge`, `vepa`, …).
    pub mode: Option<String>,
    /// A bond's active member.
    pub active: Option<String>,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it takes frames for any station. A bridge in that state hands the host frames of
    /// every VLAN, whatever its own entry says. It comes about by itself where a VLAN device on the
    /// bridge has another MAC address than the bridge.
    pub promiscuous: bool,
    /// Operational state, as for a bridge's port.
    pub state: Option<String>,
    /// The host's own addresses on it, `10.0.0.2/24`; link-local ones are left out.
    pub addresses: Vec<String>,
}

/// The devices that matter for the way of frames, sorted by name. Left out are guests' taps and
/// other ports that are nothing but a port (the bridge lists them), and loopback.
pub fn devices(links: &[Link]) -> Vec<Device> {
    let names: BTreeMap<u32, &str> = links.iter().map(|l| (l.index, l.name.as_str())).collect();
    let named = |index: Option<u32>| names.get(&index?).map(|name| (*name).to_owned());
    let mut devices: Vec<Device> = links
        .iter()
        .filter(|link| matters(link))
        .map(|link| Device {
            name: link.name.clone(),
            kind: link.kind.name().to_owned(),
            lower: named(link.lower),
            controller: named(link.controller),
            vlan: link.vlan,
            protocol: link.protocol.clone(),
            mode: link.mode.clone(),
            active: named(link.active),
            up: link.admin_up.unwrap_or(true),
            promiscuous: link.promiscuous,
            state: link.state.clone(),
            addresses: link.addresses.clone(),
        })
        .collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    devices
}

fn matters(link: &Link) -> bool {
    match &link.kind {
        LinkKind::Physical | LinkKind::Bridge { .. } => true,
        LinkKind::Plain => link.name != "lo" && !link.addresses.is_empty(),
        LinkKind::Kind(kind) => kind != "tun" || !link.addresses.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_name_each_other_and_bare_taps_are_left_to_their_bridge() {
        let link = |index, name: &str, kind: &str| Link {
            index,
            name: name.to_owned(),
            kind: LinkKind::Kind(kind.to_owned()),
            ..Link::default()
        };
        let mut vlan = link(3, "bond0.100", "vlan");
        (vlan.lower, vlan.vlan) = (Some(2), Some(100));
        vlan.addresses = vec!["10.0.0.2/24".to_owned()];
        let mut bond = link(2, "bond0", "bond");
        (bond.active, bond.controller) = (Some(1), Some(9));
        let mut card = link(1, "eno1", "x");
        card.kind = LinkKind::Physical;
        card.controller = Some(2);
        let plain = Link {
            index: 8,
            name: "lo".to_owned(),
            addresses: vec!["127.0.0.1/8".to_owned()],
            ..Link::default()
        };
        let found = devices(&[vlan, bond, card, link(5, "vnet0", "tun"), plain]);
        let names: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["bond0", "bond0.100", "eno1"]);
        assert_eq!(found[0].active.as_deref(), Some("eno1"));
        assert_eq!(found[0].controller, None, "index 9 is not here");
        assert_eq!(found[1].lower.as_deref(), Some("bond0"));
        assert_eq!(found[2].controller.as_deref(), Some("bond0"));
    }
}
