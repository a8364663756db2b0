//! The devices of one host that frames pass, joined: what stands on what, what is a port of what.

use facts::Snapshot;
use facts::bridge::{Bridge, Device, Port, Role};
use std::collections::BTreeMap;

/// A device in a [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub(crate) usize);

/// What a device does with frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The border: a real interface, a guest's tap, the near end of a veth pair whose other end is
    /// elsewhere. Frames leave and enter here.
    Edge,
    /// A bridge: the device is its own entry.
    Bridge,
    /// A VLAN on another device.
    Vlan {
        /// The device below.
        lower: Node,
        /// Its VLAN.
        vid: u16,
    },
    /// A bond or team.
    Bond {
        /// The member that sends, and in active-backup mode the only one that hears.
        active: Option<Node>,
        /// Whether the others are deaf to broadcasts.
        one_hears: bool,
    },
    /// A macvlan or macvtap.
    Macvlan {
        /// The device below.
        lower: Node,
        /// Whether macvlans of one device hear each other.
        bridged: bool,
        /// Whether a guest sits on it (macvtap) and not the host.
        guest: bool,
    },
    /// One end of a veth pair whose other end is here too.
    Veth {
        /// The other end.
        peer: Node,
    },
}

/// One device.
#[derive(Clone, Debug)]
pub struct Item {
    /// Name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Bridge or bond that it is a port of.
    pub controller: Option<Node>,
    /// Its VLANs as a port of a bridge; those of the own entry for a bridge.
    pub port: Port,
    /// Whether the link is certainly down.
    pub down: bool,
    /// For a bridge: whether it filters.
    pub filtering: bool,
    /// For a bridge: whether it takes frames for any station.
    pub promiscuous: bool,
    /// For a bridge: its ports. For a bond: its members.
    pub ports: Vec<Node>,
    /// VLAN devices that stand on it.
    pub vlans: BTreeMap<u16, Node>,
    /// Macvlans that stand on it.
    pub macvlans: Vec<Node>,
    /// The host's own addresses.
    pub addresses: Vec<String>,
}

/// All devices of one host that frames pass.
#[derive(Clone, Debug, Default)]
pub struct Net {
    items: Vec<Item>,
    by_name: BTreeMap<String, Node>,
    /// What of it is not foretold, and why: `(device, reason)`.
    pub doubts: Vec<(String, String)>,
}

