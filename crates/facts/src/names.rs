//! Name resolution: resolv.conf(5), hosts(5), nsswitch.conf(5).

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
