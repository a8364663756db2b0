//! What a prediction is asked to assume, and what is known of names beside the snapshot.

use super::native;
use std::collections::BTreeSet;

use facts::{Snapshot, Source, profile::ProfileKind};

/// What is out of reach during the boot, and what the estate knows that the host does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Unreachable: a source as it stands in fstab, a host name, or an address.
    pub unreachable: Vec<String>,
    /// Names and addresses of one and the same host, a group for each (from site.toml).
    pub aliases: Vec<Vec<String>>,
    /// Addresses of guests of this very host, and the guest: in a cold start nobody answers there.
    pub guest_addresses: Vec<(String, String)>,
    /// Services that guests of this host give, and whether somebody else gives them too.
    pub services: Vec<Service>,
    /// Who sets up the network; `None` lets the snapshot tell.
    pub network: Option<NetworkService>,
}

/// A service and the guests of this host behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name: `dns`, `gateway`, …
    pub name: String,
    /// Guests of this host any of which gives it.
    pub guests: Vec<String>,
    /// Whether a guest or machine elsewhere gives it too.
    pub elsewhere: bool,
}

/// Who sets up the network: decides whether a local mount can wait for a network mount at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkService {
    /// NetworkManager: starts after sysinit.target, and so after local-fs.target.
    NetworkManager,
    /// systemd-networkd: starts early, needs no local-fs.target.
    Networkd,
    /// Debian's ifupdown: starts after local-fs.target, needs nothing more of it.
    Ifupdown,
}

impl NetworkService {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NetworkManager, Self::Networkd, Self::Ifupdown];

    /// Those that the host starts at boot, as far as its unit directories were read.
    pub fn enabled(snapshot: &Snapshot) -> Vec<Self> {
        let starts = |service: &Self| native::enabled(snapshot, service.unit());
        Self::ALL.into_iter().filter(starts).collect()
    }

    /// The one that sets up the host's addresses: by what is enabled and by the profiles found, else the
    /// one of most systems.
    pub fn of(snapshot: &Snapshot) -> Self {
        let enabled = Self::enabled(snapshot);
        if let [one] = enabled.as_slice() {
            return *one;
        }
        let has = |kinds: &[ProfileKind]| snapshot.profiles.iter().any(|p| kinds.contains(&p.kind));
        if has(&[ProfileKind::Keyfile, ProfileKind::Ifcfg]) {
            Self::NetworkManager
        } else if has(&[ProfileKind::Networkd, ProfileKind::Netplan]) {
            Self::Networkd
        } else if has(&[ProfileKind::Ifupdown]) {
            Self::Ifupdown
        } else {
            enabled.first().copied().unwrap_or(Self::NetworkManager)
        }
    }

    /// Whether its start has to wait for local-fs.target.
    pub fn after_local_fs(self) -> bool {
        !matches!(self, Self::Networkd)
    }

    /// The unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::NetworkManager => "NetworkManager.service",
            Self::Networkd => "systemd-networkd.service",
            Self::Ifupdown => "networking.service",
        }
    }
}

/// Whether a server can be spoken to during this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// As far as is known, and what that rests on.
    Reachable(Option<String>),
    /// Its address does not answer.
    Silent(String),
    /// Its name cannot be resolved.
    Unresolvable(String),
}

/// The servers that a network source names: one, or several any of which will do.
pub(super) fn servers(source: &str, fstype: &str) -> Vec<String> {
    let source = source
        .strip_prefix("//")
        .map_or_else(|| source.to_owned(), |share| share.replacen('/', ":/", 1));
    let hosts = if let Some(inner) = source.strip_prefix('[') {
        inner.split(']').next().unwrap_or("").to_owned()
    } else {
        match source.split_once(":/").or_else(|| source.split_once(':')) {
            Some((hosts, _)) => hosts.to_owned(),
            None => return Vec::new(),
        }
    };
    let fstype = fstype.strip_prefix("fuse.").unwrap_or(fstype);
    hosts
        .split(',')
        .map(|host| {
            let host = host.rsplit('@').next().unwrap_or(host);
            // A monitor of ceph may carry its port.
            let host = if fstype == "ceph" {
                host.split(':').next().unwrap_or(host)
            } else {
                host
            };
            host.trim_matches(['[', ']']).to_owned()
        })
        .filter(|host| !host.is_empty())
        .collect()
}

