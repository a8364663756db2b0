//! Modules: gates that share no event with the rest of the graph, solved on their own.
//!
//! Detection is the linear-time algorithm of Dutuit and Rauzy (IEEE Trans. Reliability 45(3),
//! 1996): a gate is a module when everything below it is first and last seen between the gate's
//! own first and second visit of a depth-first walk. Before that, the arguments of a module's
//! top gate are split into groups that share nothing with each other.

use super::graph::{Graph, Kind, Lit};

/// What a module takes as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A basic event, by its number in the fault tree.
    Event(u32),
    /// Another module, by its number; always a smaller one.
    Module(u32),
}

/// A gate of a module; an argument is a number of [`Part::inputs`] first, then of `gates`.
#[derive(Debug, Clone)]
pub(crate) struct LocalGate {
    pub kind: Kind,
    pub args: Vec<Lit>,
}

/// A module cut out of the graph. Literal `2 * i` is input `i` for `i < inputs.len()`, else the
/// gate `i - inputs.len()`. The last gate is the module's top.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub inputs: Vec<Input>,
    pub gates: Vec<LocalGate>,
}

impl Part {
    /// Whether there is neither a negation nor an `xor`, so that the function must be monotone.
    pub fn is_syntactically_coherent(&self) -> bool {
        let negated = |gate: &LocalGate| gate.args.iter().any(|a| a.negated());
        !self
            .gates
            .iter()
            .any(|gate| gate.kind == Kind::Xor || negated(gate))
    }
}

/// Cuts the graph into modules, children first; the last one is the top.
///
/// The root must be a gate.
pub(crate) fn modules(graph: Graph) -> Vec<Part> {
    let first = detect(&graph);
    let graph = split(&graph, &first);
    let is_module = detect(&graph);
    let mut number = vec![u32::MAX; graph.nodes.len()];
    let mut parts = Vec::new();
    let mut cutter = Cutter {
        local: vec![u32::MAX; graph.nodes.len()],
    };
    for index in 0..graph.nodes.len() {
        if is_module[index] {
            parts.push(cutter.cut(&graph, index, &is_module, &number));
            number[index] = (parts.len() - 1) as u32;
        }
    }
    parts
}

/// Which live gates are modules. Non-coherent gates are not, so that coherence of the whole can
/// be decided on one diagram.
pub(crate) fn detect(graph: &Graph) -> Vec<bool> {
    let n = graph.nodes.len();
    let (mut first, mut second, mut last) = (vec![0u32; n], vec![0u32; n], vec![0u32; n]);
    let mut date = 0;
    let mut stack = vec![(graph.root.node(), 0usize)];
    while let Some((node, next)) = stack.last_mut() {
        let args = &graph.nodes[*node].args;
        if *next == 0 {
            date += 1;
            if first[*node] == 0 {
                first[*node] = date;
            } else {
                last[*node] = date;
                stack.pop();
                continue;
            }
        }
        if let Some(arg) = args.get(*next) {
            *next += 1;
            stack.push((arg.node(), 0));
        } else {
            if !args.is_empty() {
                date += 1;
            }
            second[*node] = date;
            last[*node] = date;
            stack.pop();
        }
    }
    let mut lowest = vec![u32::MAX; n];
    let mut highest = vec![0u32; n];
    let mut pure = vec![true; n];
    let mut is_module = vec![false; n];
    for index in 0..n {
        let node = &graph.nodes[index];
        if first[index] == 0 || !node.kind.is_gate() {
            continue;
        }
        pure[index] = node.kind != Kind::Xor;
        for arg in &node.args {
            let a = arg.node();
            lowest[index] = lowest[index].min(lowest[a]).min(first[a]);
            highest[index] = highest[index].max(highest[a]).max(last[a]);
            pure[index] &= pure[a] && !arg.negated();
        }
        is_module[index] = index == graph.root.node()
            || (pure[index] && lowest[index] > first[index] && highest[index] <= second[index]);
    }
    is_module
}

