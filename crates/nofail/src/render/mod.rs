//! What a person sees.

pub mod advise;
pub mod audit;
pub mod blast;
pub mod bmc;
pub mod boot;
pub mod cutsets;
pub mod evacuate;
pub mod events;
pub mod evidence;
pub mod explain;
pub mod fix;
pub mod guard;
pub mod hook;
pub mod incident;
pub mod markdown;
pub mod model;
pub mod net;
pub mod order;
pub mod output;
pub mod plans;
pub mod reboot_check;
pub mod shared;
pub mod style;
pub mod triage;
pub mod vlan_map;
pub mod vlan_persist;
pub mod vlan_plan;

use std::io::Write as _;

/// Prints a whole text on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    output::stdout().write_all(text.as_bytes())?;
    Ok(())
}
