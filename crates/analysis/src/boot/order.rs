//! How systemd takes circles out of the order of a boot, and how much of that is chance.
//!
//! systemd walks through the jobs of the transaction along their order; where the walk comes back to a job
//! on its own way, it goes the way back and deletes the first job that the default target does not
//! strictly need, with all that require it, and begins anew (`transaction_verify_order_one` in
//! systemd's src/core/transaction.c, the same from version 240 to 257). Where the walk begins, and which
//! way it takes first, is the order of hash tables with a random key: from one boot to the next another job
//! may go. The same walk is done here with many orders, so that what may happen is known, and
//! what happens mostly. (Checked against `systemd --test`, which makes the transaction of a boot in
//! a tenth of a second: `lab/tests/boot_order.rs`.)

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::graph::Graph;
use crate::connected;

/// Orders tried for a graph of up to [`SMALL`] jobs; [`FEW`] beyond.
const TRIES: u64 = 400;
const FEW: u64 = 40;
const SMALL: usize = 500;
/// From how many jobs of a knot the shortest circle is looked for.
const MAX_STARTS: usize = 50;

/// Units that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// A shortest circle: each ordered after the next, the last after the first.
    pub units: Vec<String>,
    /// The jobs that are mostly taken out for it, with those that require them.
    pub dropped: Vec<String>,
}

/// The circles of a graph and what may become of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circles {
    /// One for every set of jobs that all wait for each other.
    pub units: Vec<Vec<String>>,
    /// The most frequent first; empty where there is no circle.
    pub ways: Vec<Way>,
}

/// One way in which the circles of a boot may be broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Each job that was picked, and those that went with it; with the number of its circle.
    pub dropped: Vec<(usize, Vec<String>)>,
    /// In how many of the orders tried.
    pub times: u64,
}

impl Circles {
    /// The circles, and what goes in one way.
    pub fn told(&self, way: Option<&Way>) -> Vec<Cycle> {
        self.units
            .iter()
            .enumerate()
            .map(|(number, units)| Cycle {
                units: units.clone(),
                dropped: way
                    .into_iter()
                    .flat_map(|way| &way.dropped)
                    .filter(|(of, _)| *of == number)
                    .flat_map(|(_, jobs)| jobs.iter().cloned())
                    .collect(),
            })
            .collect()
    }
}

/// The jobs as numbers, in the order of their names.
struct Order<'g> {
    names: Vec<&'g String>,
    /// Jobs that wait for each.
    next: Vec<Vec<usize>>,
    /// Jobs that require each.
    requirers: Vec<Vec<usize>>,
    /// Whether the anchor needs it, by requirements alone.
    matters: Vec<bool>,
}

/// The circles among the jobs of `graph` and the ways to break them. A circle of which no job can be
/// spared stays as it is: systemd then refuses the whole transaction.
pub(super) fn circles(graph: &Graph, anchor: &str) -> Circles {
    let order = Order::of(graph, anchor);
    let knots = order.knots();
    if knots.is_empty() {
        return Circles::default();
    }
    let mut knot_of = vec![0; order.names.len()];
    for (number, knot) in knots.iter().enumerate() {
        for at in knot {
            knot_of[*at] = number;
        }
    }
    let tries = if order.names.len() <= SMALL {
        TRIES
    } else {
        FEW
    };
    let mut ways: BTreeMap<BTreeSet<usize>, Way> = BTreeMap::new();
    for seed in 0..tries {
        let broken = order.broken(seed);
        let dropped = broken.iter().flatten().copied();
        let way = ways.entry(dropped.collect()).or_insert_with(|| Way {
            dropped: broken
                .iter()
                .map(|jobs| (knot_of[jobs[0]], order.named(jobs)))
                .collect(),
            times: 0,
        });
        way.times += 1;
    }
    let mut ways: Vec<Way> = ways.into_values().collect();
    ways.sort_by_key(|way| std::cmp::Reverse(way.times));
    Circles {
        units: knots.iter().map(|knot| order.shortest(knot)).collect(),
        ways,
    }
}

