//! The guests of one host: host, disks with their backing chains, network, VLAN, and what
//! site.toml says that they need.

use super::storage::Storage;
use super::{because, by_site, read_at};
use crate::Estate;
use crate::graph::lookup::home;
use crate::graph::{Graph, Index, Kind, Regimes, Start};
use facts::domain::{Disk, Guest, Interface};
use facts::{Evidence, Snapshot};

pub(super) fn add_all(
    graph: &mut Graph,
    estate: &Estate,
    snapshot: &Snapshot,
    storage: &Storage<'_>,
) {
    for guest in &snapshot.guests {
        if lives_here(graph, estate, snapshot, &guest.name) {
            add(graph, estate, snapshot, storage, guest);
        }
    }
}

/// Whether this host is the guest's home.
fn lives_here(graph: &Graph, estate: &Estate, snapshot: &Snapshot, guest: &str) -> bool {
    let intent = estate.intent(guest).and_then(|i| i.host.as_deref());
    let definitions = graph.homes.get(guest).map(Vec::as_slice);
    home(definitions.unwrap_or_default(), intent) == Some(snapshot.host.as_str())
}

fn add(
    graph: &mut Graph,
    estate: &Estate,
    snapshot: &Snapshot,
    storage: &Storage<'_>,
    guest: &Guest,
) {
    let host = graph.add(Kind::Host, &snapshot.host);
    let index = graph.add(Kind::Guest, &guest.name);
    // What site.toml alone said of it, while no host defined it.
    if graph.component(index).host.is_none() {
        graph.clear(index);
    }
    graph.add_to(&snapshot.host, Kind::Guest, &guest.name);
    let place = Evidence {
        file: guest.file.clone(),
        line: (guest.line > 0).then_some(guest.line),
        ..Evidence::default()
    };
    graph.need_one(index, host, Regimes::BOTH, read_at("defined on it", place));
    if guest.autostart == Some(false) || !guest.persistent {
        graph.component_mut(index).start = Start::Person;
    }
    for disk in &guest.disks {
        add_disk(graph, snapshot, storage, guest, index, disk);
    }
    for interface in &guest.interfaces {
        add_interface(graph, estate, snapshot, guest, index, interface);
    }
    site_needs(graph, estate, index, &guest.name);
}

/// A removable medium matters to a start only, and only where its absence stops the start
/// (libvirt, formatdomain: `startupPolicy`).
fn regimes(disk: &Disk) -> Option<Regimes> {
    let removable = matches!(disk.device.as_str(), "cdrom" | "floppy");
    match (removable, disk.startup_policy.as_deref()) {
        (true, Some("optional")) => None,
        (true, _) => Some(Regimes::COLD),
        (false, _) => Some(Regimes::BOTH),
    }
}

fn add_disk(
    graph: &mut Graph,
    snapshot: &Snapshot,
    storage: &Storage<'_>,
    guest: &Guest,
    of: Index,
    disk: &Disk,
) {
    let (Some(regimes), Some(source)) = (regimes(disk), &disk.source) else {
        return;
    };
    let place = Evidence::line(&guest.file, disk.source_line.max(disk.line), &disk.text);
    let path = disk.resolved.as_deref().unwrap_or(source);
    let top = add_image(graph, snapshot, storage, &disk.kind, path, &disk.hosts);
    let text = format!("its disk {}", disk.target);
    graph.need_one(of, top, regimes, read_at(text, place.clone()));
    let mut above = top;
    for backing in &disk.backing {
        let image = add_image(
            graph,
            snapshot,
            storage,
            &backing.kind,
            &backing.source,
            &[],
        );
        // Several disks may share a chain; one need is enough.
        let known = graph.clauses(above).iter().any(|c| c.members == [image]);
        if !known {
            let place = Evidence::measured(&backing.read_from, &backing.source);
            graph.need_one(
                above,
                image,
                Regimes::BOTH,
                read_at("its backing file", place),
            );
        }
        above = image;
    }
}

