//! The part that site.toml alone tells: power, file servers, switches, groups, services, and
//! guests of hosts that were not read.

use super::{because, by_site};
use crate::graph::{Graph, Index, Kind, Regimes};
use crate::{Estate, Site};
use std::collections::BTreeMap;

pub(super) fn add(graph: &mut Graph, estate: &Estate) {
    let Some(site) = &estate.site else { return };
    for (name, nas) in &site.nas {
        let index = graph.add(Kind::Nas, name);
        graph.component_mut(index).mttf_hours = nas.mttf_hours;
        power(graph, estate, index, ("nas", name), &nas.power);
        for path in &nas.exports {
            let export = graph.add(Kind::Export, &format!("{name}:{path}"));
            if graph.clauses(export).is_empty() {
                graph.need_one(export, index, Regimes::BOTH, because("exported by it"));
            }
        }
    }
    for (name, switch) in &site.switches {
        let index = graph.add(Kind::Switch, name);
        graph.component_mut(index).mttf_hours = switch.mttf_hours;
        power(graph, estate, index, ("switches", name), &switch.power);
    }
    for (name, host) in &site.hosts {
        let index = graph.add(Kind::Host, name);
        graph.component_mut(index).mttf_hours = host.mttf_hours;
        power(graph, estate, index, ("hosts", name), &host.power);
        if host.bmc.is_some() {
            let bmc = graph.add(Kind::Bmc, name);
            power(graph, estate, bmc, ("hosts", name), &host.power);
        }
    }
    unread_guests(graph, estate, site);
    groups(graph, estate, site);
    services(graph, estate, site);
}

/// One feed that lives suffices.
fn power(
    graph: &mut Graph,
    estate: &Estate,
    of: Index,
    (kind, name): (&str, &str),
    feeds: &[String],
) {
    if !feeds.is_empty() {
        let members = feeds.iter().map(|f| graph.add(Kind::Power, f)).collect();
        let why = by_site(estate, "hangs on it", kind, name, "power");
        graph.need(of, 1, members, Regimes::BOTH, why);
    }
}

/// Guests whose host was not read: what site.toml says of them is all there is.
fn unread_guests(graph: &mut Graph, estate: &Estate, site: &Site) {
    for (name, guest) in &site.guests {
        let index = graph.add(Kind::Guest, name);
        graph.component_mut(index).mttf_hours = guest.mttf_hours;
        unread_guest(graph, estate, name);
    }
}

/// One such guest; nothing where some host defines it.
pub(super) fn unread_guest(graph: &mut Graph, estate: &Estate, name: &str) {
    let Some(guest) = estate.intent(name) else {
        return;
    };
    let index = graph.add(Kind::Guest, name);
    if !graph.clauses(index).is_empty() {
        return;
    }
    if let Some(host) = &guest.host {
        let host = graph.add(Kind::Host, host);
        let why = by_site(estate, "runs on it", "guests", name, "host");
        graph.need_one(index, host, Regimes::BOTH, why);
    }
    super::guest::site_needs(graph, estate, index, name);
}

fn groups(graph: &mut Graph, estate: &Estate, site: &Site) {
    for (name, members) in site.all_groups() {
        let group = graph.add(Kind::Group, name);
        let need = site.groups.get(name).and_then(|g| g.need).unwrap_or(1);
        let members: Vec<Index> = members.iter().map(|m| graph.add(Kind::Guest, m)).collect();
        let text = format!("{need} of its {} members must live", members.len());
        let why = by_site(estate, &text, "groups", name, "need");
        let k = u32::try_from(need).unwrap_or(u32::MAX);
        graph.need(group, k, members, Regimes::BOTH, why);
    }
}

/// A service is up while one of its providers is; where all providers are one group's members,
/// while that group is.
fn services(graph: &mut Graph, estate: &Estate, site: &Site) {
    let sizes: BTreeMap<&str, usize> = site
        .all_groups()
        .into_iter()
        .map(|(name, members)| (name, members.len()))
        .collect();
    let mut providers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, guest) in &site.guests {
        for service in &guest.provides {
            providers.entry(service).or_default().push(name);
        }
    }
    for (service, guests) in providers {
        let index = graph.add(Kind::Service, service);
        let group = |name: &&str| site.guests.get(*name).and_then(|g| g.group.as_deref());
        let first = guests.first().and_then(group);
        let one_group = first.filter(|g| {
            guests.iter().all(|name| group(name) == Some(g)) && sizes.get(g) == Some(&guests.len())
        });
        match one_group {
            Some(group) => {
                let group = graph.add(Kind::Group, group);
                graph.need_one(
                    index,
                    group,
                    Regimes::BOTH,
                    because("its providers are this group"),
                );
            }
            None => {
                let name = guests.first().copied().unwrap_or("");
                let why = by_site(
                    estate,
                    "provided by one of them",
                    "guests",
                    name,
                    "provides",
                );
                let members = guests.iter().map(|g| graph.add(Kind::Guest, g)).collect();
                graph.need(index, 1, members, Regimes::BOTH, why);
            }
        }
    }
}
