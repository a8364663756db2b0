//! Makes the working graph smaller without changing its minimal cut sets' function.
//!
//! Three rewritings, until none finds anything: a gate with one parent of its own kind is merged
//! into it; arguments that always appear together under gates of one kind become one gate (the
//! "factorisation" of the Faunet reduction, which turns common causes into pseudo-events); and what
//! decides a module on its own is taken as decided in the rest of it (`x or f(x)` is
//! `x or f(false)`, `x and f(x)` is `x and f(true)`).

use super::graph::{Graph, Kind, Lit};
use super::hash::FastMap;
use super::modules;

/// Rounds are bounded: each costs the size of the graph, and later ones find little.
const MAX_ROUNDS: usize = 12;

/// Applies the rewritings.
pub(crate) fn reduce(mut graph: Graph) -> Graph {
    let mut size = usize::MAX;
    for _ in 0..MAX_ROUNDS {
        let measure = weight(&graph);
        if measure >= size {
            break;
        }
        size = measure;
        graph = rebuild(&graph);
    }
    graph
}

/// The number of live nodes and edges.
fn weight(graph: &Graph) -> usize {
    let live = graph.reachable();
    let nodes = graph.nodes.iter().zip(&live).filter(|(_, live)| **live);
    nodes.map(|(node, _)| 1 + node.args.len()).sum()
}

/// For each live node: its parents (a parent counts once for each argument place).
fn parents(graph: &Graph) -> Vec<Vec<u32>> {
    let live = graph.reachable();
    let mut parents = vec![Vec::new(); graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        if live[index] {
            for arg in &node.args {
                parents[arg.node()].push(index as u32);
            }
        }
    }
    parents
}

/// Groups the nodes that have the same two or more parents, all of one kind (`and` or `or`).
fn groups(graph: &Graph, parents: &[Vec<u32>]) -> FastMap<u32, u32> {
    let mut negative = vec![false; graph.nodes.len()];
    for node in &graph.nodes {
        for arg in node.args.iter().filter(|a| a.negated()) {
            negative[arg.node()] = true;
        }
    }
    let mut by_parents: FastMap<(Kind, &[u32]), Vec<u32>> = FastMap::default();
    for (index, list) in parents.iter().enumerate() {
        let [first, _, ..] = list.as_slice() else {
            continue;
        };
        let kind = graph.nodes[*first as usize].kind;
        let uniform = matches!(kind, Kind::And | Kind::Or)
            && list.iter().all(|&p| graph.nodes[p as usize].kind == kind);
        if uniform && !negative[index] && graph.root.node() != index {
            let group = by_parents.entry((kind, list)).or_default();
            group.push(index as u32);
        }
    }
    let mut group_of = FastMap::default();
    for members in by_parents.values().filter(|m| m.len() >= 2) {
        for &member in members {
            group_of.insert(member, members[0]);
        }
    }
    group_of
}

/// What decides a module on its own.
struct Deciders {
    /// For each node, the constant that it may be taken for where it does not decide.
    elsewhere: Vec<Option<Lit>>,
    /// The gates whose arguments decide: module tops, and gates of the same kind right under them.
    decided: Vec<bool>,
}

fn deciders(graph: &Graph) -> Deciders {
    let is_module = modules::detect(graph);
    let mut elsewhere = vec![None; graph.nodes.len()];
    let mut decided = vec![false; graph.nodes.len()];
    for (top, node) in graph.nodes.iter().enumerate() {
        let constant = match node.kind {
            Kind::Or => Lit::FALSE,
            Kind::And => Lit::TRUE,
            _ => continue,
        };
        if !is_module[top] {
            continue;
        }
        let mut stack = vec![top];
        while let Some(gate) = stack.pop() {
            decided[gate] = true;
            for arg in graph.nodes[gate].args.iter().filter(|arg| !arg.negated()) {
                let at = arg.node();
                if elsewhere[at].replace(constant).is_none() && graph.nodes[at].kind == node.kind {
                    stack.push(at);
                }
            }
        }
    }
    Deciders { elsewhere, decided }
}

fn rebuild(old: &Graph) -> Graph {
    let live = old.reachable();
    let parents = parents(old);
    let group_of = groups(old, &parents);
    let deciders = deciders(old);
    let mut members: FastMap<u32, Vec<u32>> = FastMap::default();
    for (&member, &group) in &group_of {
        members.entry(group).or_default().push(member);
    }
    let mut new = Graph::new();
    let mut map = vec![Lit::TRUE; old.nodes.len()];
    let mut group_lit: FastMap<u32, Lit> = FastMap::default();
    for (index, node) in old.nodes.iter().enumerate() {
        if !live[index] {
            continue;
        }
        map[index] = match node.kind {
            Kind::Constant => Lit::TRUE,
            Kind::Var(event) => new.var(event),
            kind => {
                let mut args = Vec::with_capacity(node.args.len());
                let mergeable = matches!(kind, Kind::And | Kind::Or);
                for &arg in &node.args {
                    if let (false, Some(constant)) =
                        (deciders.decided[index], deciders.elsewhere[arg.node()])
                    {
                        args.push(with_sign(constant, arg.negated()));
                        continue;
                    }
                    if let Some(group) = group_of.get(&(arg.0 >> 1)) {
                        let lit = *group_lit.entry(*group).or_insert_with(|| {
                            let mut list = members.get(group).cloned().unwrap_or_default();
                            list.sort_unstable();
                            let lits = list.iter().map(|&m| map[m as usize]).collect();
                            new.gate(kind, lits)
                        });
                        args.push(lit);
                        continue;
                    }
                    let lit = with_sign(map[arg.node()], arg.negated());
                    let child = &new.nodes[lit.node()];
                    if mergeable && child.kind == kind && parents[arg.node()].len() == 1 {
                        args.extend_from_slice(&child.args);
                    } else {
                        args.push(lit);
                    }
                }
                new.gate(kind, args)
            }
        };
    }
    new.root = with_sign(map[old.root.node()], old.root.negated());
    new
}

fn with_sign(lit: Lit, negated: bool) -> Lit {
    if negated { lit.not() } else { lit }
}
