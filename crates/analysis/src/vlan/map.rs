//! The map: for every guest and for the host itself, and every VLAN of theirs, the path to the
//! switch and back; and which PVIDs differ along it, harmlessly or not.

use super::ends::{End, ends, wires};
use super::flow::{Flow, Start, What};
use super::net::{Net, Node};
use super::path::{Path, Verdict, World, follow};
use super::switch::{Far, far};
use super::tags::Tags;
use facts::bridge::Role;
use facts::{Snapshot, Source};
use model::Estate;
use model::estate::NotRead;
use std::collections::{BTreeMap, BTreeSet};

/// The map of a site.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// One per host that was read.
    pub hosts: Vec<HostMap>,
    /// What is not on it, and why.
    pub not_checked: Vec<NotRead>,
}

/// The map of one host.
#[derive(Clone, Debug, Default)]
pub struct HostMap {
    /// Host.
    pub host: String,
    /// Its ends, itself first.
    pub ends: Vec<EndMap>,
    /// PVIDs that differ.
    pub mismatches: Vec<Mismatch>,
}

/// The paths of one end.
#[derive(Clone, Debug)]
pub struct EndMap {
    /// The end.
    pub end: End,
    /// One path for each form in which it may send.
    pub paths: Vec<Path>,
    /// VLANs that it hears untagged without speaking in them.
    pub hears: Vec<u16>,
    /// For a guest: whether it and the host hear each other untagged over the bridge itself, where
    /// the host has an address there.
    pub with_host: Option<bool>,
}

/// Numbers that differ where people expect them to be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Bridge.
    pub bridge: String,
    /// What differs from what.
    pub what: String,
    /// Whether everything passes as it stands.
    pub harmless: bool,
    /// Why.
    pub because: String,
}

/// Draws the map of everything that was read.
pub fn map(estate: &Estate) -> Map {
    let mut map = Map {
        not_checked: estate.not_read.clone(),
        ..Map::default()
    };
    for snapshot in &estate.hosts {
        match snapshot.why_unread(Source::Bridges) {
            Some(reason) => map.not_checked.push(NotRead {
                host: snapshot.host.clone(),
                source: Source::Bridges.name().to_owned(),
                reason: reason.to_owned(),
            }),
            None => map.hosts.push(host(estate, snapshot, &mut map.not_checked)),
        }
    }
    map
}

fn host(estate: &Estate, snapshot: &Snapshot, not_checked: &mut Vec<NotRead>) -> HostMap {
    let net = Net::of(snapshot);
    let wires = wires(estate, snapshot, &net);
    let world = World {
        net: &net,
        wires: &wires,
        far: wires
            .iter()
            .filter_map(|wire| Some((*wire, far_end(estate, snapshot, &net, *wire)?)))
            .collect(),
    };
    let mut missing = |source: &str, reason: String| {
        not_checked.push(NotRead {
            host: snapshot.host.clone(),
            source: source.to_owned(),
            reason,
        });
    };
    for (device, reason) in &net.doubts {
        missing("bridges", format!("{device}: {reason}"));
    }
    for wire in &wires {
        if world.far(*wire).is_none() && net.item(*wire).controller.is_some() {
            let name = &net.item(*wire).name;
            missing(
                "switch",
                format!(
                    "{name}: site.toml or its captures do not tell the switch's port; it is taken \
                     to answer as it was asked"
                ),
            );
        }
    }
    let mut here = ends(estate, snapshot, &net);
    let off: Vec<&str> = snapshot
        .guests
        .iter()
        .filter(|g| !here.iter().any(|e| e.guest.as_deref() == Some(&g.name)))
        .map(|g| g.name.as_str())
        .collect();
    if !off.is_empty() {
        missing(
            "guest-state",
            format!("no port, as they do not run: {}", off.join(", ")),
        );
    }
    let own: Vec<End> = here.iter().filter(|e| e.guest.is_none()).cloned().collect();
    let ends = here
        .drain(..)
        .map(|end| {
            let forms = forms(estate, snapshot, &net, &end);
            let paths = forms
                .into_iter()
                .map(|(tags, intended)| follow(&world, &end, &tags, intended))
                .collect();
            let item = net.item(end.node);
            let hears = item
                .port
                .untagged
                .iter()
                .copied()
                .filter(|vid| Some(*vid) != item.port.pvid)
                .collect();
            let with_host = with_host(&net, &end, &own);
            EndMap {
                end,
                paths,
                hears,
                with_host,
            }
        })
        .collect();
    let mut map = HostMap {
        host: snapshot.host.clone(),
        ends,
        mismatches: Vec::new(),
    };
    map.mismatches = mismatches(snapshot, &world, &map);
    map
}

/// The switch's end of a wire; site.toml may name the wire or the bond that it is a member of.
pub(super) fn far_end<'a>(
    estate: &'a Estate,
    snapshot: &Snapshot,
    net: &Net,
    wire: Node,
) -> Option<Far<'a>> {
    let item = net.item(wire);
    let bond = item.controller.map(|c| net.item(c).name.as_str());
    far(estate, &snapshot.host, &item.name).or_else(|| far(estate, &snapshot.host, bond?))
}

