//! From the VLANs that a bridge has to those that site.toml plans: small steps, in an order in which
//! nobody who can talk now and will be able to talk in the end is cut off in between.

mod search;
mod state;
#[cfg(test)]
mod tests;

pub use state::{Act, Entry};

use super::ends::{End, ends, wires};
use super::map::{far_end, forms};
use super::net::Net;
use facts::Snapshot;
use facts::bridge::{Bridge, Role};
use model::Estate;
use model::site::BridgePlan;
use search::{Found, search};
use state::{State, Talk, World};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPlan {
    /// The host has no such bridge.
    #[error("{host} has no bridge {bridge}")]
    NoBridge {
        /// Host.
        host: String,
        /// Bridge.
        bridge: String,
    },
    /// site.toml does not say what the bridge should carry.
    #[error("site.toml has no [bridges.{bridge}] with a pvid: there is nothing to plan towards")]
    NoIntent {
        /// Bridge.
        bridge: String,
    },
    /// Turning on filtering changes every path at once.
    #[error(
        "{bridge} does not filter by VLAN: set every port's VLANs first (they have no effect until \
         then), and turn filtering on last, in a maintenance window with the console open"
    )]
    NotFiltering {
        /// Bridge.
        bridge: String,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is changed.
    pub act: Act,
    /// Device that it is changed on, or switch and port.
    pub device: String,
    /// The command that does it; for the switch, the configuration line.
    pub command: String,
    /// The command that undoes it.
    pub undo: String,
    /// The entry as it is after the step; `None` for the switch and for bridge settings.
    pub after: Option<Entry>,
    /// Whether the bridge's own entry is meant (`self`).
    pub own: bool,
    /// Whether it is only there for the time of the change.
    pub temporary: bool,
    /// Whether it changes something that the host's own path runs over.
    pub own_path: bool,
    /// Whether it would cut the host off if it were the first step.
    pub cuts_host_alone: bool,
    /// Who is cut off after it, until a later step mends that; empty in a good order.
    pub cut: Vec<String>,
}

/// A plan for one bridge of one host.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    /// Host.
    pub host: String,
    /// Bridge.
    pub bridge: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Whether nobody is cut off on the way.
    pub keeps_all: bool,
    /// Whether the order was only found with steps that are taken back later.
    pub overlap: bool,
    /// Whether every order was tried where none keeps all.
    pub exhausted: bool,
    /// Who talks in another VLAN in the end, by design: its partners must be there.
    pub moved: Vec<String>,
    /// Who cannot talk any more in the end, by design.
    pub ended: Vec<String>,
    /// Guests whose ports are changed here and come up otherwise at their next start, unless the
    /// hook or libvirt sets them.
    pub guests: Vec<String>,
}

/// Plans the way of a bridge to what site.toml says.
///
/// # Errors
/// [`NoPlan`].
pub fn plan(estate: &Estate, snapshot: &Snapshot, bridge: &str) -> Result<Plan, NoPlan> {
    let host = &snapshot.host;
    let present = snapshot.bridges.iter().find(|b| b.name == bridge);
    let present = present.ok_or_else(|| NoPlan::NoBridge {
        host: host.clone(),
        bridge: bridge.to_owned(),
    })?;
    let intent = estate
        .bridge_plan(host, bridge)
        .filter(|plan| plan.host().is_some() || plan.guest().is_some() || plan.uplink().is_some());
    let intent = intent.ok_or_else(|| NoPlan::NoIntent {
        bridge: bridge.to_owned(),
    })?;
    if present.vlan_filtering != Some(true) {
        return Err(NoPlan::NotFiltering {
            bridge: bridge.to_owned(),
        });
    }
    let net = Net::of(snapshot);
    let wires = wires(estate, snapshot, &net);
    let far = wires
        .iter()
        .filter_map(|wire| Some((*wire, far_end(estate, snapshot, &net, *wire)?)))
        .collect();
    let (ends, like) = representatives(estate, snapshot, present, intent, &net);
    let forms = ends
        .iter()
        .map(|end| {
            forms(estate, snapshot, &net, end)
                .into_iter()
                .map(|(tags, _)| tags)
                .collect()
        })
        .collect();
    let world = World {
        net: &net,
        wires: &wires,
        far,
        ends: &ends,
        forms,
        bridge,
    };
    let start = State::present(&world, present);
    let goal = goal(estate, snapshot, present, intent, &world, &start);
    Ok(make(host, bridge, &world, &start, &goal, &like))
}

/// Ports that are and will be as another one is: by that one's device.
type Like = BTreeMap<String, Vec<String>>;

/// The ends that matter: the host's own, and of guests whose ports are and will be the same, two.
fn representatives(
    estate: &Estate,
    snapshot: &Snapshot,
    bridge: &Bridge,
    intent: &BridgePlan,
    net: &Net,
) -> (Vec<End>, Like) {
    let mut seen: BTreeMap<(Entry, Option<Entry>, bool), Vec<String>> = BTreeMap::new();
    let mut like = Like::new();
    let mut kept = Vec::new();
    for end in ends(estate, snapshot, net) {
        let Some(port) = bridge.port(&end.device).filter(|_| end.guest.is_some()) else {
            kept.push(end);
            continue;
        };
        let key = (
            Entry::of(port),
            guest_goal(estate, &end, intent),
            port.isolated,
        );
        let same = seen.entry(key).or_default();
        same.push(end.device.clone());
        match same.as_slice() {
            [_, second, _, ..] => {
                like.entry(second.clone()).or_default().push(end.device);
            }
            _ => kept.push(end),
        }
    }
    (kept, like)
}

