//! Rules on the host's own network interfaces.

pub mod bond_member_down;
pub mod crc_errors;
pub mod half_duplex;
pub mod slow_link;

use crate::Host;
use facts::nic::Nic;

/// Whether guests or the host's own traffic hang on the interface: it belongs to a bridge or
/// bond, or site.toml names it as an uplink.
fn is_used(host: &Host<'_>, nic: &Nic) -> bool {
    let site = host.estate.site.as_ref();
    let planned = site
        .and_then(|s| s.hosts.get(host.name()))
        .is_some_and(|h| h.uplinks.contains_key(&nic.name));
    nic.controller.is_some() || planned
}
