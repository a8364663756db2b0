//! VLAN state that can be changed step by step, and who can talk in it.

use crate::vlan::ends::End;
use crate::vlan::flow::{Flow, Start, What};
use crate::vlan::net::{Net, Node};
use crate::vlan::path::{World as PathWorld, follow};
use crate::vlan::switch::Far;
use crate::vlan::tags::Tags;
use facts::bridge::{Bridge, Port};
use facts::switch::SwitchPort;
use std::collections::{BTreeMap, BTreeSet};

/// VLANs of a port or own entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// PVID.
    pub pvid: Option<u16>,
    /// VLANs, and whether each leaves untagged.
    pub forms: BTreeMap<u16, bool>,
}

impl Entry {
    /// As the kernel has it.
    pub fn of(port: &Port) -> Self {
        let untagged = port.untagged.iter().map(|vid| (*vid, true));
        Self {
            pvid: port.pvid,
            forms: port
                .tagged
                .iter()
                .map(|vid| (*vid, false))
                .chain(untagged)
                .collect(),
        }
    }

    /// One VLAN untagged, the others tagged.
    pub fn planned(pvid: u16, tagged: &[u16]) -> Self {
        let mut forms: BTreeMap<u16, bool> = tagged.iter().map(|vid| (*vid, false)).collect();
        forms.insert(pvid, true);
        Self {
            pvid: Some(pvid),
            forms,
        }
    }

    /// VLANs that leave untagged, or tagged.
    pub fn list(&self, untagged: bool) -> Vec<u16> {
        let of_form = self.forms.iter().filter(|(_, form)| **form == untagged);
        of_form.map(|(vid, _)| *vid).collect()
    }

    fn write(&self, port: &mut Port) {
        port.pvid = self.pvid;
        port.untagged = self.list(true);
        port.tagged = self.list(false);
    }
}

/// Everything that a plan may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Entries by device; the bridge's own under its name.
    pub entries: BTreeMap<String, Entry>,
    /// PVID of new ports, where known.
    pub default_pvid: Option<u16>,
    /// Native VLAN of the switch's port behind each wire that is known.
    pub natives: BTreeMap<String, Option<u16>>,
    /// VLANs that it allows, where it does not allow all.
    pub allowed: BTreeMap<String, Option<BTreeSet<u16>>>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A VLAN of an entry: there tagged, there untagged, or away.
    Form {
        /// Device.
        device: String,
        /// VLAN.
        vid: u16,
        /// Whether untagged; `None` takes it away.
        to: Option<bool>,
    },
    /// The PVID of an entry. The VLAN comes in this form where it is not there yet.
    Pvid {
        /// Device.
        device: String,
        /// PVID.
        to: u16,
        /// Whether untagged, where the VLAN is new on the entry.
        untagged: bool,
    },
    /// No PVID any more.
    NoPvid {
        /// Device.
        device: String,
        /// The VLAN that it was.
        was: u16,
    },
    /// PVID of new ports.
    DefaultPvid(u16),
    /// The native VLAN of the switch's port.
    Native {
        /// Wire.
        wire: String,
        /// Switch and port.
        port: String,
        /// VLAN.
        to: u16,
    },
    /// One more VLAN on the switch's trunk.
    Allow {
        /// Wire.
        wire: String,
        /// Switch and port.
        port: String,
        /// VLAN.
        vid: u16,
    },
    /// One VLAN less on the switch's trunk; only as an undo.
    Forbid {
        /// Wire.
        wire: String,
        /// Switch and port.
        port: String,
        /// VLAN.
        vid: u16,
    },
}

impl Act {
    /// Device, or switch and port.
    pub fn device(&self) -> &str {
        match self {
            Self::Form { device, .. } | Self::Pvid { device, .. } | Self::NoPvid { device, .. } => {
                device
            }
            Self::DefaultPvid(_) => "",
            Self::Native { port, .. } | Self::Allow { port, .. } | Self::Forbid { port, .. } => {
                port
            }
        }
    }

    /// Whether an entry of the bridge is changed.
    pub fn is_entry(&self) -> bool {
        matches!(
            self,
            Self::Form { .. } | Self::Pvid { .. } | Self::NoPvid { .. }
        )
    }

    /// Whether a person does it on the switch.
    pub fn is_switch(&self) -> bool {
        matches!(
            self,
            Self::Native { .. } | Self::Allow { .. } | Self::Forbid { .. }
        )
    }

