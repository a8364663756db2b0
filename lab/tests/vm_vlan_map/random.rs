//! Random hosts: bridges, uplinks, bonds, VLAN devices, macvlans; and random VLANs on them. Each is
//! made twice, as facts for the map and as commands for a kernel.

use facts::bridge::{Bridge, Device, Port, Role};
use lab::random::Random;
use serde::Serialize;

/// VLANs that occur.
const POOL: [u16; 4] = [1, 10, 20, 30];

/// An end that frames are sent from and arrive at.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// Name: the device's, with a mark for a stack.
    pub name: String,
    /// Device; for an edge that of the same name in the other namespace.
    pub device: String,
    /// Whether it is the host's own stack on that device.
    pub stack: bool,
}

/// The devices of one host, which stay while VLANs change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Structure {
    /// Commands for ip(8) in the host's namespace.
    pub ip: Vec<String>,
    /// Commands for ip(8) in the namespace of the ends.
    pub ip_ends: Vec<String>,
    /// Ends.
    pub ends: Vec<End>,
    /// Cases on it.
    pub cases: Vec<Case>,
    /// Bridges without VLANs.
    #[serde(skip)]
    pub bridges: Vec<Bridge>,
    /// Devices.
    #[serde(skip)]
    pub devices: Vec<Device>,
}

/// VLANs on a structure, and the frames to send.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Commands for ip(8).
    pub ip: Vec<String>,
    /// Commands for bridge(8).
    pub bridge: Vec<String>,
    /// Ends and tags.
    pub frames: Vec<(String, Vec<u16>)>,
    /// Whether nofail shall take a snapshot of it.
    pub collect: bool,
    /// Bridges as the commands make them.
    #[serde(skip)]
    pub bridges: Vec<Bridge>,
}

impl Structure {
    /// A random one with this many cases.
    pub fn random(random: &mut Random, cases: usize) -> Self {
        let mut made = Self::default();
        made.bridge(random, "br0");
        made.uplink(random);
        for port in 1..=2 + random.below(2) {
            made.edge(&format!("p{port}"), Some("br0"), Role::Guest);
        }
        if random.chance(40) {
            made.second_bridge(random);
        }
        for device in ["br0", "up0"] {
            if made.devices.iter().any(|d| d.name == device) {
                made.vlan_devices(random, device, 30);
            }
        }
        if random.chance(40) {
            made.macvlans(random);
        }
        let stacks: Vec<String> = made
            .devices
            .iter()
            .filter(|d| d.controller.is_none() && d.kind != "edge")
            .map(|d| d.name.clone())
            .collect();
        for device in &mut made.devices {
            if device.kind == "edge" {
                device.kind = "physical".to_owned();
            }
        }
        made.ends.extend(stacks.into_iter().map(|device| End {
            name: format!("{device}/stack"),
            device,
            stack: true,
        }));
        made.cases = (0..cases)
            .map(|number| made.case(random, number == 0))
            .collect();
        made
    }

    fn bridge(&mut self, random: &mut Random, name: &str) {
        // A bridge without an address of its own changes it with its ports, and is promiscuous
        // once a VLAN device on it does not follow.
        let address = if random.chance(60) {
            format!(" address 02:00:00:00:00:0{}", name.len() + random.below(3))
        } else {
            String::new()
        };
        self.ip.push(format!(
            "link add {name}{address} type bridge vlan_default_pvid 0 mcast_snooping 0"
        ));
        self.ip.push(format!("link set {name} up"));
        self.bridges.push(Bridge {
            name: name.to_owned(),
            ports: vec![Port {
                name: name.to_owned(),
                role: Role::Own,
                ..Port::default()
            }],
            ..Bridge::default()
        });
        self.device(name, "bridge");
    }

    fn device(&mut self, name: &str, kind: &str) -> &mut Device {
        self.devices.push(Device {
            name: name.to_owned(),
            kind: kind.to_owned(),
            up: true,
            ..Device::default()
        });
        let last = self.devices.len() - 1;
        &mut self.devices[last]
    }

    /// A veth pair whose other end is in the namespace of the ends.
    fn edge(&mut self, name: &str, bridge: Option<&str>, role: Role) {
        self.ip.push(format!(
            "link add {name} type veth peer name {name} netns ends"
        ));
        self.ip.push(format!("link set {name} up"));
        self.ip_ends.push(format!("link set {name} up"));
        self.ends.push(End {
            name: name.to_owned(),
            device: name.to_owned(),
            stack: false,
        });
        self.device(name, "edge");
        if let Some(bridge) = bridge {
            self.port(name, bridge, role);
        }
    }

    fn port(&mut self, name: &str, bridge: &str, role: Role) {
        self.ip.push(format!("link set {name} master {bridge}"));
        for device in &mut self.devices {
            if device.name == name {
                device.controller = Some(bridge.to_owned());
            }
        }
        for of in &mut self.bridges {
            if of.name == bridge {
                of.ports.push(Port {
                    name: name.to_owned(),
                    role,
                    ..Port::default()
                });
            }
        }
    }

