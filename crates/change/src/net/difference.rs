//! The commands that lead from one state to another, in an order that opens ways before it
//! closes others: VLANs and addresses are added first, taken away last.

use super::command::{Command, Entry, is_kernels};
use super::state::{State, Vlans};
use facts::bridge::vid::Ranges;
use facts::ip::{Address, Route};
use std::collections::BTreeSet;

/// How far a difference reaches.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Devices that it may touch. Others are not looked at.
    pub devices: BTreeSet<String>,
    /// Whether routes that the kernel made by itself count as well: they do when an old state is
    /// restored (NetworkManager writes such routes itself), not when a new one is reached.
    pub kernel_routes: bool,
    /// Whether the kernel knows VLANs of bridges.
    pub has_vlans: bool,
}

/// The commands from `from` to `to`. Devices of the scope that one of the two lacks are passed
/// over, but for bridges that only `to` has (they are made) or only `from` has (they go).
pub fn commands(from: &State, to: &State, scope: &Scope) -> Vec<Command> {
    let mut work = Work {
        now: from.clone(),
        done: Vec::new(),
        scope,
    };
    work.bridges(to);
    work.settings_before(to);
    work.controllers(to);
    work.vlans(to, Step::Add);
    work.default_pvids(to);
    // Once more: a change of the default takes VLANs along that should stay.
    work.vlans(to, Step::Add);
    work.up(to, true);
    work.addresses(to, Step::Add);
    work.routes(to, Step::Add);
    work.settings_after(to);
    work.vlans(to, Step::Remove);
    work.routes(to, Step::Remove);
    work.addresses(to, Step::Remove);
    // What went with an address that was the first of its subnet.
    work.addresses(to, Step::Add);
    work.routes(to, Step::Add);
    work.up(to, false);
    work.leave_bridges(to);
    work.done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Add,
    Remove,
}

struct Work<'a> {
    now: State,
    done: Vec<Command>,
    scope: &'a Scope,
}

impl Work<'_> {
    fn run(&mut self, command: Command) {
        command.apply(&mut self.now, self.scope.has_vlans);
        self.done.push(command);
    }

    fn run_all(&mut self, commands: Vec<Command>) {
        for command in commands {
            self.run(command);
        }
    }

    /// Devices of the scope that both have.
    fn shared<'t>(&self, to: &'t State) -> Vec<(&'t String, &'t super::state::Device)> {
        to.devices
            .iter()
            .filter(|(name, _)| {
                self.scope.devices.contains(*name) && self.now.devices.contains_key(*name)
            })
            .collect()
    }

    fn bridges(&mut self, to: &State) {
        for (name, device) in &to.devices {
            if self.scope.devices.contains(name)
                && device.bridge.is_some()
                && !self.now.devices.contains_key(name)
            {
                self.run(Command::AddBridge(name.clone()));
            }
        }
    }

    /// Bridges that are there and should not be: only ever one that the change itself made.
    fn leave_bridges(&mut self, to: &State) {
        let gone: Vec<Command> = self
            .now
            .devices
            .iter()
            .filter(|(name, device)| {
                self.scope.devices.contains(*name)
                    && device.bridge.is_some()
                    && !to.devices.contains_key(*name)
            })
            .map(|(name, _)| Command::RemoveBridge(name.clone()))
            .collect();
        self.run_all(gone);
    }

    /// Filtering goes off first: every frame passes then.
    fn settings_before(&mut self, to: &State) {
        self.filtering(to, false);
    }

    /// Filtering goes on last, when every VLAN is in its place.
    fn settings_after(&mut self, to: &State) {
        self.filtering(to, true);
    }

    fn filtering(&mut self, to: &State, on: bool) {
        for (name, device) in self.shared(to) {
            let (Some(wanted), Some(now)) = (device.bridge, self.bridge(name)) else {
                continue;
            };
            if wanted.vlan_filtering == on && now.vlan_filtering != on {
                self.run(Command::Filtering(name.clone(), on));
            }
        }
    }

    fn default_pvids(&mut self, to: &State) {
        for (name, device) in self.shared(to) {
            let wanted = device.bridge.and_then(|b| b.default_pvid);
            let now = self.bridge(name).and_then(|b| b.default_pvid);
            if let Some(wanted) = wanted
                && self.scope.has_vlans
                && now != Some(wanted)
            {
                self.run(Command::DefaultPvid(name.clone(), wanted));
            }
        }
    }

    fn bridge(&self, name: &str) -> Option<super::state::Settings> {
        self.now.devices.get(name)?.bridge
    }

    fn controllers(&mut self, to: &State) {
        for (name, device) in self.shared(to) {
            let now = self
                .now
                .devices
                .get(name)
                .and_then(|d| d.controller.clone());
            if now == device.controller {
                continue;
            }
            // A port moves in one step only from none: the kernel refuses a second controller.
            if now.is_some() {
                self.run(Command::Controller(name.clone(), None));
            }
            if let Some(bridge) = &device.controller {
                self.run(Command::Controller(name.clone(), Some(bridge.clone())));
            }
        }
    }

    fn up(&mut self, to: &State, on: bool) {
        for (name, device) in self.shared(to) {
            let now = self.now.devices.get(name).is_some_and(|d| d.up);
            if device.up == on && now != on {
                self.run(Command::Up(name.clone(), on));
            }
        }
    }

    fn vlans(&mut self, to: &State, step: Step) {
        for (name, device) in self.shared(to) {
            let own = device.bridge.is_some() && device.controller.is_none();
            let now = self.now.devices.get(name).and_then(|d| d.vlans.clone());
            let (Some(wanted), Some(now)) = (&device.vlans, now) else {
                continue;
            };
            let commands = match step {
                Step::Add => vlans_to_add(name, own, &now, wanted),
                Step::Remove => {
                    let extra = now.all().filter(|vid| !wanted.all().any(|w| w == *vid));
                    Ranges::new(extra)
                        .0
                        .into_iter()
                        .map(|range| Command::RemoveVlan(entry(name, own, range, false, false)))
                        .collect()
                }
            };
            self.run_all(commands);
        }
    }

    fn addresses(&mut self, to: &State, step: Step) {
        for (name, device) in self.shared(to) {
            let now: Vec<Address> = self
                .now
                .devices
                .get(name)
                .map(|d| d.addresses.clone())
                .unwrap_or_default();
            let lacks = |list: &[Address], one: &Address| !list.iter().any(|a| same(a, one));
            let mut commands: Vec<Command> = match step {
                Step::Add => device
                    .addresses
                    .iter()
                    .filter(|a| counts(a) && lacks(&now, a))
                    .map(|a| Command::AddAddress(a.clone()))
                    .collect(),
                Step::Remove => now
                    .iter()
                    .filter(|a| counts(a) && lacks(&device.addresses, a))
                    .map(|a| Command::RemoveAddress(a.clone()))
                    .collect(),
            };
            // The first address of a subnet takes the others with it: those go before.
            commands.sort_by_key(|c| matches!(c, Command::RemoveAddress(a) if !a.secondary));
            self.run_all(commands);
        }
    }

    fn routes(&mut self, to: &State, step: Step) {
        let (has, lacks) = match step {
            Step::Add => (&to.routes, &self.now.routes),
            Step::Remove => (&self.now.routes, &to.routes),
        };
        let mut differing: Vec<Route> = has
            .iter()
            .filter(|r| self.concerns(r) && !lacks.contains(r))
            .cloned()
            .collect();
        if step == Step::Remove {
            // The kernel's own go with their addresses.
            differing.retain(|r| !is_kernels(r));
        }
        // Routes to subnets before those that lead over a router in them.
        differing.sort_by_key(|r| r.hops.iter().any(|h| h.via.is_some()));
        for route in differing {
            self.run(match step {
                Step::Add => Command::AddRoute(route),
                Step::Remove => Command::RemoveRoute(route),
            });
        }
    }

    fn concerns(&self, route: &Route) -> bool {
        let link_local = route.v6
            && route
                .destination
                .is_some_and(|d| d.to_string().starts_with("fe80:"));
        let devices = |d: &String| self.scope.devices.contains(d);
        let there = |d: &String| self.now.devices.contains_key(d);
        !link_local
            && (self.scope.kernel_routes || !is_kernels(route))
            && route
                .hops
                .iter()
                .any(|h| h.device.as_ref().is_some_and(devices))
            && route
                .hops
                .iter()
                .all(|h| h.device.as_ref().is_none_or(there))
    }
}

