//! `resolved.conf` and its drop-ins, see resolved.conf(5).

use super::NameServer;
use crate::unit::ini;
use std::net::IpAddr;

/// What the configuration of systemd-resolved says of its servers. The servers of single links
/// come from the network service and are not in these files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// `DNS=`.
    pub servers: Vec<NameServer>,
    /// `FallbackDNS=` where it is set; asked only when no other server is known at all.
    pub fallback: Vec<NameServer>,
    /// `Domains=`.
    pub search: Vec<String>,
    /// `ReadEtcHosts=`, default yes.
    pub reads_hosts: bool,
}

/// Merges resolved.conf and its drop-ins, given as (path, text) in the order in which systemd
/// reads them. Lists add up; an empty assignment clears what came before it.
pub fn merge(files: &[(String, String)]) -> Resolved {
    let mut found = Resolved {
        reads_hosts: true,
        ..Resolved::default()
    };
    for (file, text) in files {
        for item in ini::parse(text).assignments {
            if item.section != "Resolve" {
                continue;
            }
            let list = match item.key.as_str() {
                "DNS" => &mut found.servers,
                "FallbackDNS" => &mut found.fallback,
                "Domains" => {
                    if item.value.is_empty() {
                        found.search.clear();
                    }
                    let domains = item.value.split_whitespace();
                    found.search.extend(domains.map(str::to_owned));
                    continue;
                }
                "ReadEtcHosts" => {
                    found.reads_hosts = ini::boolean(&item.value).unwrap_or(found.reads_hosts);
                    continue;
                }
                _ => continue,
            };
            if item.value.is_empty() {
                list.clear();
            }
            for word in item.value.split_whitespace() {
                if let Some(address) = address_of(word) {
                    list.push(NameServer {
                        address,
                        file: file.clone(),
                        line: item.line,
                        text: format!("{}={}", item.key, item.value),
                    });
                }
            }
        }
    }
    found
}

/// The address in a server as resolved.conf(5) and NetworkManager write it:
/// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`, each with `%INTERFACE` and `#SERVER-NAME`.
/// `None` where it holds no address.
pub fn address_of(word: &str) -> Option<String> {
    let word = word.split(['#', '%']).next().unwrap_or("");
    if word.parse::<IpAddr>().is_ok() {
        return Some(word.to_owned());
    }
    let address = match word.strip_prefix('[') {
        Some(inside) => inside.split(']').next()?,
        None => word.rsplit_once(':')?.0,
    };
    address.parse::<IpAddr>().ok().map(|_| address.to_owned())
}