    /// The same on another device's entry.
    #[must_use]
    pub fn at(&self, other: &str) -> Self {
        let mut act = self.clone();
        if let Self::Form { device, .. } | Self::Pvid { device, .. } | Self::NoPvid { device, .. } =
            &mut act
        {
            other.clone_into(device);
        }
        act
    }

    /// Whether it can be done yet: a VLAN is a member before it is the PVID.
    pub fn is_ready(&self, state: &State) -> bool {
        match self {
            Self::Pvid { device, to, .. } => {
                let entry = state.entries.get(device);
                entry.is_some_and(|e| e.forms.contains_key(to))
            }
            _ => true,
        }
    }

    /// Makes the change.
    pub fn apply(&self, state: &mut State) {
        match self {
            Self::Form { device, vid, to } => {
                let entry = state.entries.entry(device.clone()).or_default();
                match to {
                    Some(untagged) => {
                        entry.forms.insert(*vid, *untagged);
                    }
                    None => {
                        entry.forms.remove(vid);
                        if entry.pvid == Some(*vid) {
                            entry.pvid = None;
                        }
                    }
                }
            }
            Self::Pvid {
                device,
                to,
                untagged,
            } => {
                let entry = state.entries.entry(device.clone()).or_default();
                entry.pvid = Some(*to);
                entry.forms.entry(*to).or_insert(*untagged);
            }
            Self::NoPvid { device, .. } => {
                state.entries.entry(device.clone()).or_default().pvid = None;
            }
            Self::DefaultPvid(pvid) => state.new_default(*pvid),
            Self::Native { wire, to, .. } => {
                state.natives.insert(wire.clone(), Some(*to));
            }
            Self::Allow { wire, vid, .. } => {
                if let Some(Some(allowed)) = state.allowed.get_mut(wire) {
                    allowed.insert(*vid);
                }
            }
            Self::Forbid { wire, vid, .. } => {
                if let Some(Some(allowed)) = state.allowed.get_mut(wire) {
                    allowed.remove(vid);
                }
            }
        }
    }

    /// What takes it back, in the state before it.
    pub fn undo(&self, before: &State) -> Self {
        match self {
            Self::Form { device, vid, to } => {
                let entry = before.entries.get(device);
                let form = entry.and_then(|e| e.forms.get(vid)).copied();
                if to.is_none() && entry.is_some_and(|e| e.pvid == Some(*vid)) {
                    return Self::Pvid {
                        device: device.clone(),
                        to: *vid,
                        untagged: form.unwrap_or(true),
                    };
                }
                Self::Form {
                    device: device.clone(),
                    vid: *vid,
                    to: form,
                }
            }
            Self::Pvid { device, to, .. } | Self::NoPvid { device, was: to } => {
                let entry = before.entries.get(device);
                match entry.and_then(|e| e.pvid) {
                    Some(pvid) => Self::Pvid {
                        device: device.clone(),
                        to: pvid,
                        untagged: entry
                            .and_then(|e| e.forms.get(&pvid))
                            .copied()
                            .unwrap_or(true),
                    },
                    None => Self::NoPvid {
                        device: device.clone(),
                        was: *to,
                    },
                }
            }
            Self::DefaultPvid(_) => Self::DefaultPvid(before.default_pvid.unwrap_or(1)),
            Self::Native { wire, port, .. } => Self::Native {
                wire: wire.clone(),
                port: port.clone(),
                to: before.natives.get(wire).copied().flatten().unwrap_or(1),
            },
            Self::Allow { wire, port, vid } => Self::Forbid {
                wire: wire.clone(),
                port: port.clone(),
                vid: *vid,
            },
            Self::Forbid { wire, port, vid } => Self::Allow {
                wire: wire.clone(),
                port: port.clone(),
                vid: *vid,
            },
        }
    }

    /// The command, as bridge(8), ip-link(8) or the switch take it, for the state after it.
    pub fn command(&self, after: &State, bridge: &str) -> String {
        let own = |device: &str| if device == bridge { " self" } else { "" };
        let add = |device: &str, vid: u16| {
            let entry = after.entries.get(device);
            let pvid = entry.is_some_and(|e| e.pvid == Some(vid));
            let untagged = entry
                .and_then(|e| e.forms.get(&vid))
                .copied()
                .unwrap_or(false);
            format!(
                "bridge vlan add dev {device} vid {vid}{}{}{}",
                if pvid { " pvid" } else { "" },
                if untagged { " untagged" } else { "" },
                own(device)
            )
        };
        match self {
            Self::Form {
                device,
                vid,
                to: Some(_),
            } => add(device, *vid),
            Self::Form {
                device,
                vid,
                to: None,
            } => format!("bridge vlan del dev {device} vid {vid}{}", own(device)),
            Self::Pvid { device, to, .. } => add(device, *to),
            Self::NoPvid { device, was } => add(device, *was),
            Self::DefaultPvid(pvid) => {
                format!("ip link set dev {bridge} type bridge vlan_default_pvid {pvid}")
            }
            Self::Native { to, .. } => format!("switchport trunk native vlan {to}"),
            Self::Allow { vid, .. } => format!("switchport trunk allowed vlan add {vid}"),
            Self::Forbid { vid, .. } => format!("switchport trunk allowed vlan remove {vid}"),
        }
    }
}

