//! `/etc/hosts`, see hosts(5): an address, then names; `#` begins a comment anywhere.

use super::HostsEntry;
use std::net::IpAddr;

/// Every line that gives names to an address. As the resolver does, a line whose first field
/// is no address, or that has no name, is passed over.
pub fn parse(text: &str) -> Vec<HostsEntry> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = line.split('#').next().unwrap_or("");
        let mut fields = line.split_whitespace();
        let Some(address) = fields.next() else {
            continue;
        };
        // A link-local address may carry its interface: `fe80::1%eth0`.
        let bare = address.split('%').next().unwrap_or(address);
        if bare.parse::<IpAddr>().is_err() {
            continue;
        }
        let names: Vec<String> = fields.map(str::to_owned).collect();
        if !names.is_empty() {
            entries.push(HostsEntry {
                address: address.to_owned(),
                names,
                line: line_number,
            });
        }
    }
    entries
}
