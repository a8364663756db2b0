//! Components and their kinds.

use std::fmt;

/// Index of a component in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index(u32);

impl Index {
    /// From a position. A graph holds fewer than 2³² components.
    pub fn new(position: usize) -> Self {
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// The position.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// One thing that can fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its place in the graph.
    pub index: Index,
    /// What it is.
    pub kind: Kind,
    /// Its name among its kind: `bind-01`, `kvm-01:/mnt/nas/vms`.
    pub name: String,
    /// The host it belongs to, where it belongs to one.
    pub host: Option<String>,
    /// How it starts.
    pub start: Start,
    /// Mean time to failure in hours, where site.toml says it.
    pub mttf_hours: Option<f64>,
}

impl Component {
    /// `kind:name`, unique in a graph.
    pub fn full_name(&self) -> String {
        full_name(self.kind, &self.name)
    }
}

/// `kind:name`.
pub(super) fn full_name(kind: Kind, name: &str) -> String {
    format!("{}:{name}", kind.name())
}

/// How a component comes up once its needs have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// By itself: hardware, mounts, guests with autostart.
    #[default]
    Itself,
    /// By a person: a guest without autostart.
    Person,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a component is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name in output and on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// A feed of electric power.
    Power = "power",
    /// A hypervisor.
    Host = "host",
    /// The BMC of a host.
    Bmc = "bmc",
    /// A guest.
    Guest = "guest",
    /// A disk image, or another file or device that a guest uses.
    Disk = "disk",
    /// A mounted file system on a host.
    Mount = "mount",
    /// A path that a file server exports.
    Export = "export",
    /// A file server.
    Nas = "nas",
    /// A name that a host must resolve.
    Name = "name",
    /// A name server that is no guest of the site.
    NameServer = "nameserver",
    /// A bridge on a host.
    Bridge = "bridge",
    /// A libvirt network on a host.
    Network = "network",
    /// A host's uplink.
    Uplink = "uplink",
    /// A port of a switch.
    SwitchPort = "port",
    /// A switch.
    Switch = "switch",
    /// A VLAN.
    Vlan = "vlan",
    /// An HA group or quorum.
    Group = "group",
    /// A service that guests provide.
    Service = "service",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
