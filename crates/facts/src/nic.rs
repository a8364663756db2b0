//! Physical network interfaces, from sysfs (`/sys/class/net`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One physical interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Nic {
    /// Device name.
    pub name: String,
    /// MAC address, lower case.
    pub mac: Option<String>,
    /// Operational state: `up`, `down`, …
    pub state: Option<String>,
    /// Speed in Mbit/s; `None` where the link is down or the driver does not tell.
    pub speed: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<String>,
    /// Driver.
    pub driver: Option<String>,
    /// Bond, team or bridge it belongs to.
    pub controller: Option<String>,
    /// Error counters of `statistics/`: `rx_crc_errors`, `rx_frame_errors`, `rx_errors`, …
    pub counters: BTreeMap<String, u64>,
}
