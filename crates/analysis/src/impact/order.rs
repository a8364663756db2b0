//! The start order after everything was down: waves, circles, and where to cut them.

use super::rise::{From, Rise, rise};
use model::graph::{Graph, Index, Kind, Regime};
use std::collections::{HashMap, HashSet, VecDeque};

/// A start of everything, or of one host's guests.
#[derive(Debug)]
pub struct Order {
    /// The start with a person at hand for what does not start itself.
    pub rise: Rise,
    /// What never comes up, and is neither dead nor needs what is dead: it waits for itself.
    pub stuck: Vec<Index>,
    /// The shortest circle among them, each waiting for the next, the last for the first.
    pub circle: Vec<Index>,
    /// The acts by hand that let everything start.
    pub acts: Vec<Act>,
}

/// Something that a person does to break a circle: what a clause asks for is provided by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Act {
    /// The component whose need is met by hand.
    pub of: Index,
    /// Its clause, by position.
    pub clause: usize,
}

/// How a whole start goes; `dead` never comes up.
pub fn order(graph: &Graph, dead: &HashSet<Index>) -> Order {
    let mut from = From {
        dead: dead.clone(),
        person_at_hand: true,
        ..From::default()
    };
    let rise_first = rise(graph, &from);
    let doomed = doomed(graph, dead);
    let stuck: Vec<Index> = (0..graph.len())
        .map(Index::new)
        .filter(|i| !rise_first.is_up(*i) && !doomed.contains(i))
        .collect();
    let circle = shortest_circle(graph, &stuck);
    let acts = if stuck.is_empty() {
        Vec::new()
    } else {
        fewest_acts(graph, &mut from, &stuck)
    };
    Order {
        rise: rise_first,
        stuck,
        circle,
        acts,
    }
}

/// What cannot come up because of the dead, even if every circle were cut: circles taken as up.
fn doomed(graph: &Graph, dead: &HashSet<Index>) -> HashSet<Index> {
    let mut down = dead.clone();
    let mut queue: VecDeque<Index> = dead.iter().copied().collect();
    // A clause that no number of its members can meet.
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

/// What a stuck component waits for, among the stuck.
fn waits(graph: &Graph, stuck: &HashSet<Index>, index: Index) -> Vec<(usize, Index)> {
    graph
        .clauses(index)
        .iter()
        .enumerate()
        .filter(|(_, clause)| {
            let met = clause.members.iter().filter(|m| !stuck.contains(m)).count();
            clause.regimes.has(Regime::Cold) && met < clause.k as usize
        })
        .flat_map(|(at, clause)| clause.members.iter().map(move |m| (at, *m)))
        .filter(|(_, member)| stuck.contains(member))
        .collect()
}

/// The shortest circle: a breadth-first search from each stuck component, bounded.
fn shortest_circle(graph: &Graph, stuck: &[Index]) -> Vec<Index> {
    let set: HashSet<Index> = stuck.iter().copied().collect();
    let mut best: Vec<Index> = Vec::new();
    // Enough to find a short one on any real site, and bounded on a generated one.
    for &start in stuck.iter().take(2000) {
        let mut from: HashMap<Index, Index> = HashMap::new();
        let mut queue = VecDeque::from([(start, 0_usize)]);
        'search: while let Some((index, depth)) = queue.pop_front() {
            if !best.is_empty() && depth + 1 >= best.len() {
                break;
            }
            for (_, member) in waits(graph, &set, index) {
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

/// How hard it is to provide by hand what a clause asks for: a name is a line in `/etc/hosts`,
/// a mount or a service a longer story; hardware cannot be conjured up.
fn cost(graph: &Graph, of: Index) -> Option<u32> {
    match graph.component(of).kind {
        Kind::Name => Some(1),
        Kind::Mount => Some(2),
        Kind::Guest | Kind::Service | Kind::Group => Some(4),
        Kind::Disk => Some(8),
        _ => None,
    }
}

/// The fewest acts that let every stuck component start: all sets of one, then of two, then of
/// three; beyond that the act that frees most, again and again.
fn fewest_acts(graph: &Graph, from: &mut From, stuck: &[Index]) -> Vec<Act> {
    let set: HashSet<Index> = stuck.iter().copied().collect();
    let mut choices: Vec<(u32, Act)> = stuck
        .iter()
        .filter_map(|&of| Some((of, cost(graph, of)?)))
        .flat_map(|(of, cost)| {
            let mut clauses: Vec<usize> = waits(graph, &set, of).into_iter().map(|w| w.0).collect();
            clauses.dedup();
            clauses
                .into_iter()
                .map(move |clause| (cost, Act { of, clause }))
        })
        .collect();
    choices.sort_by_key(|(cost, act)| (*cost, act.of, act.clause));
    let mut freed = |acts: &[Act]| {
        from.waived = acts.iter().map(|a| (a.of, a.clause)).collect();
        let end = rise(graph, from);
        stuck.iter().filter(|i| end.is_up(**i)).count()
    };
    let few: Vec<Act> = choices.iter().map(|c| c.1).take(60).collect();
    for (at, &one) in few.iter().enumerate() {
        if freed(&[one]) == stuck.len() {
            return vec![one];
        }
        for &two in &few[..at] {
            if freed(&[two, one]) == stuck.len() {
                return vec![two, one];
            }
        }
    }
    let mut acts: Vec<Act> = Vec::new();
    let mut best = 0;
    while best < stuck.len() && acts.len() < 50 {
        let next = few
            .iter()
            .filter(|a| !acts.contains(a))
            .map(|&act| {
                let mut with = acts.clone();
                with.push(act);
                (freed(&with), act)
            })
            .max_by_key(|(count, _)| *count);
        let Some((count, act)) = next.filter(|(count, _)| *count > best) else {
            break;
        };
        best = count;
        acts.push(act);
    }
    acts
}