impl Conditions {
    /// Every name and address that is the same host as this one.
    fn same(&self, name: &str, snapshot: &Snapshot) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = [name.to_lowercase()].into();
        for _ in 0..3 {
            let known = all.clone();
            for group in &self.aliases {
                if group.iter().any(|n| known.contains(&n.to_lowercase())) {
                    all.extend(group.iter().map(|n| n.to_lowercase()));
                }
            }
            for entry in &snapshot.names.hosts {
                let hit = known.contains(&entry.address)
                    || entry
                        .names
                        .iter()
                        .any(|n| known.contains(&n.to_lowercase()));
                // Everybody's loopback names say nothing about who is who.
                if hit && !is_loopback(&entry.address) {
                    all.insert(entry.address.clone());
                    all.extend(entry.names.iter().map(|n| n.to_lowercase()));
                }
            }
        }
        all
    }

    /// Whether this host name or address is listed as unreachable, and by which word.
    fn listed(&self, name: &str, snapshot: &Snapshot) -> Option<&str> {
        let same = self.same(name, snapshot);
        self.unreachable
            .iter()
            .find(|word| {
                let word = word.to_lowercase();
                // A bare name stands for the host in whichever domain.
                same.contains(&word)
                    || !word.contains(['.', ':', '/'])
                        && same.iter().any(|name| {
                            !is_address(name) && name.split('.').next() == Some(word.as_str())
                        })
            })
            .map(String::as_str)
    }

    /// Whether the source itself is listed, or, for an iSCSI path, the portal in it.
    pub(super) fn source_listed(&self, source: &str, device: &str) -> Option<&str> {
        self.unreachable
            .iter()
            .find(|word| {
                *word == source
                    || *word == device
                    || is_address(word) && device.contains(&format!("/ip-{word}:"))
            })
            .map(String::as_str)
    }

    /// Whether a server answers in this boot.
    pub(super) fn reach(&self, server: &str, snapshot: &Snapshot) -> Reach {
        if let Some(word) = self.listed(server, snapshot) {
            return Reach::Silent(if word.eq_ignore_ascii_case(server) {
                format!("{server} does not answer")
            } else {
                format!("{server} ({word}) does not answer")
            });
        }
        if let Some((_, guest)) = self.guest_addresses.iter().find(|(address, _)| {
            self.same(server, snapshot)
                .contains(&address.to_lowercase())
        }) {
            return Reach::Silent(format!("{server} is guest {guest} of this very host"));
        }
        if is_address(server) {
            return Reach::Reachable(None);
        }
        self.resolve(server, snapshot)
    }

    /// Whether a name can be resolved before any guest of this host runs.
    fn resolve(&self, name: &str, snapshot: &Snapshot) -> Reach {
        if let Some(why) = snapshot.why_unread(Source::Names) {
            return Reach::Reachable(Some(format!(
                "assumed that {name} resolves: resolv.conf was not read ({why})"
            )));
        }
        let names = &snapshot.names;
        let asks = |source: &str| {
            names.nsswitch.is_empty() && matches!(source, "files" | "dns")
                || names.nsswitch.iter().any(|s| s == source)
        };
        let in_hosts = names
            .hosts
            .iter()
            .find(|entry| entry.names.iter().any(|n| n.eq_ignore_ascii_case(name)));
        if let Some(entry) = in_hosts.filter(|_| asks("files")) {
            return Reach::Reachable(Some(format!(
                "{name} stands in /etc/hosts, line {}",
                entry.line
            )));
        }
        if !asks("dns") && !asks("resolve") {
            return Reach::Unresolvable(format!(
                "{name} does not stand in /etc/hosts, and nsswitch.conf asks nobody else"
            ));
        }
        let mut dead = Vec::new();
        for server in &names.servers {
            match self
                .guest_addresses
                .iter()
                .find(|(a, _)| *a == server.address)
            {
                Some((_, guest)) => {
                    dead.push(format!("{} is guest {guest} of this host", server.address))
                }
                None if self.listed(&server.address, snapshot).is_some() => {
                    dead.push(format!("{} does not answer", server.address));
                }
                None => {
                    return Reach::Reachable(Some(format!(
                        "{name} is resolved by name server {}, taken to answer",
                        server.address
                    )));
                }
            }
        }
        Reach::Unresolvable(if dead.is_empty() {
            format!("{name} cannot be resolved: resolv.conf names no server")
        } else {
            format!("{name} cannot be resolved: {}", dead.join(", "))
        })
    }
}

/// Whether this is an address and not a name.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

fn is_loopback(text: &str) -> bool {
    text.parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_sources() {
        for (source, fstype, hosts) in [
            ("nas-01:/volume1", "nfs", vec!["nas-01"]),
            ("[fd00::1]:/x", "nfs4", vec!["fd00::1"]),
            ("a,b:/x", "nfs", vec!["a", "b"]),
            ("//nas/share/deep", "cifs", vec!["nas"]),
            ("me@host:/srv", "fuse.sshfs", vec!["host"]),
            ("mon1:6789,mon2:/", "ceph", vec!["mon1", "mon2"]),
            ("vol", "glusterfs", vec![]),
        ] {
            assert_eq!(servers(source, fstype), hosts, "{source}");
        }
    }

    #[test]
    fn a_name_whose_only_servers_are_own_guests_is_unresolvable() {
        let mut snapshot = Snapshot::new("kvm-01");
        snapshot.names.servers = vec![facts::names::NameServer {
            address: "10.50.1.3".into(),
            ..Default::default()
        }];
        let mut conditions = Conditions::default();
        assert!(matches!(
            conditions.reach("nas-01", &snapshot),
            Reach::Reachable(Some(_))
        ));
        conditions.guest_addresses = vec![("10.50.1.3".into(), "bind-01".into())];
        assert!(matches!(
            conditions.reach("nas-01", &snapshot),
            Reach::Unresolvable(_)
        ));
        // Listed as unreachable under its address: aliases join the two.
        conditions.aliases = vec![vec!["nas-01".into(), "10.50.1.70".into()]];
        conditions.unreachable = vec!["10.50.1.70".into()];
        assert!(matches!(
            conditions.reach("nas-01", &snapshot),
            Reach::Silent(_)
        ));
        // The bare word names the host in its domain.
        conditions.unreachable = vec!["nas-01".into()];
        assert!(matches!(
            conditions.reach("nas-01.lan", &snapshot),
            Reach::Silent(_)
        ));
        assert!(matches!(
            conditions.reach("10.50.1.70", &snapshot),
            Reach::Silent(_)
        ));
        assert!(matches!(
            conditions.reach("10.50.1.71", &snapshot),
            Reach::Reachable(None)
        ));
    }
}
