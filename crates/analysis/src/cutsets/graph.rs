//! The engine's working graph: gates over literals, in negation normal form, without constants
//! (but for the true that negates a gate through `xor`).
//!
//! Only `and`, `or`, `atleast` and two-argument `xor` remain; a negation stands only on a variable.
//! Equal gates are one node (structural hashing), so that a node number is a function's identity.

use super::hash::FastMap;

/// A literal: a node, or (for variables only) its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lit(pub u32);

impl Lit {
    /// The constant true: node 0 is no function but this constant.
    pub const TRUE: Lit = Lit(0);
    /// The constant false.
    pub const FALSE: Lit = Lit(1);

    pub fn new(node: usize) -> Self {
        Lit((node as u32) << 1)
    }

    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub fn negated(self) -> bool {
        self.0 & 1 == 1
    }

    pub fn not(self) -> Self {
        Lit(self.0 ^ 1)
    }

    pub fn constant(self) -> Option<bool> {
        (self.0 < 2).then_some(self.0 == 0)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Node 0 only.
    Constant,
    /// A basic event, by its number in the fault tree.
    Var(u32),
    And,
    Or,
    /// At least so many; arguments may repeat.
    AtLeast(u32),
    /// Exactly two arguments.
    Xor,
}

impl Kind {
    pub fn is_gate(self) -> bool {
        !matches!(self, Kind::Constant | Kind::Var(_))
    }
}

/// A node with its arguments (none for a variable). Arguments have smaller numbers than their gate.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub kind: Kind,
    pub args: Vec<Lit>,
}

/// The graph under one top literal.
#[derive(Debug)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    pub root: Lit,
    vars: FastMap<u32, u32>,
    unique: FastMap<(Kind, Vec<Lit>), Lit>,
}

impl Graph {
    pub fn new() -> Self {
        Graph {
            nodes: vec![Node {
                kind: Kind::Constant,
                args: Vec::new(),
            }],
            root: Lit::FALSE,
            vars: FastMap::default(),
            unique: FastMap::default(),
        }
    }

    /// The variable of a basic event.
    pub fn var(&mut self, event: u32) -> Lit {
        let nodes = &mut self.nodes;
        let node = *self.vars.entry(event).or_insert_with(|| {
            nodes.push(Node {
                kind: Kind::Var(event),
                args: Vec::new(),
            });
            (nodes.len() - 1) as u32
        });
        Lit::new(node as usize)
    }

    /// A gate, simplified as far as its own arguments (and theirs) tell.
    pub fn gate(&mut self, kind: Kind, args: Vec<Lit>) -> Lit {
        match kind {
            Kind::And => self.junction(kind, args),
            Kind::Or => self.junction(kind, args),
            Kind::AtLeast(min) => self.at_least(min, args),
            Kind::Xor => self.xor(&args),
            Kind::Constant | Kind::Var(_) => Lit::FALSE,
        }
    }

    /// A gate kept exactly as given, for groupings that must not be undone.
    pub fn raw_gate(&mut self, kind: Kind, args: Vec<Lit>) -> Lit {
        let mut key = args.clone();
        key.sort_unstable();
        let next = Lit::new(self.nodes.len());
        let found = *self.unique.entry((kind, key)).or_insert(next);
        if found == next {
            self.nodes.push(Node { kind, args });
        }
        found
    }

    fn junction(&mut self, kind: Kind, args: Vec<Lit>) -> Lit {
        let (neutral, absorbing) = match kind {
            Kind::And => (Lit::TRUE, Lit::FALSE),
            _ => (Lit::FALSE, Lit::TRUE),
        };
        let mut kept: Vec<Lit> = Vec::with_capacity(args.len());
        if args.len() <= 8 {
            for arg in args {
                if arg == absorbing || kept.contains(&arg.not()) {
                    return absorbing;
                }
                if arg != neutral && !kept.contains(&arg) {
                    kept.push(arg);
                }
            }
        } else {
            let mut seen: FastMap<Lit, ()> = FastMap::default();
            for arg in args {
                if arg == absorbing || seen.contains_key(&arg.not()) {
                    return absorbing;
                }
                if arg != neutral && seen.insert(arg, ()).is_none() {
                    kept.push(arg);
                }
            }
        }
        self.absorb(kind, &mut kept);
        match kept.as_slice() {
            [] => neutral,
            [one] => *one,
            _ => self.raw_gate(kind, kept),
        }
    }

    /// `x and (x or y)` is `x`: drops the arguments of the opposite kind that hold a sibling.
    fn absorb(&self, kind: Kind, args: &mut Vec<Lit>) {
        let opposite = if kind == Kind::And {
            Kind::Or
        } else {
            Kind::And
        };
        if !args.iter().any(|a| self.nodes[a.node()].kind == opposite) {
            return;
        }
        let siblings: FastMap<Lit, ()> = args.iter().map(|&a| (a, ())).collect();
        args.retain(|a| {
            let node = &self.nodes[a.node()];
            node.kind != opposite || !node.args.iter().any(|g| siblings.contains_key(g))
        });
    }

    fn at_least(&mut self, min: u32, args: Vec<Lit>) -> Lit {
        let sure = args.iter().filter(|a| **a == Lit::TRUE).count() as u32;
        let args: Vec<Lit> = args
            .into_iter()
            .filter(|a| a.constant().is_none())
            .collect();
        let min = min.saturating_sub(sure);
        if min == 0 {
            Lit::TRUE
        } else if min as usize > args.len() {
            Lit::FALSE
        } else if min == 1 {
            self.junction(Kind::Or, args)
        } else if min as usize == args.len() {
            self.junction(Kind::And, args)
        } else {
            self.raw_gate(Kind::AtLeast(min), args)
        }
    }

    fn xor(&mut self, args: &[Lit]) -> Lit {
        match *args {
            [a, Lit::FALSE] | [Lit::FALSE, a] => a,
            [a, b] if a == b => Lit::FALSE,
            [a, b] if a == b.not() => Lit::TRUE,
            [Lit::TRUE, a] | [a, Lit::TRUE] if !self.nodes[a.node()].kind.is_gate() => a.not(),
            // The negation of a gate stays what it is: only variables may be negated.
            _ => self.raw_gate(Kind::Xor, args.to_vec()),
        }
    }

    /// Marks what the root reaches.
    pub fn reachable(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        live[self.root.node()] = true;
        for index in (0..self.nodes.len()).rev() {
            if live[index] {
                for arg in &self.nodes[index].args {
                    live[arg.node()] = true;
                }
            }
        }
        live
    }
}
