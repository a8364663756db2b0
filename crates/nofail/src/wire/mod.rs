//! JSON as others read it: own types, each with a versioned `schema`. The core's types are not
//! serialised, so that they may change.

pub mod advise;
pub mod audit;
pub mod blast;
pub mod bmc;
pub mod boot;
pub mod cutsets;
pub mod events;
pub mod explain;
pub mod fix;
pub mod guard;
pub mod hook;
pub mod model;
pub mod net;
pub mod not_checked;
pub mod order;
pub mod plans;
pub mod reboot_check;
pub mod sarif;
pub mod shared;
pub mod triage;
pub mod vlan_map;
pub mod vlan_persist;
pub mod vlan_plan;

use serde::Serialize;
use std::io::Write;

/// Prints one JSON document on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(document: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}
