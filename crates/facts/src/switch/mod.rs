//! Switches, as read from saved Cisco IOS / IOS-XE text.
//!
//! [`parse`] makes a [`Switch`] of one saved text (a whole terminal session, or one command's
//! output), [`Switch::merge`] joins several texts of one switch, [`Switch::port`] finds a port by
//! any abbreviation of its name, [`compare::unsaved`] tells running and start-up apart,
//! [`diff::diff`] what two states differ in, in meaning.
//!
//! Order of reading: [`terminal`] undoes what a terminal does to a text, `session` cuts it into
//! outputs, `output` has one file per command.

mod command;
pub mod compare;
pub mod diff;
mod merge;
mod name;
mod output;
mod parse;
#[cfg(test)]
mod properties;
mod session;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod vlan_list;

pub use name::{canonical_port_name, short_port_name};
pub use parse::parse;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the saved text of one switch says; every field may come from another command's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switch {
    /// Host name of the switch.
    pub name: Option<String>,
    /// Commands whose output was recognised, in order, without abbreviations.
    pub commands: Vec<String>,
    /// Ports by full name (`TenGigabitEthernet1/0/2`): physical ones and port-channels.
    pub ports: BTreeMap<String, SwitchPort>,
    /// VLANs by number, with their names.
    pub vlans: BTreeMap<u16, String>,
    /// Status of VLANs as `show vlan` gives it: `active`, `act/lshut`, `suspended`, ….
    pub vlan_status: BTreeMap<u16, String>,
    /// Whether [`Switch::vlans`] holds every VLAN (`show vlan` was read): only then does a
    /// VLAN's absence say anything, for a VTP server keeps its VLANs out of the configuration.
    pub vlans_complete: bool,
    /// Whether trunks tag their native VLAN (`vlan dot1q tag native`); `None` where not read.
    pub tag_native: Option<bool>,
    /// RADIUS servers, name to address.
    pub radius_servers: BTreeMap<String, RadiusServer>,
    /// RADIUS groups (`aaa group server radius NAME`), name to members.
    pub radius_groups: BTreeMap<String, RadiusGroup>,
    /// Whether [`Switch::radius_groups`] holds every group: only then does one's absence say
    /// anything.
    pub radius_complete: bool,
    /// The running configuration, line by line, without what changes by itself (time stamps,
    /// certificates), for the comparison with the start-up configuration.
    pub running: Option<Vec<String>>,
    /// The same of the start-up configuration.
    pub startup: Option<Vec<String>>,
    /// Where the lines of [`Switch::running`] stand.
    pub running_capture: Option<Capture>,
    /// Where the lines of [`Switch::startup`] stand.
    pub startup_capture: Option<Capture>,
    /// When the running configuration was last changed, as its header says.
    pub last_change: Option<Stamp>,
    /// When the start-up configuration was last written, as the header of either says.
    pub last_saved: Option<Stamp>,
    /// Lines that belong to a known output and could not be made sense of.
    pub doubts: Vec<Doubt>,
}

