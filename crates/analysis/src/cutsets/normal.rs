//! From the caller's fault tree to the working graph: constants propagated, negations pushed down.

use super::CutSetError;
use super::graph::{Graph, Kind, Lit};
use super::hash::FastMap;
use super::tree::{Arg, FaultTree, GateId, Op};

/// One gate under one polarity, with the arguments that it waits for.
struct Frame {
    key: u32,
    wanted: Vec<(Arg, bool)>,
    next: usize,
}

/// Builds the working graph under `top`. Needs no recursion, so depth costs no stack.
///
/// # Errors
/// A circle of gates, an unknown gate or event number, or an operator with a wrong number of
/// arguments.
pub(crate) fn normalize(tree: &FaultTree, top: Arg) -> Result<Graph, CutSetError> {
    let mut graph = Graph::new();
    let mut done: FastMap<u32, Option<Lit>> = FastMap::default();
    let mut stack: Vec<Frame> = Vec::new();
    if let Arg::Gate(gate) = top {
        stack.push(open(tree, gate, false, &mut done)?);
    }
    while let Some(frame) = stack.last_mut() {
        if let Some(&(arg, negated)) = frame.wanted.get(frame.next) {
            frame.next += 1;
            if let Arg::Gate(gate) = arg {
                match done.get(&key(gate, negated)) {
                    Some(Some(_)) => {}
                    Some(None) => return Err(cycle(tree, &stack, gate)),
                    None => {
                        let frame = open(tree, gate, negated, &mut done)?;
                        stack.push(frame);
                    }
                }
            }
        } else {
            let lit = close(tree, frame, &mut graph, &done)?;
            done.insert(frame.key, Some(lit));
            stack.pop();
        }
    }
    graph.root = resolve(tree, top, false, &mut graph, &done)?;
    Ok(graph)
}

fn key(gate: GateId, negated: bool) -> u32 {
    gate.0 << 1 | u32::from(negated)
}

/// Starts a gate: which arguments it needs, each under which polarity.
fn open(
    tree: &FaultTree,
    id: GateId,
    negated: bool,
    done: &mut FastMap<u32, Option<Lit>>,
) -> Result<Frame, CutSetError> {
    let gate = tree
        .gates()
        .get(id.0 as usize)
        .ok_or(CutSetError::NoSuchGate { gate: id.0 })?;
    let arity = match gate.op {
        Op::Not => Some(1),
        Op::Iff | Op::Imply => Some(2),
        _ => None,
    };
    if let Some(expected) = arity.filter(|&n| n != gate.args.len()) {
        return Err(CutSetError::WrongArity {
            gate: gate.name.clone(),
            expected,
            found: gate.args.len(),
        });
    }
    let same = |flip: bool| gate.args.iter().map(|&a| (a, negated != flip)).collect();
    let both = || {
        let positive = gate.args.iter().map(|&a| (a, false));
        positive
            .chain(gate.args.iter().map(|&a| (a, true)))
            .collect()
    };
    let wanted: Vec<(Arg, bool)> = match gate.op {
        Op::And | Op::Or | Op::AtLeast(_) => same(false),
        Op::Nand | Op::Nor | Op::Not => same(true),
        Op::Imply => vec![(gate.args[0], !negated), (gate.args[1], negated)],
        Op::Xor | Op::Iff | Op::Cardinality { .. } => both(),
    };
    done.insert(key(id, negated), None);
    Ok(Frame {
        key: key(id, negated),
        wanted,
        next: 0,
    })
}

