//! Switches, as read from saved Cisco IOS / IOS-XE text.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the saved text of one switch says; every field may come from another command's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switch {
    /// Host name of the switch.
    pub name: Option<String>,
    /// Commands whose output was recognised, in order.
    pub commands: Vec<String>,
    /// Ports by full name (`TenGigabitEthernet1/0/2`).
    pub ports: BTreeMap<String, SwitchPort>,
    /// VLANs by number, with their names.
    pub vlans: BTreeMap<u16, String>,
    /// RADIUS servers, name to address.
    pub radius_servers: BTreeMap<String, RadiusServer>,
    /// RADIUS groups (`aaa group server radius NAME`), name to members.
    pub radius_groups: BTreeMap<String, RadiusGroup>,
    /// `Known` running and start-up configurations, without what changes by itself
    /// (time stamps), for the comparison of the two.
    pub running: Option<Vec<String>>,
    /// The same of the start-up configuration.
    pub startup: Option<Vec<String>>,
}

/// One switch port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwitchPort {
    /// Full name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// `trunk`, `access`, `dynamic`; `None` where not said.
    pub mode: Option<String>,
    /// Native VLAN of a trunk (1 where a trunk does not say).
    pub native_vlan: Option<u16>,
    /// Allowed VLANs of a trunk, expanded; `None` where all are.
    pub allowed_vlans: Option<Vec<u16>>,
    /// Access VLAN.
    pub access_vlan: Option<u16>,
    /// Port-channel it belongs to.
    pub channel_group: Option<u16>,
    /// Whether it is administratively shut down.
    pub shutdown: Option<bool>,
    /// Line protocol or status: `up`, `down`, `err-disabled`, …
    pub status: Option<String>,
    /// Input errors counted.
    pub input_errors: Option<u64>,
    /// CRC errors counted.
    pub crc_errors: Option<u64>,
    /// When the counters were last cleared, as the switch says.
    pub counters_cleared: Option<String>,
    /// VLANs in spanning-tree forwarding state, where told.
    pub forwarding_vlans: Option<Vec<u16>>,
    /// Line of the port in the text it was first seen in.
    pub line: u32,
    /// Lines of the facts above by their key (`native_vlan`, `crc_errors`, …), with the file.
    pub lines: BTreeMap<String, Place>,
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
}

/// One RADIUS server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RadiusServer {
    /// Address.
    pub address: Option<String>,
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