/// The VLANs to add or to change in form; the PVID first.
fn vlans_to_add(name: &str, own: bool, now: &Vlans, wanted: &Vlans) -> Vec<Command> {
    let mut commands = Vec::new();
    let form =
        |vlans: &Vlans, vid: u16| (vlans.untagged.contains(&vid), vlans.tagged.contains(&vid));
    if let Some(pvid) = wanted.pvid
        && (now.pvid != Some(pvid) || form(now, pvid) != form(wanted, pvid))
    {
        let untagged = wanted.untagged.contains(&pvid);
        commands.push(Command::AddVlan(entry(
            name,
            own,
            (pvid, pvid),
            true,
            untagged,
        )));
    }
    for (untagged, vids) in [(true, &wanted.untagged), (false, &wanted.tagged)] {
        let missing = vids.iter().copied().filter(|vid| {
            let loses_pvid = now.pvid == Some(*vid) && wanted.pvid.is_none();
            Some(*vid) != wanted.pvid && (form(now, *vid) != form(wanted, *vid) || loses_pvid)
        });
        for range in Ranges::new(missing).0 {
            commands.push(Command::AddVlan(entry(name, own, range, false, untagged)));
        }
    }
    commands
}

fn entry(device: &str, own: bool, (first, last): (u16, u16), pvid: bool, untagged: bool) -> Entry {
    Entry {
        device: device.to_owned(),
        own,
        first,
        last,
        pvid,
        untagged,
    }
}

/// Whether an address is somebody's doing: link-local ones of IPv6 are the kernel's own.
fn counts(address: &Address) -> bool {
    !(address.local.is_ipv6() && address.scope == 253)
}

/// Whether two are the same address, lifetimes and order aside.
fn same(a: &Address, b: &Address) -> bool {
    (
        a.local,
        a.prefix,
        a.peer,
        a.scope,
        a.no_prefix_route,
        a.metric,
    ) == (
        b.local,
        b.prefix,
        b.peer,
        b.scope,
        b.no_prefix_route,
        b.metric,
    )
}

#[cfg(test)]
mod tests;