/// The forms in which an end may send, each with the VLAN that it should be in.
pub(super) fn forms(
    estate: &Estate,
    snapshot: &Snapshot,
    net: &Net,
    end: &End,
) -> Vec<(Tags, Option<u16>)> {
    let bridge = end.bridge.map(|node| net.item(node));
    let plan = bridge.and_then(|b| estate.bridge_plan(&snapshot.host, &b.name));
    let Some(guest) = &end.guest else {
        // What a VLAN device speaks is in its VLAN, whatever the plan of the bridge says.
        let own = bridge.is_some_and(|b| b.name == end.device);
        let intended = plan.filter(|_| own).and_then(|p| p.host());
        return vec![(Tags::none(), intended)];
    };
    let intent = estate.intent(guest);
    let untagged = intent
        .and_then(|g| g.pvid)
        .or_else(|| plan.and_then(|p| p.guest()));
    let mut forms = vec![(Tags::none(), untagged)];
    let planned = intent
        .and_then(|g| g.tagged.as_ref())
        .or_else(|| plan.map(|p| &p.tagged));
    let mut tagged: BTreeSet<u16> = planned.into_iter().flatten().copied().collect();
    tagged.extend(&net.item(end.node).port.tagged);
    forms.extend(tagged.into_iter().map(|vid| (Tags::one(vid), Some(vid))));
    forms
}

/// Whether a guest and the host hear each other's untagged frames on the guest's own bridge.
fn with_host(net: &Net, end: &End, own: &[End]) -> Option<bool> {
    end.guest.as_ref()?;
    let host = own.iter().find(|o| Some(o.node) == end.bridge)?;
    let hears = |start: Start, node: Node, what: What| {
        let flow = Flow::of(net, start, Tags::none());
        flow.arrivals()
            .any(|(_, s)| s.node == node && s.what == what && s.tags == Tags::none())
    };
    Some(
        hears(Start::In(end.node), host.node, What::Stack)
            && hears(Start::Out(host.node), end.node, What::Left),
    )
}

/// PVIDs of the bridge's own entry, its uplinks, its guests and the switch that differ.
fn mismatches(snapshot: &Snapshot, world: &World<'_>, map: &HostMap) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for bridge in &snapshot.bridges {
        let Some(node) = world.net.node(&bridge.name) else {
            continue;
        };
        if bridge.vlan_filtering != Some(true) {
            continue;
        }
        let of_bridge: Vec<&EndMap> = map
            .ends
            .iter()
            .filter(|e| e.end.bridge == Some(node))
            .collect();
        let number = |pvid: Option<u16>| pvid.map_or_else(|| "none".to_owned(), |p| p.to_string());
        let own = bridge.own().and_then(|own| own.pvid);
        let mut guests: BTreeMap<Option<u16>, Vec<&EndMap>> = BTreeMap::new();
        for end in of_bridge.iter().filter(|e| e.end.guest.is_some()) {
            let pvid = world.net.item(end.end.node).port.pvid;
            guests.entry(pvid).or_default().push(end);
        }
        let speaks = of_bridge.iter().find(|e| e.end.node == node).copied();
        for (pvid, ends) in &guests {
            if *pvid == own || speaks.is_none() {
                continue;
            }
            let mut all: Vec<&EndMap> = ends.clone();
            all.extend(speaks);
            found.push(judge(
                &bridge.name,
                format!(
                    "the host's own PVID is {}, that of {} guest port{} is {}",
                    number(own),
                    ends.len(),
                    if ends.len() == 1 { "" } else { "s" },
                    number(*pvid)
                ),
                &all,
            ));
        }
        for uplink in bridge.ports.iter().filter(|p| p.role == Role::Uplink) {
            if own != uplink.pvid
                && let Some(speaks) = speaks
            {
                found.push(judge(
                    &bridge.name,
                    format!(
                        "the host's own PVID is {}, that of the uplink {} is {}",
                        number(own),
                        uplink.name,
                        number(uplink.pvid)
                    ),
                    &[speaks],
                ));
            }
            let far = world
                .net
                .node(&uplink.name)
                .and_then(|node| world.far(node));
            if let Some(far) = far
                && far.native() != uplink.pvid
            {
                found.push(judge(
                    &bridge.name,
                    format!(
                        "the uplink {} has PVID {}, the native VLAN of {} is {}",
                        uplink.name,
                        number(uplink.pvid),
                        far.name(),
                        number(far.native())
                    ),
                    &of_bridge,
                ));
            }
        }
    }
    found
}

fn judge(bridge: &str, what: String, ends: &[&EndMap]) -> Mismatch {
    let untagged = |end: &&&EndMap| {
        let path = end.paths.iter().find(|p| p.sends == Tags::none());
        path.is_some_and(|p| !p.verdict.passes() || matches!(p.verdict, Verdict::WrongVlan { .. }))
    };
    let name = |end: &EndMap| {
        end.end
            .guest
            .clone()
            .unwrap_or_else(|| "the host".to_owned())
    };
    let cut: Vec<String> = ends.iter().filter(untagged).map(|e| name(e)).collect();
    let deaf: Vec<String> = ends
        .iter()
        .filter(|e| e.with_host == Some(false))
        .map(|e| name(e))
        .collect();
    let (harmless, because) = match (cut.as_slice(), deaf.as_slice()) {
        ([], []) => (
            true,
            "untagged frames of all of them pass, out and back: leave it as it stands, or change \
             it step by step with `nofail vlan plan`, never one number alone"
                .to_owned(),
        ),
        ([], deaf) => (
            false,
            format!("the host and {} do not hear each other", deaf.join(", ")),
        ),
        (cut, _) => (
            false,
            format!(
                "untagged frames of {} do not pass as they should",
                cut.join(", ")
            ),
        ),
    };
    Mismatch {
        bridge: bridge.to_owned(),
        what,
        harmless,
        because,
    }
}