fn add_image(
    graph: &mut Graph,
    snapshot: &Snapshot,
    storage: &Storage<'_>,
    kind: &str,
    source: &str,
    hosts: &[String],
) -> Index {
    let index = graph.add_to(
        &snapshot.host,
        Kind::Disk,
        &format!("{}:{source}", snapshot.host),
    );
    if !graph.clauses(index).is_empty() {
        return index;
    }
    if kind == "network" {
        let servers: Vec<Index> = hosts
            .iter()
            .map(|h| h.rsplit_once(':').map_or(h.as_str(), |(name, _)| name))
            .map(|name| graph.add(Kind::Nas, name))
            .collect();
        if !servers.is_empty() {
            graph.need(
                index,
                1,
                servers,
                Regimes::BOTH,
                because("served by one of them"),
            );
        }
    } else if source.starts_with('/') && !source.starts_with("/dev/") {
        let mount = storage.mount_of(graph, source);
        graph.need_one(index, mount, Regimes::BOTH, because("lies on it"));
    } else {
        let host = graph.add(Kind::Host, &snapshot.host);
        graph.need_one(index, host, Regimes::BOTH, because("a device of this host"));
    }
    index
}

fn add_interface(
    graph: &mut Graph,
    estate: &Estate,
    snapshot: &Snapshot,
    guest: &Guest,
    of: Index,
    interface: &Interface,
) {
    let place = Evidence {
        file: guest.file.clone(),
        line: (interface.line > 0).then_some(interface.line),
        ..Evidence::default()
    };
    let host = &snapshot.host;
    if interface.kind == "network"
        && let Some(network) = &interface.source
        && let Some(network) = graph.find_present(&format!("network:{host}:{network}"))
    {
        graph.need_one(
            of,
            network,
            Regimes::BOTH,
            read_at("its network", place.clone()),
        );
    }
    let bridge = interface.bridge.as_ref().or(interface.source.as_ref());
    let Some(bridge) = bridge.filter(|_| interface.kind != "direct") else {
        return;
    };
    if let Some(index) = graph.find_present(&format!("bridge:{host}:{bridge}")) {
        graph.need_one(of, index, Regimes::BOTH, read_at("its bridge", place));
    }
    let port = snapshot
        .bridges
        .iter()
        .find(|b| b.name == *bridge && b.vlan_filtering == Some(true))
        .and_then(|b| {
            b.ports
                .iter()
                .find(|p| p.guest.as_deref() == Some(&guest.name))
        });
    let planned = estate
        .intent(&guest.name)
        .and_then(|g| g.pvid)
        .or_else(|| estate.bridge_plan(host, bridge)?.guest());
    if let Some(vlan) = port.and_then(|p| p.pvid).or(planned) {
        let vlan = graph.add(Kind::Vlan, &vlan.to_string());
        graph.need_one(of, vlan, Regimes::BOTH, because("its untagged frames"));
    }
}

/// What site.toml says that a guest needs: services first, then groups, guests, file servers,
/// hosts of that name.
pub(super) fn site_needs(graph: &mut Graph, estate: &Estate, of: Index, name: &str) {
    let (Some(site), Some(intent)) = (&estate.site, estate.intent(name)) else {
        return;
    };
    for need in &intent.needs {
        let service = graph.lookup.services.contains(need);
        let kind = if service {
            Kind::Service
        } else if site.groups.contains_key(need) {
            Kind::Group
        } else if site.guests.contains_key(need) {
            Kind::Guest
        } else if site.nas.contains_key(need) {
            Kind::Nas
        } else {
            Kind::Host
        };
        let needed = graph.add(kind, need);
        let why = by_site(estate, "needs it, says site.toml", "guests", name, "needs");
        graph.need_one(of, needed, Regimes::BOTH, why);
    }
}
