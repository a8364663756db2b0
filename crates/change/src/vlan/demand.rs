//! What a guest's ports should carry, from its live XML and the VLAN map: pure.

use super::{PortState, Target};
use facts::domain::{Guest, Interface};
use model::vlan::{PortOf, VlanMap};

/// What is asked of the ports of one guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Ports that have a plan.
    pub targets: Vec<Target>,
    /// Ports whose bridge nobody said anything of: they stay as they are.
    pub unplanned: Vec<String>,
    /// What keeps a plan from being made, in words, by port (or by interface where it has none).
    pub broken: Vec<(String, String)>,
}

/// Ports of a guest that runs or is about to: its interfaces that have a device on the host which is
/// a port of a Linux bridge. The bridge is the one that the kernel says.
///
/// An interface that should be on a bridge and whose device is no port of any is broken. Others
/// (macvtap, user networking, Open vSwitch, passed-through cards) are none of our business.
pub fn of_guest(map: &VlanMap, host: &str, guest: &Guest, states: &[PortState]) -> Demand {
    let mut demand = Demand::default();
    for interface in guest.interfaces.iter().filter(|i| may_be_ours(i)) {
        let Some(name) = interface.target.as_deref() else {
            continue;
        };
        let Some(state) = states.iter().find(|s| s.name == name && !s.is_own()) else {
            if interface.kind == "bridge" {
                let bridge = interface.source.as_deref().unwrap_or("its bridge");
                let reason = format!("it is no port of {bridge}");
                demand.broken.push((name.to_owned(), reason));
            }
            continue;
        };
        demand.add(map, name, &port_of(host, &state.bridge, guest, interface));
    }
    demand
}

/// The same before there are devices, by what the XML says of bridges: whether a plan can be made.
pub fn foreseen(map: &VlanMap, host: &str, guest: &Guest) -> Demand {
    let mut demand = Demand::default();
    for interface in guest.interfaces.iter().filter(|i| may_be_ours(i)) {
        let named = interface.bridge.as_deref();
        let source = || {
            interface
                .source
                .as_deref()
                .filter(|_| interface.kind == "bridge")
        };
        let Some(bridge) = named.or_else(source) else {
            continue;
        };
        let name = interface.mac.as_deref().unwrap_or(bridge);
        demand.add(map, name, &port_of(host, bridge, guest, interface));
    }
    demand
}

impl Demand {
    fn add(&mut self, map: &VlanMap, name: &str, port: &PortOf<'_>) {
        match map.wanted(port) {
            Ok(Some(wanted)) => self.targets.push(Target {
                port: name.to_owned(),
                wanted,
            }),
            Ok(None) => self.unplanned.push(name.to_owned()),
            Err(reason) => {
                let reason = format!("the domain's metadata: {reason}");
                self.broken.push((name.to_owned(), reason));
            }
        }
    }
}

fn may_be_ours(interface: &Interface) -> bool {
    matches!(interface.kind.as_str(), "bridge" | "network" | "ethernet")
        && interface.virtualport.as_deref() != Some("openvswitch")
}

fn port_of<'a>(
    host: &'a str,
    bridge: &'a str,
    guest: &'a Guest,
    interface: &'a Interface,
) -> PortOf<'a> {
    PortOf {
        host,
        bridge,
        guest: Some(&guest.name),
        interface: Some(interface),
        metadata: guest.metadata_vlans.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "[bridges.br-mgmt]\npvid = 100\ntagged = [10]\n[guests.b]\npvid = 30\n";

    fn guest(kind: &str, target: &str) -> Guest {
        Guest {
            name: "a".to_owned(),
            interfaces: vec![Interface {
                kind: kind.to_owned(),
                source: Some("br-mgmt".to_owned()),
                target: Some(target.to_owned()),
                mac: Some("52:54:00:00:00:01".to_owned()),
                ..Interface::default()
            }],
            ..Guest::default()
        }
    }

    fn state(name: &str, bridge: &str) -> PortState {
        PortState {
            name: name.to_owned(),
            bridge: bridge.to_owned(),
            ..PortState::default()
        }
    }

    #[test]
    fn the_kernel_says_which_bridge() {
        let map = VlanMap::parse(MAP).unwrap();
        let states = [
            state("br-mgmt", "br-mgmt"),
            state("vnet0", "br-mgmt"),
            state("vnet1", "virbr0"),
        ];
        let of = |guest: &Guest| of_guest(&map, "h", guest, &states);
        let demand = of(&guest("bridge", "vnet0"));
        assert_eq!(demand.targets[0].wanted.pvid, Some(100));
        let mut b = guest("network", "vnet0");
        b.name = "b".to_owned();
        assert_eq!(of(&b).targets[0].wanted.pvid, Some(30));
        assert_eq!(of(&guest("bridge", "vnet1")).unplanned, ["vnet1"]);
        // A name that is the bridge's own is no port of a guest.
        for (kind, target, broken) in [
            ("bridge", "vnet9", 1),
            ("bridge", "br-mgmt", 1),
            ("network", "macvtap0", 0),
            ("direct", "vnet0", 0),
        ] {
            let demand = of(&guest(kind, target));
            assert!(demand.targets.is_empty(), "{kind} {demand:?}");
            assert_eq!(demand.broken.len(), broken, "{kind} {demand:?}");
        }
        let mut broken = guest("bridge", "vnet0");
        broken.metadata_vlans = Some("ten".to_owned());
        assert!(of(&broken).broken[0].1.contains("`ten` is no VLAN"));
        assert!(!foreseen(&map, "h", &broken).broken.is_empty());
        let demand = foreseen(&map, "h", &guest("bridge", "vnet0"));
        assert_eq!(demand.targets.len(), 1);
    }
}
