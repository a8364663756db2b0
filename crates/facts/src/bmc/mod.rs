//! The BMC, seen from the host's own interface (`/dev/ipmi0`, SMBIOS type 38, sysfs).

pub mod check;
pub mod ipmi;
pub mod lan;
pub mod smbios;
#[cfg(test)]
mod tests;

pub use check::Check;

use serde::{Deserialize, Serialize};

/// What the host knows of its own BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bmc {
    /// Whether there is one; `None` where it could not be told.
    pub present: Option<bool>,
    /// The device: `/dev/ipmi0`.
    pub device: Option<String>,
    /// LAN channel number.
    pub channel: Option<u8>,
    /// What showed that there is one (or none): `/dev/ipmi0`, `SMBIOS type 38`.
    pub evidence: Vec<String>,
    /// Address of the LAN channel; `0.0.0.0` is unconfigured.
    pub address: Option<String>,
    /// `static`, `dhcp`, `bios`, `unspecified`.
    pub address_source: Option<String>,
    /// VLAN of the LAN channel, where set.
    pub vlan: Option<u16>,
    /// Serial consoles the kernel speaks to (`console=ttyS1` of the command line).
    pub serial_consoles: Vec<String>,
    /// Whether a getty runs on one of them, where that could be told.
    pub serial_getty: Option<bool>,
}