/// Somebody who can talk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// An end with a VLAN beyond the wire, both ways.
    Beyond {
        /// Number of the end.
        end: usize,
        /// How it sends.
        sends: Tags,
        /// VLAN in the switch; where that is not known, the tag on the wire, 0 for none.
        at: u16,
    },
    /// Two ends with each other, untagged, on the host.
    Within {
        /// Number of one end.
        one: usize,
        /// Number of the other.
        other: usize,
    },
}

impl Talk {
    /// Whether the other is the same end with the same frames in another VLAN.
    pub fn moved_to(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Beyond { end, sends, at },
                Self::Beyond {
                    end: e,
                    sends: s,
                    at: a,
                },
            ) => end == e && sends == s && at != a,
            _ => false,
        }
    }
}

/// What does not change.
#[derive(Debug)]
pub struct World<'a> {
    /// Devices as they are now.
    pub net: &'a Net,
    /// Wires.
    pub wires: &'a BTreeSet<Node>,
    /// The switch's ports behind them.
    pub far: Vec<(Node, Far<'a>)>,
    /// Ends that are watched.
    pub ends: &'a [End],
    /// Forms in which each sends.
    pub forms: Vec<Vec<Tags>>,
    /// The bridge.
    pub bridge: &'a str,
}

impl World<'_> {
    /// Who can talk in a state.
    pub fn talks(&self, state: &State) -> BTreeSet<Talk> {
        let mut net = self.net.clone();
        for (device, entry) in &state.entries {
            if let Some(node) = net.node(device) {
                entry.write(net.port_mut(node));
            }
        }
        let trunks: Vec<(Node, SwitchPort)> = self
            .far
            .iter()
            .map(|(wire, far)| (*wire, self.trunk(*wire, far, state)))
            .collect();
        let far = self
            .far
            .iter()
            .zip(&trunks)
            .map(|((wire, far), (_, trunk))| (*wire, Far { trunk, ..*far }))
            .collect();
        let world = PathWorld {
            net: &net,
            wires: self.wires,
            far,
        };
        let mut talks = BTreeSet::new();
        for (number, end) in self.ends.iter().enumerate() {
            for sends in self.forms.get(number).into_iter().flatten() {
                let path = follow(&world, end, sends, None);
                if path.verdict.passes() {
                    let wire = path.on_wire.as_ref().and_then(Tags::outer);
                    talks.insert(Talk::Beyond {
                        end: number,
                        sends: sends.clone(),
                        at: path.lands.or(wire).unwrap_or(0),
                    });
                }
            }
        }
        let hears: Vec<BTreeSet<usize>> = self.ends.iter().map(|e| self.heard(&net, e)).collect();
        for (one, heard) in hears.iter().enumerate() {
            for &other in heard.range(one + 1..) {
                if hears.get(other).is_some_and(|h| h.contains(&one)) {
                    talks.insert(Talk::Within { one, other });
                }
            }
        }
        talks
    }

    /// The ends that hear an end's untagged frames untagged.
    fn heard(&self, net: &Net, end: &End) -> BTreeSet<usize> {
        let start = if end.stack {
            Start::Out(end.node)
        } else {
            Start::In(end.node)
        };
        let flow = Flow::of(net, start, Tags::none());
        let mut heard = BTreeSet::new();
        for (_, step) in flow.arrivals().filter(|(_, s)| s.tags == Tags::none()) {
            for (number, other) in self.ends.iter().enumerate() {
                let here = if other.stack { What::Stack } else { What::Left };
                if other.node == step.node && step.what == here {
                    heard.insert(number);
                }
            }
        }
        heard
    }

    fn trunk(&self, wire: Node, far: &Far<'_>, state: &State) -> SwitchPort {
        let mut trunk = far.trunk.clone();
        let name = &self.net.item(wire).name;
        if !trunk.is_access() {
            if let Some(native) = state.natives.get(name) {
                trunk.native_vlan = *native;
            }
            if let Some(allowed) = state.allowed.get(name) {
                trunk.allowed_vlans = allowed.as_ref().map(|a| a.iter().copied().collect());
            }
        }
        trunk
    }

    /// The switch's port behind a wire.
    pub fn port_behind(&self, wire: &str) -> String {
        let of_wire = |(node, _): &&(Node, Far<'_>)| self.net.item(*node).name == wire;
        let far = self.far.iter().find(of_wire);
        far.map_or_else(String::new, |(_, far)| far.name())
    }

    fn end(&self, number: usize) -> String {
        self.ends
            .get(number)
            .map_or_else(String::new, |end| match &end.guest {
                None => format!("the host ({})", end.device),
                Some(guest) if guest == "?" => end.device.clone(),
                Some(guest) => guest.clone(),
            })
    }

    /// In words.
    pub fn name(&self, talk: &Talk) -> String {
        match talk {
            Talk::Beyond { end, sends, .. } => {
                format!("{}, {sends}, with {}", self.end(*end), self.place(talk))
            }
            Talk::Within { one, other } => format!("{} with {}", self.end(*one), self.end(*other)),
        }
    }

    /// Where a talk goes.
    pub fn place(&self, talk: &Talk) -> String {
        match talk {
            Talk::Beyond { at: 0, .. } => "untagged frames on the wire".to_owned(),
            Talk::Beyond { at, .. } => format!("VLAN {at}"),
            Talk::Within { .. } => "each other".to_owned(),
        }
    }

    /// Whether it is the host that talks beyond the wire.
    pub fn is_hosts(&self, talk: &Talk) -> bool {
        matches!(talk, Talk::Beyond { end, .. } if self.ends.get(*end).is_some_and(|e| e.guest.is_none()))
    }

    /// Devices that the host's own frames run over.
    pub fn own_devices(&self, state: &State) -> BTreeSet<String> {
        let _ = state;
        let mut devices = BTreeSet::new();
        for end in self.ends.iter().filter(|e| e.guest.is_none()) {
            let route = crate::vlan::ends::route(self.net, end.node, self.wires);
            for node in route.into_iter().flatten() {
                let name = self.net.item(node).name.clone();
                devices.insert(self.port_behind(&name));
                devices.insert(name);
            }
        }
        devices.remove("");
        devices
    }

    /// Guests whose ports differ between two states.
    pub fn changed_guests(&self, start: &State, goal: &State) -> Vec<String> {
        let ports = self.net.nodes().map(|node| &self.net.item(node).port);
        let changed = ports.filter(|p| start.entries.get(&p.name) != goal.entries.get(&p.name));
        changed.filter_map(|p| p.guest.clone()).collect()
    }
}

