//! How long the graph and its answers take on a synthetic site: `scale [HOSTS] [SEED]`.
//!
//! Every host has 20 guests; 40 hosts share two switches (one uplink each) and a NAS that they
//! mount by name. Guests stand in pairs and triples (2 of 3) on different hosts of their 40, one
//! disk in ten lies on the NAS, one guest in ten has no autostart, all need the name service.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring program, not a part of the product"
)]

use analysis::impact::again::touched;
use analysis::impact::blast::blast;
use analysis::impact::faults::Assume;
use analysis::impact::shared::shared_all;
use facts::Snapshot;
use facts::bridge::{Bridge, Port, Role};
use facts::domain::{Disk, Guest, Interface};
use model::graph::{Index, Kind, Regime, build};
use model::{Estate, Site, site};
use rayon::prelude::*;
use std::collections::HashSet;
use std::time::Instant;

/// A generator of numbers that needs no crate (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn guest(name: &str, random: &mut Random) -> Guest {
    let place = if random.below(10) == 0 {
        "/mnt/nas"
    } else {
        "/var/lib/libvirt/images"
    };
    Guest {
        name: name.to_owned(),
        file: format!("/etc/libvirt/qemu/{name}.xml"),
        persistent: true,
        autostart: Some(random.below(10) > 0),
        state: Some("running".to_owned()),
        disks: vec![Disk {
            target: "vda".to_owned(),
            device: "disk".to_owned(),
            kind: "file".to_owned(),
            source: Some(format!("{place}/{name}.qcow2")),
            ..Disk::default()
        }],
        interfaces: vec![Interface {
            kind: "bridge".to_owned(),
            source: Some("br0".to_owned()),
            ..Interface::default()
        }],
        ..Guest::default()
    }
}

fn estate(hosts: usize, seed: u64) -> Estate {
    let mut random = Random(seed);
    let mut site = Site::default();
    let mut estate = Estate::default();
    for h in 0..hosts {
        let (name, pod) = (format!("h{h}"), h / 40);
        let port = |name: &str, role| Port {
            name: name.to_owned(),
            role,
            ..Port::default()
        };
        let fstab = format!(
            "nas{pod}:/vms /mnt/nas nfs defaults,_netdev 0 0\n/dev/sda1 / xfs defaults 0 0\n"
        );
        let mut snapshot = Snapshot {
            host: name.clone(),
            fstab: facts::fstab::parse(&fstab).entries(),
            bridges: vec![Bridge {
                name: "br0".to_owned(),
                ports: vec![port("eth0", Role::Uplink)],
                ..Bridge::default()
            }],
            ..Snapshot::default()
        };
        snapshot.names.nsswitch = vec!["files".to_owned(), "dns".to_owned()];
        for server in ["10.0.0.1", "10.0.0.2"] {
            snapshot.names.servers.push(facts::names::NameServer {
                address: server.to_owned(),
                ..facts::names::NameServer::default()
            });
        }
        for g in 0..20 {
            let guest_name = format!("g{h}-{g}");
            snapshot.guests.push(guest(&guest_name, &mut random));
            let mut intent = site::Guest {
                host: Some(name.clone()),
                // Neighbours within their 40 hosts; every fifth group is a triple.
                group: Some(if g % 5 == 0 {
                    format!("t{pod}-{}-{g}", h % 40 / 3)
                } else {
                    format!("p{pod}-{}-{g}", h % 40 / 2)
                }),
                ..site::Guest::default()
            };
            if h < 2 && g == 1 {
                intent.addresses = vec![format!("10.0.0.{}", h + 1)];
                intent.provides = vec!["dns".to_owned()];
            } else {
                intent.needs = vec!["dns".to_owned()];
            }
            if let Some(group) = intent.group.as_ref().filter(|g| g.starts_with('t')) {
                let full = h % 40 < 39;
                let need = site::Group {
                    need: Some(if full { 2 } else { 1 }),
                    ..site::Group::default()
                };
                site.groups.insert(group.clone(), need);
            }
            site.guests.insert(guest_name, intent);
        }
        let mut intent = site::Host::default();
        let uplink = site::Uplink {
            switch: format!("sw{}", 2 * pod + h % 2),
            port: format!("1/{h}"),
            ..site::Uplink::default()
        };
        intent.uplinks.insert("eth0".to_owned(), uplink);
        intent.power = vec![format!("feed{pod}-a"), format!("feed{pod}-b")];
        site.hosts.insert(name, intent);
        site.nas.entry(format!("nas{pod}")).or_default();
        estate.hosts.push(snapshot);
    }
    estate.site = Some(site);
    estate
}

fn main() {
    let mut args = std::env::args().skip(1);
    let hosts = args.next().map_or(100, |a| a.parse().unwrap());
    let seed = args.next().map_or(1, |a| a.parse().unwrap());
    let mut estate = estate(hosts, seed);
    let start = Instant::now();
    let mut graph = build(&estate);
    println!(
        "{hosts} hosts: {} components, model {:.3} s",
        graph.len(),
        start.elapsed().as_secs_f64()
    );

    let of_kind = |kind| -> Vec<Index> {
        let all = graph.components().iter().filter(|c| c.kind == kind);
        all.map(|c| c.index).collect()
    };
    let start = Instant::now();
    let hosts = of_kind(Kind::Host);
    let lost: usize = hosts
        .par_iter()
        .map(|&h| blast(&graph, &[h], &HashSet::new()).lost.falls().len())
        .sum();
    println!(
        "  blast of every host {:.3} s ({lost} losses)",
        start.elapsed().as_secs_f64()
    );

    let start = Instant::now();
    let groups = of_kind(Kind::Group);
    let mut single = 0;
    for regime in [Regime::Running, Regime::Cold] {
        let found = shared_all(&graph, &groups, regime, &Assume::default()).unwrap();
        single += found.iter().map(|s| s.single.len()).sum::<usize>();
    }
    println!(
        "  shared domains of {} groups, both regimes {:.3} s ({single} single)",
        groups.len(),
        start.elapsed().as_secs_f64()
    );

    // One host is read again, and it has changed: a guest less, a disk elsewhere. Every answer
    // that may be another now is asked for again.
    estate.hosts[7].guests.pop();
    estate.hosts[7].guests[3].disks[0].source = Some("/mnt/nas/moved.qcow2".to_owned());
    let start = Instant::now();
    let replaced = graph.replace_host(&estate, "h7");
    let touched = touched(&graph, &replaced);
    let of = |list: &[Index], kinds: &[Kind]| -> Vec<Index> {
        let wanted = |i: &&Index| kinds.contains(&graph.component(**i).kind);
        list.iter().filter(wanted).copied().collect()
    };
    let groups = of(&touched.above, &[Kind::Group, Kind::Service]);
    for regime in [Regime::Running, Regime::Cold] {
        shared_all(&graph, &groups, regime, &Assume::default()).unwrap();
    }
    let fails = of(
        &touched.below,
        &[Kind::Host, Kind::Nas, Kind::Switch, Kind::Power],
    );
    let lost: usize = fails
        .par_iter()
        .map(|&h| blast(&graph, &[h], &HashSet::new()).lost.falls().len())
        .sum();
    println!(
        "  one changed host analysed again {:.6} s: shared domains of {} groups, blast of {} \
         components ({lost} losses)",
        start.elapsed().as_secs_f64(),
        groups.len(),
        fails.len()
    );
}
