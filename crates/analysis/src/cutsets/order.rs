//! Static variable orders for a module. No single one is good everywhere: the engine tries several.

use super::modules::Part;

/// A way to order the inputs of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heuristic {
    /// Depth first, arguments as written.
    AsWritten,
    /// Depth first, the smallest sub-graph first.
    LightFirst,
    /// Depth first, the largest sub-graph first.
    HeavyFirst,
    /// Depth first, arguments with the most parents first.
    SharedFirst,
    /// Depth first, arguments as written but last one first.
    Reversed,
    /// Depth first as written, then each input drawn towards the gates that it feeds.
    Drawn,
}

impl Heuristic {
    /// All of them, the most promising first.
    pub const ALL: [Heuristic; 6] = [
        Heuristic::AsWritten,
        Heuristic::Drawn,
        Heuristic::LightFirst,
        Heuristic::SharedFirst,
        Heuristic::HeavyFirst,
        Heuristic::Reversed,
    ];
}

/// An order: for each input its level, and the gates in the order in which to build them.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub level_of_input: Vec<u32>,
    pub gates: Vec<u32>,
}

/// Orders the inputs of a module.
pub(crate) fn order(part: &Part, heuristic: Heuristic) -> Order {
    let n = part.inputs.len();
    let total = n + part.gates.len();
    let mut parents = vec![0u32; total];
    let mut weight = vec![1f64; total];
    for (i, gate) in part.gates.iter().enumerate() {
        weight[n + i] = 1.0;
        for arg in &gate.args {
            parents[arg.node()] += 1;
            weight[n + i] += weight[arg.node()];
        }
    }
    let mut level_of_input = vec![u32::MAX; n];
    let mut next_level = 0;
    let mut gates = Vec::with_capacity(part.gates.len());
    let mut entered = vec![false; part.gates.len()];
    let mut stack: Vec<(usize, Vec<usize>, usize)> = Vec::new();
    let arguments = |gate: usize| {
        let mut args: Vec<usize> = part.gates[gate].args.iter().map(|a| a.node()).collect();
        let by_weight = |a: &usize, b: &usize| weight[*a].total_cmp(&weight[*b]);
        match heuristic {
            Heuristic::AsWritten | Heuristic::Drawn => {}
            Heuristic::Reversed => args.reverse(),
            Heuristic::LightFirst => args.sort_by(by_weight),
            Heuristic::HeavyFirst => args.sort_by(|a, b| by_weight(b, a)),
            Heuristic::SharedFirst => {
                args.sort_by(|a, b| parents[*b].cmp(&parents[*a]).then(by_weight(a, b)));
            }
        }
        args
    };
    let top = part.gates.len() - 1;
    entered[top] = true;
    stack.push((top, arguments(top), 0));
    while let Some((gate, args, next)) = stack.last_mut() {
        let Some(&arg) = args.get(*next) else {
            gates.push(*gate as u32);
            stack.pop();
            continue;
        };
        *next += 1;
        if arg < n {
            if level_of_input[arg] == u32::MAX {
                level_of_input[arg] = next_level;
                next_level += 1;
            }
        } else if !std::mem::replace(&mut entered[arg - n], true) {
            stack.push((arg - n, arguments(arg - n), 0));
        }
    }
    if heuristic == Heuristic::Drawn {
        draw(part, &mut level_of_input, &gates);
    }
    Order {
        level_of_input,
        gates,
    }
}

/// The most rounds of [`draw`].
const MAX_ROUNDS: usize = 150;
/// It ends after so many rounds without a shorter total span.
const PATIENCE: usize = 10;

/// Moves inputs that feed the same gates close to each other: every gate pulls its arguments, and
/// itself, to their common centre of gravity, until the spans of the gates get no shorter.
///
/// This is FORCE (Aloul, Markov, Sakallah: "FORCE: a fast and easy-to-implement variable-ordering
/// heuristic", GLSVLSI 2003).
fn draw(part: &Part, level_of_input: &mut [u32], gates: &[u32]) {
    let n = part.inputs.len();
    let total = n + part.gates.len();
    // Gates stand between the inputs, where the walk left them.
    let mut place = vec![0f64; total];
    for (input, &level) in level_of_input.iter().enumerate() {
        place[input] = f64::from(level);
    }
    for &gate in gates {
        let args = &part.gates[gate as usize].args;
        let sum: f64 = args.iter().map(|a| place[a.node()]).sum();
        place[n + gate as usize] = sum / args.len().max(1) as f64;
    }
    let mut best = f64::INFINITY;
    let mut since_best = 0;
    for _ in 0..MAX_ROUNDS {
        let mut order: Vec<u32> = (0..total as u32).collect();
        order.sort_by(|&a, &b| place[a as usize].total_cmp(&place[b as usize]));
        for (rank, &node) in order.iter().enumerate() {
            place[node as usize] = rank as f64;
        }
        let mut pull = vec![(0f64, 0u32); total];
        let mut span = 0.0;
        for (index, gate) in part.gates.iter().enumerate() {
            let own = place[n + index];
            let (mut low, mut high, mut sum) = (own, own, own);
            for arg in &gate.args {
                let at = place[arg.node()];
                low = low.min(at);
                high = high.max(at);
                sum += at;
            }
            span += high - low;
            let centre = sum / (gate.args.len() + 1) as f64;
            let members = gate.args.iter().map(|a| a.node()).chain([n + index]);
            for member in members {
                pull[member].0 += centre;
                pull[member].1 += 1;
            }
        }
        if span < best {
            best = span;
            since_best = 0;
            let inputs = order.iter().filter(|&&node| (node as usize) < n);
            for (level, &input) in inputs.enumerate() {
                level_of_input[input as usize] = level as u32;
            }
        } else {
            since_best += 1;
            if since_best == PATIENCE {
                return;
            }
        }
        for (at, (sum, count)) in place.iter_mut().zip(pull) {
            if count > 0 {
                *at = sum / f64::from(count);
            }
        }
    }
}
