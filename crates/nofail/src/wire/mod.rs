//! JSON as others read it: own types, each with a versioned `schema`. The core's types are not
//! serialised, so that they may change.

pub mod advise;
pub mod audit;
pub mod blast;
pub mod bmc;
pub mod boot;
pub mod cutsets;
pub mod evacuate;
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

use crate::render::output;
use serde::Serialize;
use std::io::{BufWriter, Write};

/// Prints one JSON document on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(document: &impl Serialize) -> anyhow::Result<()> {
    // In pieces: the findings of a large site fill hundreds of megabytes.
    let mut out = BufWriter::with_capacity(1 << 16, output::stdout());
    // As an error of input and output: that the reader went away is looked for there.
    serde_json::to_writer_pretty(&mut out, document).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
