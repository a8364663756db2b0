//! `site.toml`: what cannot be read from a machine. Who is critical, who is whose twin, which
//! VLAN belongs where, how to reach a BMC.
//!
//! Every table is optional; everything works, less sharply, without any of it.

mod check;
mod parse;

pub use parse::SiteError;

use facts::Evidence;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// A whole `site.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// Name of the site, for titles.
    pub name: Option<String>,
    /// Hosts by name.
    pub hosts: BTreeMap<String, Host>,
    /// Guests by name.
    pub guests: BTreeMap<String, Guest>,
    /// HA groups by name.
    pub groups: BTreeMap<String, Group>,
    /// File servers by name.
    pub nas: BTreeMap<String, Nas>,
    /// The VLAN map: bridges by name, the same on every host unless the host says otherwise.
    pub bridges: BTreeMap<String, BridgePlan>,
    /// Switches by name.
    pub switches: BTreeMap<String, Switch>,
    /// When disturbing work may be done.
    pub maintenance: Vec<Window>,
    /// Path of the file, for evidence.
    #[serde(skip)]
    pub file: String,
    /// Text of the file, for evidence.
    #[serde(skip)]
    pub text: String,
    /// Line and byte offset of each table (`guests.bind-01`) and key (`guests.bind-01#host`).
    #[serde(skip)]
    places: HashMap<String, (u32, usize)>,
}

/// One host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// Snapshot file, relative to site.toml.
    pub snapshot: Option<String>,
    /// Directory tree, relative to site.toml.
    pub root: Option<String>,
    /// Where to collect over SSH: `[user@]host[:port]` or an alias of the user's ssh
    /// configuration. Contacted only where there is neither `snapshot` nor `root`.
    pub address: Option<String>,
    /// The host's own addresses.
    pub addresses: Vec<String>,
    /// Its BMC.
    pub bmc: Option<Bmc>,
    /// Another way to the console (a serial console server, a KVM switch), in words.
    pub console: Option<String>,
    /// Uplinks by interface name.
    pub uplinks: BTreeMap<String, Uplink>,
    /// Power feeds that it hangs on; one that lives suffices.
    pub power: Vec<String>,
    /// VLAN plans that differ on this host, by bridge.
    pub bridges: BTreeMap<String, BridgePlan>,
    /// Documents that belong to this host: paths or URLs.
    pub documents: Vec<String>,
    /// Mean time to failure, hours.
    pub mttf_hours: Option<f64>,
}

/// A BMC as the administrator knows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bmc {
    /// Address in the management network.
    pub address: Option<String>,
    /// `ipmi` or `redfish`.
    pub kind: Option<String>,
    /// When a person last saw it work: `YYYY-MM-DD`.
    pub verified: Option<String>,
    /// File of mode 0600 with `user` and `password`.
    pub credentials_file: Option<String>,
    /// Command that prints user and password on two lines.
    pub credentials_command: Option<Vec<String>>,
    /// Redfish: PEM file with the certificate, or its authority, that is trusted instead of the
    /// system's.
    pub certificate: Option<String>,
    /// Redfish: `false` takes any certificate. Whoever stands between can then read the password.
    pub verify_certificate: Option<bool>,
}

/// Where a host's interface is plugged in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uplink {
    /// Switch, by its name in `[switches]`.
    pub switch: String,
    /// Port where it belongs: `Te1/0/2`.
    pub port: String,
    /// Port where it is for the time being, where that is another.
    pub temporary_port: Option<String>,
    /// Bridge that it carries.
    pub bridge: Option<String>,
}

impl Uplink {
    /// The port where it is plugged in now.
    pub fn present_port(&self) -> &str {
        self.present().1
    }

    /// The key of site.toml that says so.
    pub fn present_key(&self) -> &'static str {
        self.present().0
    }

    fn present(&self) -> (&'static str, &str) {
        match &self.temporary_port {
            Some(port) => ("temporary_port", port),
            None => ("port", &self.port),
        }
    }
}

/// One guest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guest {
    /// Host where it belongs.
    pub host: Option<String>,
    /// Whether the site cannot do without it.
    pub critical: bool,
    /// HA group that it is a member of.
    pub group: Option<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// VLAN that its untagged frames belong to; the bridge's plan where not said.
    pub pvid: Option<u16>,
    /// VLANs that it gets tagged; the bridge's plan where not said.
    pub tagged: Option<Vec<u16>>,
    /// Services that it provides: `dns`, `gateway`, `radius`, …
    pub provides: Vec<String>,
    /// Services, guests or file servers that it needs.
    pub needs: Vec<String>,
    /// How to tell that it is ready: `tcp:53`, `dns`, `vrrp`, …
    pub ready: Option<String>,
    /// Mean time to failure, hours.
    pub mttf_hours: Option<f64>,
}

