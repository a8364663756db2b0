//! Links, bridges and VLANs from the kernel, over route netlink (rtnetlink(7)).
//!
//! Synchronous on purpose: libvirt's hook starts, reads, writes and ends within milliseconds and
//! would pay for an async runtime. The socket is rustix's, framing and attributes are
//! netlink-packet-core's and -route's. `decode` is pure and tested on recorded bytes; `socket`
//! does the talking.

pub mod address;
pub mod decode;
mod socket;

pub use socket::{NetlinkError, dump};

use decode::AF_BRIDGE;
use facts::bridge::Link;
use facts::ip::{Address, Route};
use std::collections::BTreeMap;
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
    let addresses = socket::dump_of(socket::Asked::Addresses, deadline)?;
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for address in address::addresses(&addresses, &names(&links))? {
        if address.scope < SCOPE_LINK {
            let text = format!("{}/{}", address.local, address.prefix);
            by_name.entry(address.device).or_default().push(text);
        }
    }
    for link in &mut links {
        link.addresses = by_name.remove(&link.name).unwrap_or_default();
    }
    Ok(links)
}

/// Addresses from this scope on are good on their link or host only (`RT_SCOPE_LINK`,
/// linux/rtnetlink.h).
const SCOPE_LINK: u8 = 253;

fn names(links: &[Link]) -> address::Names {
    links.iter().map(|l| (l.index, l.name.clone())).collect()
}

/// Reads every address and every unicast route of this network namespace. `links` gives the
/// devices their names.
///
/// # Errors
/// [`NetlinkError`].
pub fn addresses_and_routes(
    links: &[Link],
    deadline: Duration,
) -> Result<(Vec<Address>, Vec<Route>), NetlinkError> {
    let names = names(links);
    let addresses = socket::dump_of(socket::Asked::Addresses, deadline)?;
    let routes = socket::dump_of(socket::Asked::Routes, deadline)?;
    Ok((
        address::addresses(&addresses, &names)?,
        address::routes(&routes, &names)?,
    ))
}