/// The jobs that go where systemd picks `victims`, in this order; those that the graph does not have are passed
/// over.
///
/// # Errors
/// Where systemd could not do that: a victim is in no circle, or is strictly needed, or a circle is
/// left at the end.
pub(super) fn left_out(
    graph: &Graph,
    anchor: &str,
    victims: &[String],
) -> Result<BTreeSet<String>, String> {
    let mut graph = graph.clone();
    let all = graph.jobs.clone();
    for victim in victims.iter().filter(|victim| all.contains(*victim)) {
        let order = Order::of(&graph, anchor);
        let at = order.names.iter().position(|name| *name == victim);
        let in_knot = |at: &usize| order.knots().iter().any(|knot| knot.contains(at));
        let Some(at) = at.filter(in_knot) else {
            return Err(format!("{victim} is in no circle"));
        };
        if order.matters[at] {
            return Err(format!("{victim} is needed"));
        }
        let gone = order.named(&order.drop(at, &mut vec![false; order.names.len()]));
        graph.jobs.retain(|job| !gone.contains(job));
    }
    let order = Order::of(&graph, anchor);
    match order.knots().first() {
        Some(knot) => Err(format!(
            "a circle is left: {}",
            order.shortest(knot).join(" after ")
        )),
        None => Ok(&all - &graph.jobs),
    }
}

impl<'g> Order<'g> {
    fn of(graph: &'g Graph, anchor: &str) -> Self {
        let names: Vec<&String> = graph.jobs.iter().collect();
        let number: BTreeMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), at))
            .collect();
        let mut order = Self {
            next: vec![Vec::new(); names.len()],
            requirers: vec![Vec::new(); names.len()],
            matters: vec![false; names.len()],
            names,
        };
        for (at, name) in order.names.iter().enumerate() {
            let Some(unit) = graph.units.get(*name) else {
                continue;
            };
            for other in unit.after.iter().filter_map(|o| number.get(o.as_str())) {
                order.next[*other].push(at);
            }
            for other in unit.requires.iter().filter_map(|o| number.get(o.as_str())) {
                order.requirers[*other].push(at);
            }
        }
        let mut open: Vec<usize> = number.get(anchor).copied().into_iter().collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut order.matters[at], true)
                && let Some(unit) = graph.units.get(order.names[at])
            {
                open.extend(unit.requires.iter().filter_map(|o| number.get(o.as_str())));
            }
        }
        order
    }

    fn named(&self, jobs: &[usize]) -> Vec<String> {
        jobs.iter().map(|at| self.names[*at].clone()).collect()
    }

    /// The sets of jobs that all wait for each other.
    fn knots(&self) -> Vec<Vec<usize>> {
        let mut knots = connected::parts(0..self.next.len(), |at| self.next[at].clone());
        knots.retain(|knot| knot.len() > 1 || self.next[knot[0]].contains(&knot[0]));
        // The earliest jobs first.
        knots.reverse();
        knots
    }

    /// A shortest circle of a knot, from the last to the first.
    fn shortest(&self, knot: &[usize]) -> Vec<String> {
        let inside: BTreeSet<usize> = knot.iter().copied().collect();
        // fstab's own units, since the circle is told for their sake; a few are enough.
        let mut starts: Vec<usize> = knot.to_vec();
        starts.sort_unstable_by_key(|at| (!self.names[*at].ends_with("mount"), *at));
        let found = starts.into_iter().take(MAX_STARTS).filter_map(|start| {
            let mut from: BTreeMap<usize, usize> = BTreeMap::new();
            let mut open = VecDeque::from([start]);
            while let Some(at) = open.pop_front() {
                for other in self.next[at].iter().filter(|o| inside.contains(o)) {
                    if !from.contains_key(other) {
                        from.insert(*other, at);
                        open.push_back(*other);
                    }
                }
                if from.contains_key(&start) {
                    break;
                }
            }
            let mut circle = vec![start];
            let mut at = *from.get(&start)?;
            while at != start {
                circle.push(at);
                at = *from.get(&at)?;
            }
            Some(circle)
        });
        self.named(&found.min_by_key(Vec::len).unwrap_or_default())
    }

    /// The jobs that go in one order of the tables, each picked one with those that require it.
    fn broken(&self, seed: u64) -> Vec<Vec<usize>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut starts: Vec<usize> = (0..self.names.len()).collect();
        random.shuffle(&mut starts);
        let mut next = self.next.clone();
        for list in &mut next {
            random.shuffle(list);
        }
        let mut gone = vec![false; self.names.len()];
        let mut dropped = Vec::new();
        while let Some(path) = walk(&starts, &next, &gone) {
            let Some(victim) = path.iter().rev().find(|at| !self.matters[**at]) else {
                break;
            };
            dropped.push(self.drop(*victim, &mut gone));
        }
        dropped
    }

    /// Drops a job and all that require it.
    fn drop(&self, victim: usize, gone: &mut [bool]) -> Vec<usize> {
        let mut dropped = Vec::new();
        let mut open = vec![victim];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut gone[at], true) {
                dropped.push(at);
                open.extend(&self.requirers[at]);
            }
        }
        dropped
    }
}