impl State {
    /// What the kernel does at a new default PVID (`__br_vlan_set_default_pvid` of
    /// net/bridge/br_vlan.c): ports that still have the old one as PVID, untagged, lose it, and get
    /// the new one unless they carry that already. So setting it to 0 cuts whoever lives on it.
    fn new_default(&mut self, pvid: u16) {
        let old = self.default_pvid.replace(pvid);
        let Some(old) = old.filter(|old| *old != 0 && *old != pvid) else {
            return;
        };
        for entry in self.entries.values_mut() {
            let on_default = entry.pvid == Some(old) && entry.forms.get(&old) == Some(&true);
            if !on_default || pvid != 0 && entry.forms.contains_key(&pvid) {
                continue;
            }
            entry.forms.remove(&old);
            entry.pvid = None;
            if pvid != 0 {
                entry.forms.insert(pvid, true);
                entry.pvid = Some(pvid);
            }
        }
    }

    /// As things are.
    pub fn present(world: &World<'_>, bridge: &Bridge) -> Self {
        let mut state = Self {
            default_pvid: bridge.default_pvid,
            ..Self::default()
        };
        for port in &bridge.ports {
            state.entries.insert(port.name.clone(), Entry::of(port));
        }
        for (wire, far) in &world.far {
            let item = world.net.item(*wire);
            let through = item.controller.map(|c| world.net.item(c));
            let names = [Some(item), through].into_iter().flatten().map(|i| &i.name);
            let here = names.into_iter().any(|n| bridge.port(n).is_some());
            if here && !far.trunk.is_access() {
                state.natives.insert(item.name.clone(), far.native());
                let allowed = far.trunk.allowed_vlans.as_ref();
                let allowed = allowed.map(|a| a.iter().copied().collect());
                state.allowed.insert(item.name.clone(), allowed);
            }
        }
        state
    }
}
