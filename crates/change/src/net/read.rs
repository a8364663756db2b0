//! The present state, over netlink.

use super::state::State;
use collect::netlink::{self, NetlinkError};
use std::path::Path;
use std::time::Duration;

/// Reads links, bridge VLANs, addresses and routes of this network namespace.
///
/// # Errors
/// [`NetlinkError`].
pub fn state(deadline: Duration) -> Result<State, NetlinkError> {
    let has_device = |name: &str| {
        Path::new(&format!("/sys/class/net/{name}/device"))
            .symlink_metadata()
            .is_ok()
    };
    let links = netlink::links(deadline, &has_device)?;
    let (addresses, routes) = netlink::addresses_and_routes(&links, deadline)?;
    Ok(State::new(&links, addresses, routes))
}

/// Whether this kernel knows VLANs of bridges: it then tells each bridge's default PVID. Without
/// any bridge it is taken to.
pub fn has_vlans(state: &State) -> bool {
    let mut bridges = state.devices.values().filter_map(|d| d.bridge).peekable();
    bridges.peek().is_none() || bridges.any(|b| b.default_pvid.is_some())
}
