//! The fewest acts by hand that let everything start that waits for itself.

use super::rise::{Rise, in_time};
use model::graph::{Graph, Index, Kind, Regime};
use std::collections::HashSet;

/// Something that a person does to break a circle: what a clause asks for is provided by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Act {
    /// The component whose need is met by hand.
    pub of: Index,
    /// Its clause, by position.
    pub clause: usize,
}

/// Above so many choices the search for a smallest set of several acts is not exhaustive.
const EXHAUSTIVE: usize = 60;

/// How hard it is to provide by hand what a component asks for: a name is a line in `/etc/hosts`,
/// a mount or a service a longer story; hardware cannot be conjured up.
pub(super) fn cost(graph: &Graph, of: Index) -> Option<u32> {
    match graph.component(of).kind {
        Kind::Name => Some(1),
        Kind::Mount => Some(2),
        Kind::Guest | Kind::Service | Kind::Group => Some(4),
        Kind::Disk => Some(8),
        _ => None,
    }
}

/// The stuck, and what is up around them.
struct Stuck<'a> {
    graph: &'a Graph,
    stuck: &'a [Index],
    alone: &'a Rise,
}

impl Stuck<'_> {
    fn met(&self, act: Act, up: &HashSet<Index>, acts: &[Act]) -> bool {
        let clause = &self.graph.clauses(act.of)[act.clause];
        let counts = |m: &&Index| {
            (self.alone.is_up(**m) || up.contains(*m)) && in_time(self.graph, clause, **m)
        };
        !clause.regimes.has(Regime::Cold)
            || acts.contains(&act)
            || clause.members.iter().filter(counts).count() >= clause.k as usize
    }

    /// Which of the stuck come up once `acts` are done.
    fn freed(&self, acts: &[Act]) -> HashSet<Index> {
        let mut up = HashSet::new();
        let mut queue: Vec<Index> = self.stuck.to_vec();
        let inside: HashSet<Index> = self.stuck.iter().copied().collect();
        while let Some(of) = queue.pop() {
            let clauses = 0..self.graph.clauses(of).len();
            let ready = |clause: usize| self.met(Act { of, clause }, &up, acts);
            if !up.contains(&of) && clauses.into_iter().all(ready) {
                up.insert(of);
                let dependents = self.graph.dependents(of).iter();
                queue.extend(dependents.filter(|d| inside.contains(d)));
            }
        }
        up
    }

    fn suffice(&self, acts: &[Act]) -> bool {
        self.freed(acts).len() == self.stuck.len()
    }

    /// Every act that could help, the cheapest first, without those that another one implies.
    fn choices(&self) -> Vec<Act> {
        let none = HashSet::new();
        let mut choices: Vec<(u32, Act)> = Vec::new();
        for &of in self.stuck {
            let Some(cost) = cost(self.graph, of) else {
                continue;
            };
            for clause in 0..self.graph.clauses(of).len() {
                let act = Act { of, clause };
                if !self.met(act, &none, &[]) {
                    choices.push((cost, act));
                }
            }
        }
        choices.sort_unstable();
        let mut left: Vec<Act> = choices.into_iter().map(|c| c.1).collect();
        // Where one act lets another's need be met, the other is not worth a thought.
        let mut at = 0;
        while at < left.len() {
            let one = left[at];
            let up = self.freed(&[one]);
            let implied = |act: &Act| *act != one && self.met(*act, &up, &[]);
            let before = left[..at].iter().filter(|a| implied(a)).count();
            left.retain(|act| !implied(act));
            at = at - before + 1;
        }
        left
    }
}

/// The fewest acts that let every one of `stuck` start, the cheapest of equals, and whether fewer
/// are known not to suffice. Empty where no acts suffice: hardware waits for itself.
pub(super) fn fewest(graph: &Graph, stuck: &[Index], alone: &Rise) -> (Vec<Act>, bool) {
    let stuck = Stuck {
        graph,
        stuck,
        alone,
    };
    if stuck.stuck.is_empty() {
        return (Vec::new(), true);
    }
    let choices = stuck.choices();
    if !stuck.suffice(&choices) {
        return (Vec::new(), false);
    }
    // Those without which all the others together do not suffice are in every set of acts.
    let needed = |act: &&Act| {
        let others: Vec<Act> = choices.iter().filter(|a| a != act).copied().collect();
        !stuck.suffice(&others)
    };
    let mut acts: Vec<Act> = choices.iter().filter(needed).copied().collect();
    if stuck.suffice(&acts) {
        return (acts, true);
    }
    let rest: Vec<Act> = choices
        .iter()
        .filter(|a| !acts.contains(a))
        .copied()
        .collect();
    if rest.len() <= EXHAUSTIVE {
        for size in 1..=3 {
            if let Some(more) = search(&stuck, &acts, &rest, size) {
                acts.extend(more);
                return (acts, true);
            }
        }
    }
    // The act that frees most, again and again; then those out that proved needless.
    while !stuck.suffice(&acts) {
        let next = rest
            .iter()
            .filter(|a| !acts.contains(a))
            .max_by_key(|&&act| {
                let with: Vec<Act> = acts.iter().copied().chain([act]).collect();
                stuck.freed(&with).len()
            });
        let Some(&next) = next else { break };
        acts.push(next);
    }
    for act in acts.clone() {
        let without: Vec<Act> = acts.iter().filter(|a| **a != act).copied().collect();
        if stuck.suffice(&without) {
            acts = without;
        }
    }
    (acts, false)
}

/// The first set of `size` of `rest` that suffices together with `with`.
fn search(stuck: &Stuck<'_>, with: &[Act], rest: &[Act], size: usize) -> Option<Vec<Act>> {
    for (at, &act) in rest.iter().enumerate() {
        let mut more: Vec<Act> = with.to_vec();
        more.push(act);
        if size == 1 {
            if stuck.suffice(&more) {
                return Some(vec![act]);
            }
        } else if let Some(mut found) = search(stuck, &more, &rest[at + 1..], size - 1) {
            found.insert(0, act);
            return Some(found);
        }
    }
    None
}
