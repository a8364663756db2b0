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
}

impl Heuristic {
    /// All of them, the most promising first.
    pub const ALL: [Heuristic; 5] = [
        Heuristic::AsWritten,
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
            Heuristic::AsWritten => {}
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
    Order {
        level_of_input,
        gates,
    }
}
