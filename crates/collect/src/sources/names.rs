//! Names: resolv.conf, hosts, nsswitch.conf; behind systemd-resolved the servers that it asks.

use super::files::{self, Got};
use crate::{HostReader, Options};
use facts::names::{self, NameServer};
use facts::{Snapshot, Source};

const HOSTS: &str = "/etc/hosts";
const NSSWITCH: &str = "/etc/nsswitch.conf";
const RESOLV: &str = "/etc/resolv.conf";
/// What systemd-resolved writes: the servers that it really asks (systemd-resolved.service(8)).
const UPLINKS: &str = "/run/systemd/resolve/resolv.conf";

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    let here = [HOSTS, NSSWITCH, RESOLV]
        .iter()
        .any(|path| reader.lstat(path).is_ok());
    if !reader.complete() && !here {
        snapshot.not_read(
            Source::Names,
            "no etc/hosts, nsswitch.conf or resolv.conf in this tree",
        );
        return;
    }
    snapshot.names.own_name = Some(snapshot.host.clone()).filter(|h| h != "unknown");
    match files::text(reader, HOSTS) {
        Got::Text(text) => snapshot.names.hosts = names::parse_hosts(&text),
        Got::Absent => {}
        Got::Unread(reason) => snapshot.item_not_read(Source::Names, HOSTS, reason),
    }
    match files::text(reader, NSSWITCH) {
        Got::Text(text) => match names::parse_nsswitch(&text) {
            Ok(Some((sources, actions))) => {
                snapshot.names.nsswitch = sources;
                snapshot.names.nsswitch_actions = actions;
            }
            Ok(None) => {}
            Err(error) => {
                snapshot.item_not_read(Source::Names, NSSWITCH, format!("{NSSWITCH}:{error}"));
            }
        },
        Got::Absent => {}
        Got::Unread(reason) => snapshot.item_not_read(Source::Names, NSSWITCH, reason),
    }
    servers(reader, snapshot);
}

fn servers(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let resolved = names::merge_resolved(&files::systemd_conf(reader, "systemd/resolved.conf"));
    if reader.complete() {
        snapshot.names.resolved_reads_hosts = Some(resolved.reads_hosts);
    }
    let (conf, unread) = match files::text(reader, RESOLV) {
        Got::Text(text) => (names::parse_resolv_conf(RESOLV, &text), None),
        Got::Absent | Got::Unread(_) if reader.read_link(RESOLV).is_ok() => {
            // A link into /run, which a tree does not hold: the network service writes it.
            let reason = "points into /run, which only the running host has";
            (
                names::ResolvConf::default(),
                Some(format!("{RESOLV}: {reason}")),
            )
        }
        // Without the file the resolver asks a server on this very host (resolv.conf(5)).
        Got::Absent => (names::ResolvConf::default(), None),
        Got::Unread(reason) => (names::ResolvConf::default(), Some(reason)),
    };
    snapshot.names.search = conf.search;
    let stub = conf
        .servers
        .first()
        .filter(|s| names::is_local_stub(&s.address));
    if let Some(stub) = stub {
        snapshot.names.stub = Some(stub.address.clone());
    }
    if stub.is_none() && unread.is_none() {
        snapshot.names.servers = conf.servers;
        snapshot.names.servers.truncate(names::MAX_SERVERS);
        return;
    }
    if let Ok(text) = reader.text(UPLINKS) {
        let uplinks = names::parse_resolv_conf(UPLINKS, &text);
        snapshot.names.servers = uplinks.servers;
        return;
    }
    // Not running: what is configured for good. A server that DHCP gives is not in it.
    let mut servers = resolved.servers;
    servers.extend(from_profiles(reader));
    if servers.is_empty() {
        let reason = unread.unwrap_or_else(|| {
            format!("{RESOLV} names the stub of systemd-resolved; its servers are known only while it runs")
        });
        snapshot.item_not_read(Source::Names, RESOLV, reason);
    }
    snapshot.names.search.extend(resolved.search);
    snapshot.names.servers = servers;
}

/// Name servers in network profiles: NetworkManager's keyfiles and ifcfg files, networkd's
/// `.network` files.
fn from_profiles(reader: &dyn HostReader) -> Vec<NameServer> {
    let mut found = Vec::new();
    let mut take = |path: &str, wanted: &dyn Fn(&str) -> bool, separators: &[char]| {
        let Ok(text) = reader.text(path) else { return };
        for (index, line) in text.lines().enumerate() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if !wanted(key.trim()) {
                continue;
            }
            let value = value.trim().trim_matches(['"', '\'']);
            for word in value.split(separators).filter(|w| !w.is_empty()) {
                if let Some(address) = names::server_address(word) {
                    found.push(NameServer {
                        address,
                        file: path.to_owned(),
                        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
                        text: line.to_owned(),
                    });
                }
            }
        }
    };
    let keyfiles = "/etc/NetworkManager/system-connections";
    for name in files::list(reader, keyfiles) {
        if name.ends_with(".nmconnection") {
            take(
                &format!("{keyfiles}/{name}"),
                &|key| key == "dns",
                &[';', ','],
            );
        }
    }
    let scripts = "/etc/sysconfig/network-scripts";
    for name in files::list(reader, scripts) {
        if name.starts_with("ifcfg-") && name != "ifcfg-lo" {
            let is_dns = |key: &str| {
                key.strip_prefix("DNS")
                    .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            };
            take(&format!("{scripts}/{name}"), &is_dns, &[' ']);
        }
    }
    let networkd = "/etc/systemd/network";
    for name in files::list(reader, networkd) {
        if name.ends_with(".network") {
            take(&format!("{networkd}/{name}"), &|key| key == "DNS", &[' ']);
        }
    }
    found
}
