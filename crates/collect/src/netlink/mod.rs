//! Links, bridges and VLANs from the kernel, over route netlink (rtnetlink(7)).
//!
//! Synchronous on purpose: libvirt's hook starts, reads, writes and ends within milliseconds and
//! would pay for an async runtime. The socket is rustix's, framing and attributes are
//! netlink-packet-core's and -route's. `decode` is pure and tested on recorded bytes; `socket`
//! does the talking.

pub mod decode;
mod socket;

pub use socket::{NetlinkError, dump, dump_addresses};

use decode::AF_BRIDGE;
use facts::bridge::Link;
use std::time::Duration;

/// Reads every link of this network namespace, with the VLANs of bridges and their ports.
///
/// Three dumps: of all links (kinds, controllers, settings of bridges), of family `AF_BRIDGE`
/// with `RTEXT_FILTER_BRVLAN_COMPRESSED`, and of all addresses, so that 1,000 ports with all VLANs each stay a few
/// kilobytes. `has_device` answers whether `/sys/class/net/NAME/device` exists: asked only for
/// devices without a kind on kernels that do not name the parent (before 5.14).
///
/// # Errors
/// [`NetlinkError`].
pub fn links(
    deadline: Duration,
    has_device: &dyn Fn(&str) -> bool,
) -> Result<Vec<Link>, NetlinkError> {
    let all = dump(0, deadline)?;
    let vlans = dump(AF_BRIDGE, deadline)?;
    let mut links = decode::links(&all, &vlans, has_device)?;
    let mut addresses = decode::addresses(&dump_addresses(deadline)?)?;
    for link in &mut links {
        link.addresses = addresses.remove(&link.index).unwrap_or_default();
    }
    Ok(links)
}
