//! Writes the two raw netlink dumps that bridges are read from, as fixtures for tests:
//! `record_netlink DIR` makes `DIR/links.bin` and `DIR/vlans.bin`.

use collect::netlink::{decode::AF_BRIDGE, dump};
use std::path::PathBuf;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("give a directory")?);
    let deadline = Duration::from_secs(5);
    std::fs::write(directory.join("links.bin"), dump(0, deadline)?)?;
    std::fs::write(directory.join("vlans.bin"), dump(AF_BRIDGE, deadline)?)?;
    Ok(())
}