fn guest_goal(estate: &Estate, end: &End, intent: &BridgePlan) -> Option<Entry> {
    let of_site = end.guest.as_deref().and_then(|guest| estate.intent(guest));
    let pvid = of_site.and_then(|g| g.pvid).or_else(|| intent.guest())?;
    let tagged = of_site.and_then(|g| g.tagged.clone());
    Some(Entry::planned(
        pvid,
        &tagged.unwrap_or_else(|| intent.tagged.clone()),
    ))
}

/// The state that site.toml plans. What it does not speak of stays.
fn goal(
    estate: &Estate,
    snapshot: &Snapshot,
    bridge: &Bridge,
    intent: &BridgePlan,
    world: &World<'_>,
    start: &State,
) -> State {
    let mut goal = start.clone();
    let all = ends(estate, snapshot, world.net);
    let mut carried: BTreeSet<u16> = intent.tagged.iter().copied().collect();
    carried.extend(intent.guest());
    carried.extend(intent.host());
    for port in bridge.ports.iter().filter(|p| p.role == Role::Guest) {
        let end = all
            .iter()
            .find(|e| e.device == port.name && e.guest.is_some());
        let Some(entry) = end.and_then(|end| guest_goal(estate, end, intent)) else {
            continue;
        };
        carried.extend(entry.pvid);
        carried.extend(entry.forms.keys());
        if world.ends.iter().any(|e| e.device == port.name) {
            goal.entries.insert(port.name.clone(), entry);
        }
    }
    let carried: Vec<u16> = carried.into_iter().collect();
    for port in &bridge.ports {
        let pvid = match port.role {
            Role::Own => intent.host(),
            Role::Uplink => intent.uplink(),
            _ => continue,
        };
        if let Some(pvid) = pvid {
            let mut tagged = carried.clone();
            if port.role == Role::Own {
                tagged.clone_from(&intent.tagged);
                tagged.extend(intent.guest());
                // VLAN devices on the bridge need theirs, planned or not.
                tagged.extend(port.tagged.iter().filter(|vid| {
                    let node = world.net.node(&bridge.name);
                    node.is_some_and(|n| world.net.item(n).vlans.contains_key(vid))
                }));
            }
            goal.entries
                .insert(port.name.clone(), Entry::planned(pvid, &tagged));
        }
    }
    if let Some(pvid) = intent.default_pvid {
        goal.default_pvid = Some(pvid);
    }
    if let Some(pvid) = intent.uplink() {
        for native in goal.natives.values_mut() {
            *native = Some(pvid);
        }
        for allowed in goal.allowed.values_mut().flatten() {
            allowed.extend(carried.iter().copied());
            allowed.insert(pvid);
        }
    }
    goal
}

fn make(
    host: &str,
    bridge: &str,
    world: &World<'_>,
    start: &State,
    goal: &State,
    like: &Like,
) -> Plan {
    let before = world.talks(start);
    let after = world.talks(goal);
    let keep: BTreeSet<Talk> = before.intersection(&after).cloned().collect();
    let found: Found = search(world, start, goal, &keep);
    let mut plan = Plan {
        host: host.to_owned(),
        bridge: bridge.to_owned(),
        keeps_all: found.keeps_all,
        overlap: found.order.iter().any(|(_, temporary)| *temporary),
        exhausted: found.exhausted,
        ..Plan::default()
    };
    for talk in before.difference(&after) {
        let name = world.name(talk);
        let elsewhere = after.iter().find(|other| talk.moved_to(other));
        match elsewhere {
            Some(other) => plan.moved.push(format!("{name} to {}", world.place(other))),
            None => plan.ended.push(name),
        }
    }
    let own_keep: BTreeSet<Talk> = keep.iter().filter(|t| world.is_hosts(t)).cloned().collect();
    let own_devices = world.own_devices(start);
    let mut state = start.clone();
    let mut order = Vec::new();
    for (act, temporary) in found.order {
        // What one port of its kind does, the others do right after it.
        let others = like.get(act.device()).into_iter().flatten();
        let others: Vec<Act> = others.map(|device| act.at(device)).collect();
        order.push((act, temporary));
        order.extend(others.into_iter().map(|act| (act, temporary)));
    }
    for (act, temporary) in order {
        let undo = act.undo(&state);
        let mut alone = start.clone();
        act.apply(&mut alone);
        let cuts_host_alone = !own_keep.is_subset(&world.talks(&alone));
        act.apply(&mut state);
        let talks = world.talks(&state);
        let device = act.device().to_owned();
        let mut cut: Vec<String> = keep.difference(&talks).map(|t| world.name(t)).collect();
        cut.dedup();
        plan.steps.push(Step {
            command: act.command(&state, bridge),
            undo: undo.command(
                &{
                    let mut back = state.clone();
                    undo.apply(&mut back);
                    back
                },
                bridge,
            ),
            after: state
                .entries
                .get(&device)
                .filter(|_| act.is_entry())
                .cloned(),
            own: device == bridge,
            own_path: own_devices.contains(&device),
            device,
            temporary,
            cuts_host_alone,
            cut,
            act,
        });
    }
    plan.guests = world.changed_guests(start, &state);
    plan
}
