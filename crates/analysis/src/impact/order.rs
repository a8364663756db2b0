//! The start order after everything was down: waves, circles, and where to cut them.

use super::acts::{Act, fewest};
use super::rise::{From, Rise, in_time, rise};
use model::graph::{Graph, Index, Kind, Regime, Start};
use std::collections::{HashMap, HashSet, VecDeque};

/// A start of everything.
#[derive(Debug)]
pub struct Order {
    /// The start as it goes once the acts are done, with a person at hand for what does not start
    /// itself.
    pub rise: Rise,
    /// What never comes up without the acts: it waits for itself.
    pub stuck: Vec<Index>,
    /// What no act can bring up: a need that nothing can ever meet.
    pub doomed: Vec<Index>,
    /// The shortest circle among the stuck.
    pub circle: Option<Circle>,
    /// The acts by hand that let everything start.
    pub acts: Vec<Act>,
    /// Whether fewer acts are known not to suffice.
    pub fewest: bool,
    /// What a person must start: no autostart.
    pub by_hand: Vec<Index>,
}

/// A circle: each waits for the next, the last for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its members.
    pub members: Vec<Index>,
    /// Whether the last one waits for the first only by the order of a boot: guests start after
    /// the mounts of their host were tried.
    pub at_boot: bool,
    /// The need whose removal costs least.
    pub cut: Act,
}

/// How a whole start goes.
pub fn order(graph: &Graph) -> Order {
    let mut from = From {
        person_at_hand: true,
        ..From::default()
    };
    let alone = rise(graph, &from);
    let doomed = doomed(graph);
    let stuck: Vec<Index> = (0..graph.len())
        .map(Index::new)
        .filter(|i| !alone.is_up(*i) && !doomed.contains(i))
        .collect();
    let circle = circle(graph, &stuck, &alone);
    let (acts, fewest) = fewest(graph, &stuck, &alone);
    let (boot, others): (Vec<&Act>, Vec<&Act>) = acts
        .iter()
        .partition(|a| graph.clauses(a.of)[a.clause].at_boot);
    let waive = |acts: &[&Act]| -> HashSet<(Index, usize)> {
        acts.iter().map(|a| (a.of, a.clause)).collect()
    };
    // What is only tried again waits for what it needs, if that ever comes.
    from.again = true;
    from.waived = waive(&others);
    let mut end = rise(graph, &from);
    if !stuck.iter().all(|i| end.is_up(*i)) {
        from.waived.extend(waive(&boot));
        end = rise(graph, &from);
    }
    let by_person = |i: &Index| graph.component(*i).start == Start::Person;
    let mut doomed: Vec<Index> = doomed.into_iter().collect();
    doomed.sort_unstable();
    Order {
        rise: end,
        by_hand: (0..graph.len()).map(Index::new).filter(by_person).collect(),
        stuck,
        doomed,
        circle,
        acts,
        fewest,
    }
}

/// What cannot come up even if every circle were cut: a clause that no number of its members can
/// meet, and all that needs such a component.
fn doomed(graph: &Graph) -> HashSet<Index> {
    let mut down = HashSet::new();
    let mut queue = VecDeque::new();
    for position in 0..graph.len() {
        let index = Index::new(position);
        let never = graph
            .clauses(index)
            .iter()
            .any(|c| c.regimes.has(Regime::Cold) && c.members.len() < c.k as usize);
        if never && down.insert(index) {
            queue.push_back(index);
        }
    }
    while let Some(index) = queue.pop_front() {
        for &of in graph.dependents(index) {
            let broken = !down.contains(&of)
                && graph.clauses(of).iter().any(|clause| {
                    let left = clause.members.iter().filter(|m| !down.contains(m)).count();
                    clause.regimes.has(Regime::Cold) && left < clause.k as usize
                });
            if broken {
                down.insert(of);
                queue.push_back(of);
            }
        }
    }
    down
}

/// What a stuck component waits for among the stuck, with the clause's position.
fn waits(graph: &Graph, stuck: &HashSet<Index>, index: Index) -> Vec<(usize, Index)> {
    let clauses = graph.clauses(index).iter().enumerate();
    clauses
        .filter(|(_, clause)| {
            let up = |m: &&Index| !stuck.contains(m) && in_time(graph, clause, **m);
            let met = clause.members.iter().filter(up).count();
            clause.regimes.has(Regime::Cold) && met < clause.k as usize
        })
        .flat_map(|(at, clause)| clause.members.iter().map(move |m| (at, *m)))
        .filter(|(_, member)| stuck.contains(member))
        .collect()
}

/// The shortest circle among the stuck: of needs, else of a boot's order.
fn circle(graph: &Graph, stuck: &[Index], alone: &Rise) -> Option<Circle> {
    let set: HashSet<Index> = stuck.iter().copied().collect();
    let members = shortest_circle(graph, stuck, &set);
    if members.is_empty() {
        return boot_circle(graph, stuck, alone);
    }
    let nexts = members.iter().cycle().skip(1);
    let cut = members
        .iter()
        .zip(nexts)
        .filter_map(|(&of, next)| {
            let found = waits(graph, &set, of).into_iter().find(|w| w.1 == *next);
            let clause = found?.0;
            Some((super::acts::cost(graph, of)?, Act { of, clause }))
        })
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, act)| act)?;
    Some(Circle {
        members,
        at_boot: false,
        cut,
    })
}

/// A mount that is tried before the guest starts whose answer it needs, best on the same host.
fn boot_circle(graph: &Graph, stuck: &[Index], alone: &Rise) -> Option<Circle> {
    let mut best: Option<(bool, Circle)> = None;
    for &name in stuck {
        let host = &graph.component(name).host;
        let clauses = graph.clauses(name).iter().enumerate();
        for (clause, needs) in clauses.filter(|(_, c)| c.at_boot) {
            let mut mounts = graph.dependents(name).iter().copied();
            let mount = mounts.find(|m| graph.component(*m).kind == Kind::Mount);
            for &guest in needs.members.iter().filter(|g| alone.is_up(**g)) {
                let elsewhere = graph.component(guest).host != *host;
                if best.as_ref().is_some_and(|(far, _)| *far <= elsewhere) {
                    continue;
                }
                let members = mount.into_iter().chain([name, guest]).collect();
                let cut = Act { of: name, clause };
                let circle = Circle {
                    members,
                    at_boot: true,
                    cut,
                };
                best = Some((elsewhere, circle));
            }
        }
    }
    best.map(|(_, circle)| circle)
}

/// The shortest circle: a breadth-first search from each stuck component, bounded.
fn shortest_circle(graph: &Graph, stuck: &[Index], set: &HashSet<Index>) -> Vec<Index> {
    let mut best: Vec<Index> = Vec::new();
    // Enough to find a short one on any real site, and bounded on a generated one.
    for &start in stuck.iter().take(2000) {
        let mut from: HashMap<Index, Index> = HashMap::new();
        let mut queue = VecDeque::from([(start, 0_usize)]);
        'search: while let Some((index, depth)) = queue.pop_front() {
            if !best.is_empty() && depth + 1 >= best.len() {
                break;
            }
            for (_, member) in waits(graph, set, index) {
                if member == start {
                    let mut circle = vec![index];
                    let mut at = index;
                    while let Some(&before) = from.get(&at) {
                        circle.push(before);
                        at = before;
                    }
                    circle.reverse();
                    best = circle;
                    break 'search;
                }
                if member != start && !from.contains_key(&member) {
                    from.insert(member, index);
                    queue.push_back((member, depth + 1));
                }
            }
        }
    }
    best
}
