//! The graph of the incident's site, and one host's part replaced against a fresh build.

use super::{Graph, Kind, Start, build};
use crate::{Estate, Site};
use facts::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

const SITE: &str = include_str!("../../../../examples/incident-2026-04-13/site.toml");
const KVM_01: &str = include_str!("../../../../examples/incident-2026-04-13/kvm-01.json");
const KVM_02: &str = include_str!("../../../../examples/incident-2026-04-13/kvm-02.json");

fn estate() -> Estate {
    let read = |text| Snapshot::from_json(text).unwrap();
    Estate {
        site: Some(Site::parse("site.toml", SITE).unwrap()),
        hosts: vec![read(KVM_01), read(KVM_02)],
        ..Estate::default()
    }
}

/// Needs of every component that has any, by name.
fn needs(graph: &Graph) -> BTreeMap<String, BTreeSet<String>> {
    let name = |i| graph.component(i).full_name();
    let mut all = BTreeMap::new();
    for component in graph.components() {
        let clauses: BTreeSet<String> = graph
            .clauses(component.index)
            .iter()
            .map(|c| {
                let mut members: Vec<String> = c.members.iter().map(|m| name(*m)).collect();
                members.sort();
                format!(
                    "{} of {members:?} {:?} {} {:?} {:?}",
                    c.k, c.regimes, c.at_boot, c.why, component.start
                )
            })
            .collect();
        // Each need is known at its other end too.
        for clause in graph.clauses(component.index) {
            for member in &clause.members {
                assert!(graph.dependents(*member).contains(&component.index));
            }
        }
        if !clauses.is_empty() {
            all.insert(component.full_name(), clauses);
        }
    }
    all
}

#[test]
fn the_incident_s_needs() {
    let graph = build(&estate());
    let clauses = |name: &str| graph.clauses(graph.find(name).unwrap());
    // The name is asked for at boot, and both that could answer are guests.
    let name = clauses("name:kvm-01:nas-01");
    let asked: Vec<_> = name.iter().filter(|c| c.at_boot).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].members.len(), 2);
    // The mount needs it in a cold start only.
    let mount = clauses("mount:kvm-01:/mnt/nas/vms");
    let by_name = graph.find("name:kvm-01:nas-01").unwrap();
    let need = mount.iter().find(|c| c.members == [by_name]).unwrap();
    assert!(need.regimes.cold && !need.regimes.running && !need.at_boot);
    assert_eq!(need.why.evidence.as_ref().unwrap().line, Some(12));
    // Both controllers' disks lie on the NAS; vault is 2 of 3.
    assert!(
        graph
            .find("disk:kvm-02:/mnt/nas/vms/9800-WLC-02.qcow2")
            .is_some()
    );
    assert_eq!(clauses("group:vault")[0].k, 2);
    let off = graph.component(graph.find("guest:bind-02").unwrap());
    assert_eq!((off.kind, off.start), (Kind::Guest, Start::Person));
}

/// What changes one host, by number.
fn change(estate: &mut Estate, host: usize, what: usize) {
    let other = 1 - host;
    match what {
        // A guest is gone, of either host or none.
        0 => {
            estate.hosts[host].guests.pop();
        }
        // A guest of the other host is defined here as well.
        1 => {
            let guest = estate.hosts[other].guests.first().cloned();
            estate.hosts[host].guests.extend(guest);
        }
        // All guests stop here: those defined twice live where they run.
        2 => {
            for guest in &mut estate.hosts[host].guests {
                guest.state = Some("shut-off".to_owned());
            }
        }
        3 => {
            for guest in &mut estate.hosts[host].guests {
                guest.state = Some("running".to_owned());
                guest.autostart = Some(true);
            }
        }
        4 => {
            estate.hosts[host].fstab.pop();
        }
        5 => estate.hosts[host].names.servers.clear(),
        _ => estate.hosts[host].bridges.clear(),
    }
}

#[test]
fn a_replaced_host_is_as_if_built_anew() {
    let mut state = 7_u64;
    for _ in 0..60 {
        let mut estate = estate();
        let mut graph = build(&estate);
        for _ in 0..6 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (host, what) = ((state >> 33) as usize % 2, (state >> 40) as usize % 7);
            change(&mut estate, host, what);
            let name = estate.hosts[host].host.clone();
            graph.replace_host(&estate, &name);
            let (mut replaced, fresh) = (needs(&graph), needs(&build(&estate)));
            // Shared ends that nothing needs any more keep what they are.
            replaced.retain(|name, _| {
                fresh.contains_key(name)
                    || !(name.starts_with("export:") || name.starts_with("port:"))
            });
            for (name, needs) in &fresh {
                assert_eq!(
                    replaced.get(name),
                    Some(needs),
                    "{what} of host {host}: {name}"
                );
            }
            replaced.retain(|name, _| !fresh.contains_key(name));
            assert!(replaced.is_empty(), "{what} of host {host}: {replaced:?}");
        }
    }
}
