//! The search for an order of steps that cuts nobody off: depth first over the sets of steps done,
//! small and harmless steps first, each set tried once.

use super::state::{Act, Entry, State, Talk, World};
use std::collections::{BTreeSet, HashSet};

/// States looked at before the search gives up.
const MOST: usize = 4_000;

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Steps in order, and whether each is only for the time of the change.
    pub order: Vec<(Act, bool)>,
    /// Whether nobody is cut off on the way.
    pub keeps_all: bool,
    /// Where somebody is: whether every order was tried.
    pub exhausted: bool,
}

/// Finds an order; with temporary steps where none does without.
pub fn search(world: &World<'_>, start: &State, goal: &State, keep: &BTreeSet<Talk>) -> Found {
    let acts = acts(world, start, goal);
    let mut try_ = Try::new(world, keep, start, acts);
    if let Some(order) = try_.run() {
        return done(order, Vec::new());
    }
    let mut exhausted = try_.left > 0;
    // Every overlap that may help; those that turn out not to be needed are dropped again.
    let mut extra = overlaps(world, start, goal);
    let mut best: Option<(Vec<Act>, Vec<Act>)> = None;
    let mut at = 0;
    let with = |extra: &[Act]| -> (Option<Vec<Act>>, bool) {
        let mut begin = start.clone();
        for act in extra {
            act.apply(&mut begin);
        }
        let mut acts = acts_of(world, &begin, goal);
        acts.sort_by_key(risk);
        let mut try_ = Try::new(world, keep, &begin, acts);
        let good = keep.is_subset(&world.talks(&begin));
        (if good { try_.run() } else { None }, try_.left > 0)
    };
    let (order, complete) = with(&extra);
    exhausted &= complete;
    if let Some(order) = order {
        best = Some((extra.clone(), order));
        while at < extra.len() {
            let mut fewer = extra.clone();
            fewer.remove(at);
            match with(&fewer) {
                (Some(order), _) => {
                    best = Some((fewer.clone(), order));
                    extra = fewer;
                }
                _ => at += 1,
            }
        }
    }
    if let Some((extra, order)) = best {
        return done(order, extra);
    }
    Found {
        order: least_harm(world, start, goal, keep),
        keeps_all: false,
        exhausted,
    }
}

fn done(order: Vec<Act>, extra: Vec<Act>) -> Found {
    let temporary = |act: &Act| match act {
        Act::Form {
            device,
            vid,
            to: None,
        } => extra
            .iter()
            .any(|e| matches!(e, Act::Form { device: d, vid: v, .. } if d == device && v == vid)),
        _ => false,
    };
    let mut all: Vec<(Act, bool)> = extra.iter().map(|act| (act.clone(), true)).collect();
    all.extend(order.into_iter().map(|act| {
        let back = temporary(&act);
        (act, back)
    }));
    Found {
        order: all,
        keeps_all: true,
        exhausted: false,
    }
}

/// The steps from one state to another.
fn acts(world: &World<'_>, from: &State, to: &State) -> Vec<Act> {
    let mut acts = acts_of(world, from, to);
    acts.sort_by_key(risk);
    acts
}

fn acts_of(world: &World<'_>, from: &State, to: &State) -> Vec<Act> {
    let mut acts = Vec::new();
    let none = Entry::default();
    for (device, goal) in &to.entries {
        let now = from.entries.get(device).unwrap_or(&none);
        let vids: BTreeSet<u16> = now.forms.keys().chain(goal.forms.keys()).copied().collect();
        for vid in vids {
            let (a, b) = (now.forms.get(&vid), goal.forms.get(&vid));
            if a != b {
                acts.push(Act::Form {
                    device: device.clone(),
                    vid,
                    to: b.copied(),
                });
            }
        }
        match (now.pvid, goal.pvid) {
            (a, b) if a == b => {}
            (_, Some(pvid)) => acts.push(Act::Pvid {
                device: device.clone(),
                to: pvid,
                untagged: goal.forms.get(&pvid).copied().unwrap_or(true),
            }),
            (Some(was), None) => acts.push(Act::NoPvid {
                device: device.clone(),
                was,
            }),
            (None, None) => {}
        }
    }
    if let Some(pvid) = to.default_pvid.filter(|p| Some(*p) != from.default_pvid) {
        acts.push(Act::DefaultPvid(pvid));
    }
    for (wire, native) in &to.natives {
        if let Some(native) = native.filter(|n| from.natives.get(wire) != Some(&Some(*n))) {
            acts.push(Act::Native {
                wire: wire.clone(),
                port: world.port_behind(wire),
                to: native,
            });
        }
    }
    for (wire, allowed) in &to.allowed {
        let now = from.allowed.get(wire).and_then(Option::as_ref);
        for vid in allowed.iter().flatten() {
            if now.is_some_and(|now| !now.contains(vid)) {
                acts.push(Act::Allow {
                    wire: wire.clone(),
                    port: world.port_behind(wire),
                    vid: *vid,
                });
            }
        }
    }
    acts
}