impl Net {
    /// The devices of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::new(&snapshot.bridges, &snapshot.devices)
    }

    /// The devices of these lists. Ports that are not among the devices are edges.
    pub fn new(bridges: &[Bridge], devices: &[Device]) -> Self {
        let mut net = Self::default();
        for device in devices {
            net.add(&device.name);
        }
        for bridge in bridges {
            let own = net.add(&bridge.name);
            net.items[own.0].kind = Kind::Bridge;
            for port in &bridge.ports {
                if port.role != Role::Own {
                    net.add(&port.name);
                }
            }
        }
        for device in devices {
            net.describe(device);
        }
        for bridge in bridges {
            net.bridge(bridge);
        }
        net.finish();
        net
    }

    fn add(&mut self, name: &str) -> Node {
        if let Some(node) = self.by_name.get(name) {
            return *node;
        }
        let node = Node(self.items.len());
        self.items.push(Item {
            name: name.to_owned(),
            kind: Kind::Edge,
            controller: None,
            port: Port::default(),
            down: false,
            filtering: false,
            promiscuous: false,
            ports: Vec::new(),
            vlans: BTreeMap::new(),
            macvlans: Vec::new(),
            addresses: Vec::new(),
        });
        self.by_name.insert(name.to_owned(), node);
        node
    }

    /// What the device is, apart from bridges.
    fn describe(&mut self, device: &Device) {
        let Some(node) = self.node(&device.name) else {
            return;
        };
        let lower = device.lower.as_deref().and_then(|name| self.node(name));
        let kind = match (device.kind.as_str(), lower) {
            ("vlan", Some(lower)) => {
                let tag = device.protocol.as_deref().unwrap_or("802.1Q");
                match device.vlan {
                    Some(vid) if tag == "802.1Q" => Kind::Vlan { lower, vid },
                    _ => {
                        let reason = format!("a VLAN device with {tag} tags is not followed");
                        self.doubts.push((device.name.clone(), reason));
                        Kind::Edge
                    }
                }
            }
            ("macvlan" | "macvtap", Some(lower)) => Kind::Macvlan {
                lower,
                bridged: device.mode.as_deref() == Some("bridge"),
                guest: device.kind == "macvtap",
            },
            ("veth", Some(peer)) => Kind::Veth { peer },
            ("bond" | "team", _) => Kind::Bond {
                active: device.active.as_deref().and_then(|name| self.node(name)),
                one_hears: matches!(
                    device.mode.as_deref(),
                    Some("active-backup" | "balance-tlb" | "balance-alb")
                ),
            },
            _ => self.items[node.0].kind.clone(),
        };
        let controller = device.controller.as_deref().and_then(|n| self.node(n));
        let item = &mut self.items[node.0];
        item.kind = kind;
        item.controller = controller;
        // A bridge that is up hands frames on, whatever its carrier says.
        item.down = !device.up || device.kind != "bridge" && is_down(device.state.as_deref());
        item.promiscuous = device.promiscuous;
        item.addresses.clone_from(&device.addresses);
        let protocol = device.protocol.as_deref();
        if device.kind == "bridge" && protocol.is_some_and(|p| p != "802.1Q") {
            let reason = "a bridge that filters by 802.1ad tags is not followed";
            self.doubts.push((device.name.clone(), reason.to_owned()));
        }
    }

    fn bridge(&mut self, bridge: &Bridge) {
        let Some(own) = self.node(&bridge.name) else {
            return;
        };
        self.items[own.0].filtering = bridge.vlan_filtering == Some(true);
        for port in &bridge.ports {
            let Some(node) = self.node(&port.name) else {
                continue;
            };
            let item = &mut self.items[node.0];
            item.port = port.clone();
            if port.role != Role::Own {
                item.controller = Some(own);
                item.down |= is_down(port.state.as_deref());
            }
        }
    }

    /// Links the other way: from a device to what stands on it.
    fn finish(&mut self) {
        for at in 0..self.items.len() {
            let node = Node(at);
            let (kind, controller) = (self.items[at].kind.clone(), self.items[at].controller);
            if let Some(controller) = controller {
                self.items[controller.0].ports.push(node);
            }
            match kind {
                Kind::Vlan { lower, vid } => {
                    self.items[lower.0].vlans.insert(vid, node);
                }
                Kind::Macvlan { lower, .. } => self.items[lower.0].macvlans.push(node),
                _ => {}
            }
        }
        // A bond that names no active member sends over one that is up.
        for at in 0..self.items.len() {
            if let Kind::Bond { active, one_hears } = self.items[at].kind {
                let up = |n: &&Node| !self.items[n.0].down;
                let active = active.or_else(|| self.items[at].ports.iter().find(up).copied());
                self.items[at].kind = Kind::Bond { active, one_hears };
            }
        }
    }

    /// A device by its name.
    pub fn node(&self, name: &str) -> Option<Node> {
        self.by_name.get(name).copied()
    }

    /// What a device is.
    pub fn item(&self, node: Node) -> &Item {
        &self.items[node.0]
    }

    /// Every device.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<> {
        (0..self.items.len()).map(Node)
    }

    /// The VLANs of a bridge's port (or own entry), to try a change.
    pub fn port_mut(&mut self, node: Node) -> &mut Port {
        &mut self.items[node.0].port
    }

    /// Switches a bridge's filtering, to try a change.
    pub fn set_filtering(&mut self, bridge: Node, on: bool) {
        self.items[bridge.0].filtering = on;
    }
}

/// Whether a link is certainly not up. `unknown` is what drivers without carrier detection say.
pub fn is_down(state: Option<&str>) -> bool {
    matches!(
        state,
        Some(
            "down"
                | "lower-layer-down"
                | "lowerlayerdown"
                | "not-present"
                | "notpresent"
                | "dormant"
        )
    )
}
