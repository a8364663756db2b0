//! VLANs of bridge ports, set over netlink: change, read back, repair.
//!
//! The one exception to plans and their journal (DESIGN, principle 3): a guest's port lives as
//! long as its guest runs and comes up wrong at each start; the hook and the reconciler must put it
//! right within milliseconds. Bridge VLANs have no transaction in the kernel: of a request with
//! several entries, those before a failing one stay. So what was asked for is read back, and asked
//! for again where it differs. Who calls this records before and after of each port.
//!
//! Processes that do this at the same time do not disturb one another: each request names one port
//! by its index, the kernel handles requests one after the other (under its RTNL lock), and nothing
//! is kept between two runs.

mod apply;
mod delta;
pub mod demand;
mod encode;
mod kernel;

pub use apply::{Ending, Outcome, Ports, Target, bring_about};
pub use delta::{Delta, delta};
pub use demand::Demand;
pub use encode::{remove, set};
pub use kernel::{Kernel, VlanError};

use facts::bridge::{Entries, vid::short};
use std::fmt;

/// One port of a bridge (or a bridge's own entry) as the kernel has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortState {
    /// Interface index.
    pub index: u32,
    /// Device name.
    pub name: String,
    /// Name of its bridge; its own name for the bridge's own entry.
    pub bridge: String,
    /// Its VLANs. A port without any and a kernel without VLAN filtering look alike: before 5.11 the
    /// kernel leaves the attribute out in both cases. The latter refuses to set any.
    pub entries: Entries,
}

impl PortState {
    /// Whether it is the bridge's own entry and no port.
    pub fn is_own(&self) -> bool {
        self.name == self.bridge
    }
}

/// VLANs for a person and for logs: `100 pvid untagged, 10,20-22`; `none`.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Entries);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entries {
            pvid,
            untagged,
            tagged,
        } = self.0;
        let mut parts: Vec<String> = Vec::new();
        for vid in untagged {
            let flag = if *pvid == Some(*vid) { " pvid" } else { "" };
            parts.push(format!("{vid}{flag} untagged"));
        }
        // A PVID that leaves tagged: rare, and odd enough to be named.
        for vid in pvid.iter().filter(|vid| !untagged.contains(vid)) {
            parts.push(format!("{vid} pvid"));
        }
        let rest: Vec<u16> = tagged
            .iter()
            .copied()
            .filter(|v| *pvid != Some(*v))
            .collect();
        if !rest.is_empty() {
            parts.push(short(&rest));
        }
        if parts.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests;