/// The first circle on a walk: from the job that the walk met again to the last before it did.
fn walk(starts: &[usize], next: &[Vec<usize>], gone: &[bool]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnTheWay,
        Done,
    }
    let mut marks = vec![Mark::New; next.len()];
    // A stack of our own: fstab may be long.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in starts {
        if gone[*start] || marks[*start] != Mark::New {
            continue;
        }
        marks[*start] = Mark::OnTheWay;
        path.push((*start, 0));
        while let Some((at, seen)) = path.last_mut() {
            let Some(other) = next[*at].get(*seen).copied() else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            *seen += 1;
            if gone[other] {
                continue;
            }
            match marks[other] {
                Mark::Done => {}
                Mark::New => {
                    marks[other] = Mark::OnTheWay;
                    path.push((other, 0));
                }
                Mark::OnTheWay => {
                    let from = path.iter().position(|(on, _)| *on == other)?;
                    return Some(path[from..].iter().map(|(on, _)| *on).collect());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `end` wants `a`, `b` and `c`, which wait for each other in a circle.
    fn circle() -> Graph {
        let mut graph = Graph::default();
        for (unit, other) in [("a", "b"), ("b", "c"), ("c", "a")] {
            graph.wants("end", unit);
            graph.after(unit, other);
        }
        graph
    }

    #[test]
    fn any_job_of_a_circle_may_go_and_each_does_in_some_order() {
        let mut graph = circle();
        graph.gather("end");
        let circles = circles(&graph, "end");
        let dropped: BTreeSet<&str> = circles
            .ways
            .iter()
            .flat_map(|way| &way.dropped[0].1)
            .map(String::as_str)
            .collect();
        assert_eq!(dropped, BTreeSet::from(["a", "b", "c"]));
        let times = circles.ways.iter().map(|way| way.times).sum::<u64>();
        assert_eq!(times, TRIES);
        assert_eq!(circles.units, [["a", "b", "c"]]);
    }

    #[test]
    fn what_the_target_requires_stays_and_what_requires_a_dropped_job_goes() {
        let mut graph = circle();
        graph.requires("end", "a");
        graph.requires("d", "c");
        graph.wants("end", "d");
        graph.gather("end");
        for way in circles(&graph, "end").ways {
            let dropped = &way.dropped[0].1;
            assert!(!dropped.contains(&"a".to_owned()));
            assert_eq!(dropped[0] == "c", dropped.contains(&"d".to_owned()));
        }
    }

    #[test]
    fn a_circle_of_which_no_job_can_be_spared_is_told_and_stays() {
        let mut graph = circle();
        for unit in ["a", "b", "c"] {
            graph.requires("end", unit);
        }
        graph.gather("end");
        let circles = circles(&graph, "end");
        assert_eq!((circles.units.len(), circles.ways.len()), (1, 1));
        assert!(circles.ways[0].dropped.is_empty());
    }

    #[test]
    fn a_row_has_no_circle_and_two_circles_are_told_apart() {
        let mut graph = Graph::default();
        graph.wants("end", "a");
        graph.after("end", "a");
        graph.gather("end");
        assert_eq!(circles(&graph, "end"), Circles::default());
        for (unit, other) in [("a", "b"), ("b", "a"), ("x", "y"), ("y", "x")] {
            graph.wants("end", unit);
            graph.after(unit, other);
        }
        graph.jobs.clear();
        graph.gather("end");
        let circles = circles(&graph, "end");
        assert_eq!(circles.units.len(), 2);
        assert!(circles.ways.iter().all(|way| way.dropped.len() == 2));
        assert_eq!(circles.ways.len(), 4);
    }
}
