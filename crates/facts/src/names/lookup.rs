//! Which source answers for a name, by nsswitch.conf(5) and the manual pages of its modules.

use super::{HostsEntry, Names};
use std::net::IpAddr;

/// Where the address of a name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The name is an address: no source is asked.
    Literal,
    /// A line of `/etc/hosts`, before any name server is asked.
    Hosts(&'a HostsEntry),
    /// The host itself: nss-myhostname(8), or `localhost`.
    Own,
    /// Multicast DNS on the local link: needs no server.
    Multicast,
    /// A name server is asked.
    Dns,
    /// No source of nsswitch.conf would be asked that could know it.
    Nowhere,
}

/// The line of `/etc/hosts` that names `name` (hosts(5): names compare without regard to case;
/// a trailing dot is not part of a name).
pub fn lookup_in_hosts<'a>(names: &'a Names, name: &str) -> Option<&'a HostsEntry> {
    let name = name.trim_end_matches('.');
    if name.is_empty() {
        return None;
    }
    names
        .hosts
        .iter()
        .find(|entry| entry.names.iter().any(|n| n.eq_ignore_ascii_case(name)))
}

/// Whether a name in `/etc/hosts` is answered from there before any name server is asked:
/// `files` (or systemd-resolved, which reads that file itself unless `ReadEtcHosts=no`) stands
/// before `dns`.
pub fn files_first(names: &Names) -> bool {
    for source in sources(names) {
        match kind(source) {
            Kind::Files => return true,
            Kind::Resolve => return names.resolved_reads_hosts.unwrap_or(true),
            Kind::Dns => return false,
            Kind::Myhostname | Kind::Multicast | Kind::Local => {}
        }
    }
    false
}

/// Whether finding the address of `name` asks a name server. Where `dns` stands before `files`
/// it does, even for a name that `/etc/hosts` holds.
pub fn needs_dns(names: &Names, name: &str) -> bool {
    resolve(names, name) == Answer::Dns
}

/// Which source answers for a name. Sources that nofail does not know (`sss`, `ldap`, `wins`)
/// count as a name server: they need some other machine.
pub fn resolve<'a>(names: &'a Names, name: &str) -> Answer<'a> {
    let name = name.trim_end_matches('.');
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    let literal = literal.split('%').next().unwrap_or(literal);
    if literal.parse::<IpAddr>().is_ok() {
        return Answer::Literal;
    }
    for (index, source) in sources(names).into_iter().enumerate() {
        match kind(source) {
            Kind::Files => {
                if let Some(entry) = lookup_in_hosts(names, name) {
                    return Answer::Hosts(entry);
                }
            }
            Kind::Resolve => {
                if names.resolved_reads_hosts.unwrap_or(true)
                    && let Some(entry) = lookup_in_hosts(names, name)
                {
                    return Answer::Hosts(entry);
                }
                // systemd-resolved.service(8) synthesises these itself.
                return if is_own(names, name) {
                    Answer::Own
                } else {
                    Answer::Dns
                };
            }
            Kind::Myhostname => {
                if is_own(names, name) {
                    return Answer::Own;
                }
            }
            Kind::Multicast => {
                if is_multicast(source, name) {
                    return Answer::Multicast;
                }
                // The `minimal` module answers only for *.local; for any other name it gives
                // `notfound` only there, so that `[NOTFOUND=return]` does not end the search.
                continue;
            }
            Kind::Dns => return Answer::Dns,
            Kind::Local => {}
        }
        if ends(names, index) {
            return Answer::Nowhere;
        }
    }
    Answer::Nowhere
}

enum Kind {
    Files,
    Resolve,
    Dns,
    Myhostname,
    Multicast,
    Local,
}

fn kind(source: &str) -> Kind {
    match source {
        "files" | "altfiles" | "db" | "compat" => Kind::Files,
        "resolve" => Kind::Resolve,
        "myhostname" => Kind::Myhostname,
        // Containers and guests known to this host itself.
        "mymachines" | "libvirt" | "libvirt_guest" => Kind::Local,
        other if other.starts_with("mdns") => Kind::Multicast,
        _ => Kind::Dns,
    }
}

fn sources(names: &Names) -> Vec<&str> {
    if names.nsswitch.is_empty() {
        // What every distribution ships, and glibc's own default since 2.34.
        vec!["files", "dns"]
    } else {
        names.nsswitch.iter().map(String::as_str).collect()
    }
}

/// Whether an action ends the search after a source that did not find the name.
fn ends(names: &Names, index: usize) -> bool {
    names
        .nsswitch_actions
        .iter()
        .filter(|a| a.after == index && a.action == "return")
        .any(|a| (a.status == "notfound") != a.negated)
}

fn is_own(names: &Names, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || lower == "localhost.localdomain"
        || names
            .own_name
            .as_deref()
            .is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// nss-mdns: the `minimal` modules answer for names of two labels that end in `.local`,
/// the full ones for every name that does.
fn is_multicast(source: &str, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let Some(host) = lower.strip_suffix(".local") else {
        return false;
    };
    !source.ends_with("_minimal") || !host.contains('.')
}
