//! Pure algorithms over the dependency model, over a host's next boot, and over fault trees.

pub mod boot;
mod connected;
pub mod cutsets;
pub mod impact;
pub mod mef;
pub mod vlan;
