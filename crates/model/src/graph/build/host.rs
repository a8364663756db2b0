//! One host: its bridges, uplinks and the ports of the switch behind them; then its storage and
//! guests.

use super::{because, by_site, guest, read_at, storage};
use crate::Estate;
use crate::graph::{Graph, Index, Kind, Regimes};
use facts::bridge::{Bridge, Role};
use facts::{Evidence, Snapshot};

pub(super) fn add(graph: &mut Graph, estate: &Estate, snapshot: &Snapshot) {
    let host = graph.add(Kind::Host, &snapshot.host);
    for bridge in &snapshot.bridges {
        add_bridge(graph, estate, snapshot, host, bridge);
    }
    for network in &snapshot.networks {
        let name = format!("{}:{}", snapshot.host, network.name);
        let index = graph.add_to(&snapshot.host, Kind::Network, &name);
        graph.need_one(
            index,
            host,
            Regimes::BOTH,
            because("a network of this host"),
        );
        if let Some(bridge) = &network.bridge
            && let Some(bridge) = graph.find_present(&format!("bridge:{}:{bridge}", snapshot.host))
        {
            let why = read_at("its bridge", Evidence::file(&network.file));
            graph.need_one(index, bridge, Regimes::BOTH, why);
        }
    }
    let storage = storage::Storage::of(snapshot, host);
    storage.add_mounts(graph);
    guest::add_all(graph, estate, snapshot, &storage);
}

fn add_bridge(
    graph: &mut Graph,
    estate: &Estate,
    snapshot: &Snapshot,
    host: Index,
    bridge: &Bridge,
) {
    let name = format!("{}:{}", snapshot.host, bridge.name);
    let index = graph.add_to(&snapshot.host, Kind::Bridge, &name);
    graph.need_one(index, host, Regimes::BOTH, because("a bridge of this host"));
    let uplinks: Vec<Index> = bridge
        .ports
        .iter()
        .filter(|port| port.role == Role::Uplink)
        .map(|port| add_uplink(graph, estate, snapshot, host, &port.name))
        .collect();
    if !uplinks.is_empty() {
        let place = Evidence::measured(format!("netlink:{}", bridge.name), "its ports");
        graph.need(
            index,
            1,
            uplinks,
            Regimes::BOTH,
            read_at("the way out", place),
        );
    }
}

fn add_uplink(
    graph: &mut Graph,
    estate: &Estate,
    snapshot: &Snapshot,
    host: Index,
    port: &str,
) -> Index {
    let name = format!("{}:{port}", snapshot.host);
    let index = graph.add_to(&snapshot.host, Kind::Uplink, &name);
    if !graph.clauses(index).is_empty() {
        return index;
    }
    graph.need_one(
        index,
        host,
        Regimes::BOTH,
        because("an interface of this host"),
    );
    let site = estate.site.as_ref();
    let plugged = site
        .and_then(|s| s.hosts.get(&snapshot.host))
        .and_then(|h| h.uplinks.get(port));
    if let Some(plugged) = plugged {
        let switch = graph.add(Kind::Switch, &plugged.switch);
        let name = format!("{}:{}", plugged.switch, plugged.present_port());
        let socket = graph.add(Kind::SwitchPort, &name);
        if graph.clauses(socket).is_empty() {
            graph.need_one(
                socket,
                switch,
                Regimes::BOTH,
                because("a port of this switch"),
            );
        }
        let table = format!("{}.uplinks.{port}", snapshot.host);
        let why = by_site(
            estate,
            "plugged in there",
            "hosts",
            &table,
            plugged.present_key(),
        );
        graph.need_one(index, socket, Regimes::BOTH, why);
    }
    index
}
