//! Strongly connected parts of a directed graph.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// A node on the way, and how many of its successors were looked at.
struct Frame<N> {
    node: N,
    successors: Vec<N>,
    looked_at: usize,
}

/// The strongly connected parts of all that can be reached from `tops`, those from which nothing of the others
/// can be reached first (Tarjan, 1972; without recursion, since graphs may be deep).
pub(crate) fn parts<N: Copy + Eq + Hash>(
    tops: impl IntoIterator<Item = N>,
    successors: impl Fn(N) -> Vec<N>,
) -> Vec<Vec<N>> {
    let mut order: HashMap<N, usize> = HashMap::new();
    let mut low: HashMap<N, usize> = HashMap::new();
    let mut stack: Vec<N> = Vec::new();
    let mut on_stack: HashSet<N> = HashSet::new();
    let mut parts = Vec::new();
    let mut frames: Vec<Frame<N>> = Vec::new();
    for top in tops {
        let mut found = (!order.contains_key(&top)).then_some(top);
        loop {
            if let Some(node) = found.take() {
                let number = order.len();
                order.insert(node, number);
                low.insert(node, number);
                stack.push(node);
                on_stack.insert(node);
                frames.push(Frame {
                    node,
                    successors: successors(node),
                    looked_at: 0,
                });
            }
            let Some(frame) = frames.last_mut() else {
                break;
            };
            let node = frame.node;
            if let Some(&successor) = frame.successors.get(frame.looked_at) {
                frame.looked_at += 1;
                match order.get(&successor) {
                    None => found = Some(successor),
                    Some(&seen) if on_stack.contains(&successor) => lower(&mut low, node, seen),
                    Some(_) => {}
                }
                continue;
            }
            frames.pop();
            let lowest = low.get(&node).copied().unwrap_or(0);
            if let Some(above) = frames.last() {
                lower(&mut low, above.node, lowest);
            }
            if order.get(&node) == Some(&lowest) {
                let mut part = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack.remove(&member);
                    part.push(member);
                    if member == node {
                        break;
                    }
                }
                parts.push(part);
            }
        }
    }
    parts
}

fn lower<N: Copy + Eq + Hash>(low: &mut HashMap<N, usize>, node: N, to: usize) {
    let lowest = low.entry(node).or_insert(to);
    *lowest = (*lowest).min(to);
}