/// Groups the arguments of each module's top gate by what they share.
fn split(old: &Graph, is_module: &[bool]) -> Graph {
    let live = old.reachable();
    let mut new = Graph::new();
    let mut map = vec![Lit::TRUE; old.nodes.len()];
    let mut owner = vec![u32::MAX; old.nodes.len()];
    for (index, node) in old.nodes.iter().enumerate() {
        if !live[index] {
            continue;
        }
        map[index] = match node.kind {
            Kind::Constant => Lit::TRUE,
            Kind::Var(event) => new.var(event),
            kind => {
                let renamed = |arg: &Lit| Lit(map[arg.node()].0 ^ (arg.0 & 1));
                let splits = is_module[index] && matches!(kind, Kind::And | Kind::Or);
                if splits && node.args.len() > 2 {
                    let component = components(old, index, &mut owner);
                    let mut args = Vec::new();
                    let alone = component.iter().all(|&c| c == component[0]);
                    for (i, &root) in component.iter().enumerate() {
                        if alone || component.iter().filter(|&&c| c == root).count() == 1 {
                            args.push(renamed(&node.args[i]));
                        } else if component[..i].iter().all(|&c| c != root) {
                            let zipped = node.args.iter().zip(&component);
                            let group = zipped.filter(|(_, c)| **c == root);
                            let group = group.map(|(arg, _)| renamed(arg)).collect();
                            args.push(new.raw_gate(kind, group));
                        }
                    }
                    new.raw_gate(kind, args)
                } else {
                    let args = node.args.iter().map(renamed).collect();
                    new.raw_gate(kind, args)
                }
            }
        };
    }
    new.root = Lit(map[old.root.node()].0 ^ (old.root.0 & 1));
    new
}

/// For each argument of a gate, the smallest argument number that it is connected with.
fn components(graph: &Graph, gate: usize, owner: &mut [u32]) -> Vec<usize> {
    let args = &graph.nodes[gate].args;
    let mut parent: Vec<usize> = (0..args.len()).collect();
    let mut touched = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        let mut stack = vec![arg.node()];
        while let Some(node) = stack.pop() {
            if owner[node] == u32::MAX {
                owner[node] = i as u32;
                touched.push(node);
                stack.extend(graph.nodes[node].args.iter().map(|a| a.node()));
            } else {
                let (a, b) = (
                    find(&mut parent, owner[node] as usize),
                    find(&mut parent, i),
                );
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    for node in touched {
        owner[node] = u32::MAX;
    }
    (0..args.len()).map(|i| find(&mut parent, i)).collect()
}

fn find(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

/// Copies one module out of the graph.
struct Cutter {
    /// The local number of each node of the module at hand.
    local: Vec<u32>,
}

impl Cutter {
    fn cut(&mut self, graph: &Graph, top: usize, is_module: &[bool], number: &[u32]) -> Part {
        let mut inputs = Vec::new();
        let mut order = Vec::new();
        let mut seen = Vec::new();
        let mut stack = vec![(top, 0usize)];
        self.local[top] = 0;
        seen.push(top);
        while let Some((node, next)) = stack.last_mut() {
            if let Some(arg) = graph.nodes[*node].args.get(*next) {
                *next += 1;
                let a = arg.node();
                if self.local[a] != u32::MAX {
                    continue;
                }
                seen.push(a);
                self.local[a] = 0;
                let input = match graph.nodes[a].kind {
                    Kind::Var(event) => Input::Event(event),
                    _ if is_module[a] => Input::Module(number[a]),
                    _ => {
                        stack.push((a, 0));
                        continue;
                    }
                };
                self.local[a] = inputs.len() as u32;
                inputs.push(input);
            } else {
                order.push(*node);
                stack.pop();
            }
        }
        for (i, &gate) in order.iter().enumerate() {
            self.local[gate] = (inputs.len() + i) as u32;
        }
        let gates = order
            .iter()
            .map(|&gate| LocalGate {
                kind: graph.nodes[gate].kind,
                args: graph.nodes[gate]
                    .args
                    .iter()
                    .map(|a| Lit(self.local[a.node()] << 1 | (a.0 & 1)))
                    .collect(),
            })
            .collect();
        for node in seen {
            self.local[node] = u32::MAX;
        }
        Part { inputs, gates }
    }
}
