//! `/etc/resolv.conf`, see resolv.conf(5).

use super::NameServer;
use std::net::IpAddr;

/// How many `nameserver` lines the resolver of glibc uses (`MAXNS`); it passes over the rest.
pub const MAX_SERVERS: usize = 3;

/// What a resolv.conf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Every `nameserver` line that holds an address, in order.
    pub servers: Vec<NameServer>,
    /// Search list: the last `search` or `domain` line counts.
    pub search: Vec<String>,
}

/// Reads a resolv.conf. A line that is none of its keywords is passed over, as the resolver does.
/// `file` is the name that the servers carry as evidence.
pub fn parse(file: &str, text: &str) -> ResolvConf {
    let mut found = ResolvConf::default();
    for (index, line) in text.lines().enumerate() {
        // The keyword must stand at the beginning of the line; `;` and `#` there begin comments.
        let mut fields = line.split_whitespace();
        if line.starts_with(|c: char| c.is_whitespace()) {
            continue;
        }
        match fields.next() {
            Some("nameserver") => {
                let address = fields.next().unwrap_or("");
                let bare = address.split('%').next().unwrap_or("");
                if bare.parse::<IpAddr>().is_ok() {
                    found.servers.push(NameServer {
                        address: address.to_owned(),
                        file: file.to_owned(),
                        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
                        text: line.to_owned(),
                    });
                }
            }
            Some("search") => found.search = fields.map(str::to_owned).collect(),
            Some("domain") => found.search = fields.take(1).map(str::to_owned).collect(),
            _ => {}
        }
    }
    found
}

/// Whether an address is systemd-resolved's own stub: 127.0.0.53, or 127.0.0.54 which passes
/// queries through (systemd-resolved.service(8)). Both ask other servers.
pub fn is_local_stub(address: &str) -> bool {
    matches!(address, "127.0.0.53" | "127.0.0.54")
}