/// One HA group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Members; guests that name the group belong to it as well.
    pub members: Vec<String>,
    /// How many must live for the service to live (k of n); 1 where not said.
    pub need: Option<usize>,
    /// What the group provides, in words: `DNS`, `VRRP gateway`.
    pub service: Option<String>,
    /// Documents that belong to it.
    pub documents: Vec<String>,
}

/// One file server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nas {
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Other names that fstab may use.
    pub names: Vec<String>,
    /// Exported paths.
    pub exports: Vec<String>,
    /// Exports on which guests' disks may lie; none where not said.
    pub guest_disks_allowed: Vec<String>,
    /// Power feeds.
    pub power: Vec<String>,
    /// Mean time to failure, hours.
    pub mttf_hours: Option<f64>,
}

/// What one bridge and its ports should carry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BridgePlan {
    /// VLAN of untagged frames: of guests, of the host itself, of the uplink and the switch's
    /// native VLAN, unless one of the fields below says otherwise.
    pub pvid: Option<u16>,
    /// VLANs carried tagged to each guest and over the uplink.
    pub tagged: Vec<u16>,
    /// PVID of guests' ports.
    pub guest_pvid: Option<u16>,
    /// PVID of the bridge's own entry: the host's own frames.
    pub host_pvid: Option<u16>,
    /// PVID of the uplink; the switch's native VLAN must be the same.
    pub uplink_pvid: Option<u16>,
    /// PVID that a new port should get; 0 is none.
    pub default_pvid: Option<u16>,
    /// Documents that belong to it.
    pub documents: Vec<String>,
}

impl BridgePlan {
    /// Planned PVID of a guest's port.
    pub fn guest(&self) -> Option<u16> {
        self.guest_pvid.or(self.pvid)
    }

    /// Planned PVID of the bridge's own entry.
    pub fn host(&self) -> Option<u16> {
        self.host_pvid.or(self.pvid)
    }

    /// Planned PVID of the uplink.
    pub fn uplink(&self) -> Option<u16> {
        self.uplink_pvid.or(self.pvid)
    }
}

/// One switch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// Saved texts, relative to site.toml.
    pub captures: Vec<String>,
    /// Members that each RADIUS group should have.
    pub radius_groups: BTreeMap<String, Vec<String>>,
    /// Power feeds.
    pub power: Vec<String>,
    /// Mean time to failure, hours.
    pub mttf_hours: Option<f64>,
    /// Documents that belong to it.
    pub documents: Vec<String>,
}

/// A maintenance window that comes back every week.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Days: `mon` … `sun`.
    pub days: Vec<String>,
    /// Begin, `HH:MM`, local time of the host.
    pub from: String,
    /// End, `HH:MM`; earlier than `from` means the next day.
    pub to: String,
}

impl Site {
    /// Evidence for a key of this file: the line under the table `[kind.name]` (or one of its
    /// tables) that sets `key` first, else the line of the table itself, else the file.
    pub fn evidence(&self, kind: &str, name: &str, key: Option<&str>) -> Evidence {
        let table = format!("{kind}.{name}");
        let place = key
            .and_then(|key| self.places.get(&format!("{table}#{key}")))
            .or_else(|| self.places.get(&table));
        let Some(&(line, offset)) = place else {
            return Evidence::file(&self.file);
        };
        let text = self.text.get(offset..).unwrap_or("");
        let text = text.lines().next().unwrap_or("");
        let evidence = Evidence::line(&self.file, line, text);
        if text.trim_start().starts_with('[') {
            evidence
        } else {
            evidence.mark(text.trim())
        }
    }

    /// Members of a group, those that the group lists and those that name it, sorted.
    pub fn members(&self, group: &str) -> Vec<&str> {
        let listed = self
            .groups
            .get(group)
            .map(|g| g.members.as_slice())
            .unwrap_or_default();
        let mut members: Vec<&str> = listed.iter().map(String::as_str).collect();
        members.extend(
            self.guests
                .iter()
                .filter(|(_, guest)| guest.group.as_deref() == Some(group))
                .map(|(name, _)| name.as_str()),
        );
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Every group by name with its members: those with a table and those only named by guests.
    pub fn all_groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, group) in &self.groups {
            let members = group.members.iter().map(String::as_str);
            groups.entry(name).or_default().extend(members);
        }
        for (name, guest) in &self.guests {
            if let Some(group) = &guest.group {
                groups.entry(group).or_default().push(name);
            }
        }
        for members in groups.values_mut() {
            members.sort_unstable();
            members.dedup();
        }
        groups
    }

    /// The plan of a bridge on a host: the host's own where it has one, else the site's.
    pub fn bridge_plan(&self, host: &str, bridge: &str) -> Option<&BridgePlan> {
        self.hosts
            .get(host)
            .and_then(|h| h.bridges.get(bridge))
            .or_else(|| self.bridges.get(bridge))
    }
}

#[cfg(test)]
mod tests;