/// One switch port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwitchPort {
    /// Full name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// `trunk`, `access`, `dynamic`, `routed`; `None` where not said.
    pub mode: Option<String>,
    /// Whether it works as a trunk now; `None` where not told.
    pub trunking: Option<bool>,
    /// Native VLAN of a trunk (1 where a trunk does not say).
    pub native_vlan: Option<u16>,
    /// Whether this port tags its native VLAN: told by the switch itself, or `false` where the
    /// port's configuration excepts it from [`Switch::tag_native`]. The port's own setting alone
    /// tags nothing.
    pub native_tagged: Option<bool>,
    /// Allowed VLANs of a trunk, expanded; `None` where all are, or where it was not read (then
    /// [`SwitchPort::lines`] has no `allowed_vlans`).
    pub allowed_vlans: Option<Vec<u16>>,
    /// Allowed VLANs that exist on the switch, where told.
    pub active_vlans: Option<Vec<u16>>,
    /// Access VLAN.
    pub access_vlan: Option<u16>,
    /// Port-channel it belongs to.
    pub channel_group: Option<u16>,
    /// State in its port-channel: `bundled`, `suspended`, `stand-alone`, `down`, ….
    pub channel_state: Option<String>,
    /// Whether it is administratively shut down.
    pub shutdown: Option<bool>,
    /// `up`, `down`, `disabled` (shut down), `err-disabled`, or the switch's own word.
    pub status: Option<String>,
    /// What the switch disabled it for: `bpduguard`, `link-flap`, ….
    pub err_disabled_reason: Option<String>,
    /// Duplex as the switch says: `full`, `a-full`, `half`, `a-half`, `auto`.
    pub duplex: Option<String>,
    /// Speed as the switch says: `10G`, `a-1000`, `auto`.
    pub speed: Option<String>,
    /// Input errors counted.
    pub input_errors: Option<u64>,
    /// CRC errors counted.
    pub crc_errors: Option<u64>,
    /// When the counters were last cleared, as the switch says.
    pub counters_cleared: Option<String>,
    /// VLANs in spanning-tree forwarding state, where told.
    pub forwarding_vlans: Option<Vec<u16>>,
    /// Whether BPDU guard acts on it (its own line, or the default for PortFast ports).
    pub bpdu_guard: Option<bool>,
    /// PortFast: `edge`, `trunk`, `disable`.
    pub portfast: Option<String>,
    /// Whether port security is on.
    pub port_security: Option<bool>,
    /// Spanning-tree state per VLAN, from `show spanning-tree`.
    pub spanning_tree: BTreeMap<u16, StpState>,
    /// Line of the port in the text it was first seen in.
    pub line: u32,
    /// Lines of the facts above by their key (`native_vlan`, `crc_errors`, …), with the file.
    /// `interface` is the port's own line in the configuration.
    pub lines: BTreeMap<String, Place>,
}

impl SwitchPort {
    /// Whether it is, or is meant to be, a trunk.
    pub fn is_trunk(&self) -> bool {
        self.trunking == Some(true) || self.mode.as_deref() == Some("trunk")
    }

    /// Whether it is, or works as, an access port.
    pub fn is_access(&self) -> bool {
        match self.mode.as_deref() {
            Some("trunk" | "routed") => false,
            Some("access") => self.trunking != Some(true),
            _ => self.trunking == Some(false),
        }
    }

    /// Where a fact was read; the port's first line where the fact has none of its own.
    pub fn place(&self, key: &str) -> Option<&Place> {
        self.lines
            .get(key)
            .or_else(|| self.lines.get("interface"))
            .or_else(|| self.lines.values().next())
    }
}

/// What spanning tree does with one VLAN on one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StpState {
    /// `FWD`, `BLK`, `LIS`, `LRN`, `BKN` (broken: inconsistent).
    pub state: String,
    /// `Desg`, `Root`, `Altn`, `Back`, `Mstr`.
    pub role: String,
    /// The inconsistency, where one is told: `PVID_Inc`, `TYPE_Inc`, `ROOT_Inc`, `LOOP_Inc`.
    pub inconsistency: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// A place in a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Capture file.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// That line.
    pub text: String,
    /// Command whose output it is.
    pub command: String,
}

/// One RADIUS server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RadiusServer {
    /// Address.
    pub address: Option<String>,
    /// What the switch thinks of it (`show aaa servers`): `UP` or `DEAD`.
    pub state: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// One RADIUS group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RadiusGroup {
    /// Names (or addresses) of the servers in it.
    pub servers: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// Where the lines of a configuration stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// Capture file.
    pub file: String,
    /// Number of each line kept, in order.
    pub lines: Vec<u32>,
    /// Whether the text reaches the configuration's `end`. A cut-off one is not compared.
    pub complete: bool,
}

/// A moment as a switch writes it, and what it stands for as far as it can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamp {
    /// As it stands there: `21:52:07 UTC Mon Apr 13 2026`.
    pub text: String,
    /// Its parts in an order that sorts: year, month, day, hour, minute, second.
    pub parts: [u16; 6],
    /// Where it stands.
    pub place: Place,
}

/// A line that belongs to a known output and could not be made sense of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Doubt {
    /// The line.
    pub place: Place,
    /// What is wrong with it.
    pub message: String,
}
