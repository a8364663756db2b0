//! Name resolution: resolv.conf(5), hosts(5), nsswitch.conf(5), resolved.conf(5).
//!
//! [`lookup::resolve`] tells from these files alone which source would answer for a name. It asks
//! no resolver and no server.

mod hosts;
pub mod lookup;
mod nsswitch;
mod resolv;
mod resolved;
#[cfg(test)]
mod tests;

pub use hosts::parse as parse_hosts;
pub use lookup::{files_first, lookup_in_hosts, needs_dns};
pub use nsswitch::parse as parse_nsswitch;
pub use resolv::{MAX_SERVERS, ResolvConf, is_local_stub, parse as parse_resolv_conf};
pub use resolved::{Resolved, address_of as server_address, merge as merge_resolved};

use serde::{Deserialize, Serialize};

/// How this host finds the address of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Name servers, in order; behind a local stub (127.0.0.53) those that the stub asks.
    pub servers: Vec<NameServer>,
    /// Search domains.
    pub search: Vec<String>,
    /// Lines of `/etc/hosts`.
    pub hosts: Vec<HostsEntry>,
    /// Sources of the `hosts` database in order (`files`, `dns`, `resolve`, `mdns4_minimal`);
    /// empty where nsswitch.conf is absent (then `files dns`).
    pub nsswitch: Vec<String>,
    /// The actions after each of these sources, by its index in `nsswitch`.
    pub nsswitch_actions: Vec<Action>,
    /// Address of the local stub that resolv.conf names (`127.0.0.53`), where it names one.
    pub stub: Option<String>,
    /// Whether systemd-resolved answers from `/etc/hosts` (`ReadEtcHosts=`, default yes).
    /// `None` where its configuration was not read.
    pub resolved_reads_hosts: Option<bool>,
    /// The host's own name, which nss-myhostname(8) answers for.
    pub own_name: Option<String>,
}

/// One action of nsswitch.conf(5): `[NOTFOUND=return]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// Index in [`Names::nsswitch`] of the source that it follows.
    pub after: usize,
    /// Whether the status is negated (`[!UNAVAIL=return]`).
    pub negated: bool,
    /// `success`, `notfound`, `unavail`, `tryagain`; lower case.
    pub status: String,
    /// `return`, `continue`, `merge`; lower case.
    pub action: String,
}

/// One name server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NameServer {
    /// Address.
    pub address: String,
    /// File it was read from.
    pub file: String,
    /// Line in that file.
    pub line: u32,
    /// That line.
    pub text: String,
}

/// One line of `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostsEntry {
    /// Address.
    pub address: String,
    /// Canonical name and aliases.
    pub names: Vec<String>,
    /// Line, from 1.
    pub line: u32,
}