    fn uplink(&mut self, random: &mut Random) {
        if random.chance(60) {
            return self.edge("up0", Some("br0"), Role::Uplink);
        }
        self.ip
            .push("link add up0 type bond mode active-backup".to_owned());
        let bond = self.device("up0", "bond");
        bond.mode = Some("active-backup".to_owned());
        bond.active = Some("m0".to_owned());
        for member in ["m0", "m1"] {
            self.ip.push(format!(
                "link add {member} type veth peer name {member} netns ends"
            ));
            self.ip.push(format!("link set {member} master up0"));
            self.ip_ends.push(format!("link set {member} up"));
            self.ends.push(End {
                name: member.to_owned(),
                device: member.to_owned(),
                stack: false,
            });
            self.device(member, "edge").controller = Some("up0".to_owned());
        }
        self.ip.push("link set up0 up".to_owned());
        self.ip
            .push("link set up0 type bond active_slave m0".to_owned());
        self.port("up0", "br0", Role::Uplink);
    }

    fn second_bridge(&mut self, random: &mut Random) {
        self.bridge(random, "br1");
        for port in 1..=1 + random.below(2) {
            self.edge(&format!("q{port}"), Some("br1"), Role::Guest);
        }
        if random.chance(50) {
            let vid = POOL[random.below(POOL.len())];
            self.vlan_device("br0", vid);
            self.port(&format!("br0.{vid}"), "br1", Role::Other);
            return;
        }
        self.ip
            .push("link add x0 type veth peer name x1".to_owned());
        for (name, peer, bridge) in [("x0", "x1", "br0"), ("x1", "x0", "br1")] {
            self.ip.push(format!("link set {name} up"));
            self.device(name, "veth").lower = Some(peer.to_owned());
            self.port(name, bridge, Role::Other);
        }
    }

    fn vlan_device(&mut self, lower: &str, vid: u16) {
        let name = format!("{lower}.{vid}");
        self.ip.push(format!(
            "link add link {lower} name {name} type vlan id {vid}"
        ));
        self.ip.push(format!("link set {name} up"));
        let device = self.device(&name, "vlan");
        (device.lower, device.vlan) = (Some(lower.to_owned()), Some(vid));
    }

    fn vlan_devices(&mut self, random: &mut Random, lower: &str, percent: usize) {
        for vid in POOL {
            let name = format!("{lower}.{vid}");
            if random.chance(percent) && !self.devices.iter().any(|d| d.name == name) {
                self.vlan_device(lower, vid);
            }
        }
    }

    /// An interface that is no port of a bridge, with macvlans on it.
    fn macvlans(&mut self, random: &mut Random) {
        self.edge("wan", None, Role::Other);
        let modes = ["bridge", "vepa", "private"];
        for number in 1..=2 {
            let mode = random.pick(&modes);
            self.ip.push(format!(
                "link add link wan name wan-{number} type macvlan mode {mode}"
            ));
            self.ip.push(format!("link set wan-{number} up"));
            let device = self.device(&format!("wan-{number}"), "macvlan");
            (device.lower, device.mode) = (Some("wan".to_owned()), Some(mode.to_owned()));
        }
        self.vlan_devices(random, "wan", 30);
        // The host speaks over it as well.
        self.ends.push(End {
            name: "wan/stack".to_owned(),
            device: "wan".to_owned(),
            stack: true,
        });
    }

    fn case(&self, random: &mut Random, collect: bool) -> Case {
        let mut case = Case {
            ip: Vec::new(),
            bridge: Vec::new(),
            frames: Vec::new(),
            collect,
            bridges: self.bridges.clone(),
        };
        for bridge in &mut case.bridges {
            let filtering = random.chance(80);
            bridge.vlan_filtering = Some(filtering);
            case.ip.push(format!(
                "link set {} type bridge vlan_filtering {}",
                bridge.name,
                u8::from(filtering)
            ));
            for port in &mut bridge.ports {
                entry(random, port, &mut case.bridge);
            }
        }
        for end in &self.ends {
            let mut forms = vec![vec![]];
            if !end.stack {
                let one = |random: &mut Random| POOL[random.below(POOL.len())];
                forms.extend([vec![0], vec![one(random)], vec![one(random)]]);
                forms.extend([vec![0, one(random)], vec![one(random), one(random)]]);
            }
            case.frames
                .extend(forms.into_iter().map(|tags| (end.name.clone(), tags)));
        }
        case
    }
}

/// Random VLANs of one port or own entry.
fn entry(random: &mut Random, port: &mut Port, commands: &mut Vec<String>) {
    let name = &port.name;
    let own = if port.role == Role::Own { " self" } else { "" };
    commands.push(format!("vlan del dev {name} vid 1-30{own}"));
    for vid in POOL {
        if !random.chance(55) {
            continue;
        }
        let (pvid, untagged) = (random.chance(40), random.chance(50));
        let mut command = format!("vlan add dev {name} vid {vid}");
        if pvid {
            // The last PVID wins.
            port.pvid = Some(vid);
            command += " pvid";
        }
        if untagged {
            port.untagged.push(vid);
            command += " untagged";
        } else {
            port.tagged.push(vid);
        }
        commands.push(command + own);
    }
    if port.role == Role::Own {
        return;
    }
    port.isolated = random.chance(20);
    port.hairpin = port.role == Role::Guest && random.chance(10);
    // The kernel takes no other state of a port that does not forward, unless STP runs.
    let blocked = random.chance(5);
    port.stp_state = Some(if blocked { "listening" } else { "forwarding" }.to_owned());
    let on = |on: bool| if on { "on" } else { "off" };
    commands.push(format!(
        "link set dev {name} isolated {} hairpin {} state {}",
        on(port.isolated),
        on(port.hairpin),
        u8::from(!blocked) * 2 + 1
    ));
}