/// What to try first: adding changes nothing for those who talk, taking away comes last.
fn risk(act: &Act) -> (u8, String) {
    let rank = match act {
        Act::Allow { .. } => 0,
        Act::Form { to: Some(_), .. } => 2,
        Act::Pvid { .. } => 3,
        Act::Native { .. } => 4,
        Act::NoPvid { .. } => 5,
        Act::Form { to: None, .. } | Act::Forbid { .. } => 6,
        // Last: it takes the old default away from whoever still lives on it.
        Act::DefaultPvid(_) => 7,
    };
    (rank, act.device().to_owned())
}

/// VLANs that may be added to an entry for the time of the change: the PVIDs of either state.
fn overlaps(world: &World<'_>, from: &State, to: &State) -> Vec<Act> {
    let mut pvids: BTreeSet<u16> = BTreeSet::new();
    for state in [from, to] {
        pvids.extend(state.entries.values().filter_map(|e| e.pvid));
        pvids.extend(state.natives.values().flatten());
    }
    let mut extra = Vec::new();
    for (device, entry) in &from.entries {
        let watched = world.ends.iter().any(|e| &e.device == device);
        let is_wire = world
            .wires
            .iter()
            .any(|w| &world.net.item(*w).name == device);
        for vid in pvids.iter().filter(|vid| !entry.forms.contains_key(vid)) {
            let goal = to.entries.get(device).and_then(|e| e.forms.get(vid));
            if (watched || is_wire || device == world.bridge) && goal.is_none() {
                extra.push(Act::Form {
                    device: device.clone(),
                    vid: *vid,
                    to: Some(true),
                });
            }
        }
    }
    extra
}

/// One search.
struct Try<'a> {
    world: &'a World<'a>,
    keep: &'a BTreeSet<Talk>,
    start: &'a State,
    acts: Vec<Act>,
    dead: HashSet<Vec<bool>>,
    left: usize,
}

impl<'a> Try<'a> {
    fn new(
        world: &'a World<'a>,
        keep: &'a BTreeSet<Talk>,
        start: &'a State,
        acts: Vec<Act>,
    ) -> Self {
        Self {
            world,
            keep,
            start,
            acts,
            dead: HashSet::new(),
            left: MOST,
        }
    }

    fn run(&mut self) -> Option<Vec<Act>> {
        let mut done = vec![false; self.acts.len()];
        let mut order = Vec::new();
        let state = self.start.clone();
        self.go(&state, &mut done, &mut order).then(|| {
            order
                .iter()
                .filter_map(|at| self.acts.get(*at).cloned())
                .collect()
        })
    }

    /// Goes on from a set of steps done. Acts that change nothing any more count as done.
    fn go(&mut self, state: &State, done: &mut Vec<bool>, order: &mut Vec<usize>) -> bool {
        if done.iter().all(|d| *d) {
            return true;
        }
        if self.left == 0 || self.dead.contains(done) {
            return false;
        }
        for at in 0..self.acts.len() {
            if done.get(at) != Some(&false) {
                continue;
            }
            let Some(act) = self.acts.get(at).cloned() else {
                continue;
            };
            if !act.is_ready(state) {
                continue;
            }
            let mut next = state.clone();
            act.apply(&mut next);
            let silent = next == *state;
            if !silent {
                if self.left == 0 {
                    return false;
                }
                self.left -= 1;
                if !self.keep.is_subset(&self.world.talks(&next)) {
                    continue;
                }
                order.push(at);
            }
            if let Some(slot) = done.get_mut(at) {
                *slot = true;
            }
            if self.go(&next, done, order) {
                return true;
            }
            if let Some(slot) = done.get_mut(at) {
                *slot = false;
            }
            if !silent {
                order.pop();
            }
        }
        self.dead.insert(done.clone());
        false
    }
}

/// Where no order keeps all: each time the step that leaves the fewest cut off.
fn least_harm(
    world: &World<'_>,
    start: &State,
    goal: &State,
    keep: &BTreeSet<Talk>,
) -> Vec<(Act, bool)> {
    let mut left = acts(world, start, goal);
    let mut state = start.clone();
    let mut order = Vec::new();
    while !left.is_empty() {
        let harm = |act: &Act| {
            let mut next = state.clone();
            act.apply(&mut next);
            let talks = world.talks(&next);
            let hosts = keep
                .difference(&talks)
                .filter(|t| world.is_hosts(t))
                .count();
            (hosts, keep.difference(&talks).count())
        };
        let ready = |at: &usize| left.get(*at).is_some_and(|act| act.is_ready(&state));
        let at = (0..left.len())
            .filter(ready)
            .min_by_key(|at| left.get(*at).map(harm))
            .unwrap_or(0);
        let act = left.remove(at);
        let before = state.clone();
        act.apply(&mut state);
        if state != before {
            order.push((act, false));
        }
    }
    order
}