/// Finishes a gate whose arguments are all there.
fn close(
    tree: &FaultTree,
    frame: &Frame,
    graph: &mut Graph,
    done: &FastMap<u32, Option<Lit>>,
) -> Result<Lit, CutSetError> {
    let negated = frame.key & 1 == 1;
    let gate = &tree.gates()[(frame.key >> 1) as usize];
    let mut args = Vec::with_capacity(frame.wanted.len());
    for &(arg, negated) in &frame.wanted {
        args.push(resolve(tree, arg, negated, graph, done)?);
    }
    let n = gate.args.len() as u32;
    Ok(match (gate.op, negated) {
        (Op::And, false) | (Op::Nand, true) | (Op::Imply, true) => graph.gate(Kind::And, args),
        (Op::Or, false) | (Op::Nor, true) | (Op::Imply, false) => graph.gate(Kind::Or, args),
        (Op::And, true) | (Op::Nand, false) => graph.gate(Kind::Or, args),
        (Op::Or, true) | (Op::Nor, false) => graph.gate(Kind::And, args),
        (Op::Not, _) => args[0],
        (Op::AtLeast(min), false) => graph.gate(Kind::AtLeast(min), args),
        (Op::AtLeast(min), true) => match min.checked_sub(n + 1) {
            Some(_) => Lit::TRUE,
            None => graph.gate(Kind::AtLeast(n + 1 - min), args),
        },
        (Op::Xor, _) | (Op::Iff, _) => {
            let odd = (gate.op == Op::Xor) != negated;
            parity(graph, &args, odd)
        }
        (Op::Cardinality { min, max }, _) => {
            let falses = args.split_off(n as usize);
            let max = max.min(n);
            if min > max {
                return Ok(if negated { Lit::TRUE } else { Lit::FALSE });
            }
            if negated {
                let few = graph.gate(Kind::AtLeast(n + 1 - min), falses);
                let many = graph.gate(Kind::AtLeast(max + 1), args);
                graph.gate(Kind::Or, vec![few, many])
            } else {
                let enough = graph.gate(Kind::AtLeast(min), args);
                let limit = graph.gate(Kind::AtLeast(n - max), falses);
                graph.gate(Kind::And, vec![enough, limit])
            }
        }
    })
}

/// Whether an odd (or even) number of arguments holds: a chain of two-argument `xor` gates.
/// `args` holds the positive arguments, then the same ones negated.
fn parity(graph: &mut Graph, args: &[Lit], odd: bool) -> Lit {
    let n = args.len() / 2;
    let (mut value, mut opposite) = (Lit::FALSE, Lit::TRUE);
    for i in 0..n {
        let (a, not_a) = (args[i], args[i + n]);
        if let Some(known) = value.constant() {
            (value, opposite) = if known { (not_a, a) } else { (a, not_a) };
        } else if let Some(known) = a.constant() {
            if known {
                (value, opposite) = (opposite, value);
            }
        } else {
            let next = graph.gate(Kind::Xor, vec![value, a]);
            opposite = graph.gate(Kind::Xor, vec![value, not_a]);
            value = next;
        }
    }
    if odd { value } else { opposite }
}

fn resolve(
    tree: &FaultTree,
    arg: Arg,
    negated: bool,
    graph: &mut Graph,
    done: &FastMap<u32, Option<Lit>>,
) -> Result<Lit, CutSetError> {
    let lit = match arg {
        Arg::Constant(value) => Lit(u32::from(!value)),
        Arg::Event(event) if (event.0 as usize) < tree.events().len() => graph.var(event.0),
        Arg::Event(event) => return Err(CutSetError::NoSuchEvent { event: event.0 }),
        Arg::Gate(gate) => {
            return match done.get(&key(gate, negated)) {
                Some(&Some(lit)) => Ok(lit),
                _ => Err(CutSetError::NoSuchGate { gate: gate.0 }),
            };
        }
    };
    Ok(if negated { lit.not() } else { lit })
}

/// The circle that closes at `gate`, named from it back to it. Nested formulas have no name.
fn cycle(tree: &FaultTree, stack: &[Frame], gate: GateId) -> CutSetError {
    let start = stack
        .iter()
        .position(|f| f.key >> 1 == gate.0)
        .unwrap_or_default();
    let mut gates: Vec<String> = stack[start..]
        .iter()
        .map(|f| tree.gates()[(f.key >> 1) as usize].name.clone())
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(first) = gates.first().cloned() {
        gates.push(first);
    }
    CutSetError::Cycle { gates }
}
