//! Zero-suppressed decision diagrams: families of sets of inputs of one module.
//!
//! Two ways lead to a module's minimal cut sets. From the finished BDD (Rauzy, Reliability
//! Engineering & System Safety 40, 1993): the minimal solutions of the high branch that do not
//! already satisfy the low one. Or bottom-up, gate by gate, with families kept minimal and cut at
//! an order limit throughout.

use super::bdd::FrozenBdd;
use super::store::{Cache, Full, Store, TERMINAL};

/// The family without any set.
pub(crate) const EMPTY: u32 = 0;
/// The family that holds only the empty set.
pub(crate) const UNIT: u32 = 1;

const DIFFERENCE: u32 = 0;
const WITHOUT_FAMILY: u32 = 1;
const UNION: u32 = 2;
/// Products carry their limit in the operation's number.
const PRODUCT: u32 = 3;
/// An order limit that limits nothing.
pub(crate) const NO_LIMIT: u32 = u32::MAX - 16;

/// Sweep when so many nodes are in use, not earlier: what a sweep forgets costs steps.
const FIRST_SWEEP: usize = 1 << 20;
/// The most steps for each node of the budget.
const STEPS_PER_NODE: usize = 3;

/// A diagram under construction.
#[derive(Debug)]
pub(crate) struct Zbdd {
    store: Store,
    cache: Cache,
    /// The least order that each level adds: more than one for a module.
    weights: Vec<u32>,
    sweep_at: usize,
    /// Steps that are left: time must be bounded as well as space.
    steps: usize,
    /// Whether the order limit left out any set on the way.
    truncated: bool,
}

/// A finished family: only what the root needs, successors before their parents.
#[derive(Debug, Clone)]
pub(crate) struct FrozenZbdd {
    /// (level, lo, hi) of each node; 0 is the empty family, 1 the family of the empty set.
    pub nodes: Vec<(u32, u32, u32)>,
    pub root: u32,
}

impl Zbdd {
    /// An empty diagram of at most `limit` nodes over levels of the given least orders.
    pub fn new(limit: usize, weights: Vec<u32>) -> Self {
        Zbdd {
            store: Store::new(2, limit),
            cache: Cache::new(1 << 22),
            weights,
            sweep_at: FIRST_SWEEP,
            steps: limit.saturating_mul(STEPS_PER_NODE),
            truncated: false,
        }
    }

    fn make(&mut self, level: u32, lo: u32, hi: u32) -> Result<u32, Full> {
        if hi == EMPTY {
            return Ok(lo);
        }
        self.store.find(level, lo, hi)
    }

    /// The family of the one set that holds the one level, or nothing if that is over the limit.
    pub fn single(&mut self, level: u32, limit: u32) -> Result<u32, Full> {
        if self.weights[level as usize] > limit {
            self.truncated = true;
            return Ok(EMPTY);
        }
        self.make(level, EMPTY, UNIT)
    }

    /// Whether the order limit left out any set on the way; a larger set may be among them.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The level of the root of a family; terminals lie below all.
    pub fn level(&self, family: u32) -> u32 {
        self.store.nodes[family as usize].level
    }

    #[inline]
    fn remember(&mut self, op: u32, a: u32, b: u32, result: u32) -> Result<u32, Full> {
        self.steps = self.steps.checked_sub(1).ok_or(Full)?;
        self.cache.fit(self.store.used());
        self.cache.put(op, a, b, result);
        Ok(result)
    }

    /// The minimal solutions of a monotone function.
    ///
    /// Those of a node are those of its low branch, and with the node's level those of its high
    /// branch that do not already satisfy the low one. For a monotone function the low branch
    /// implies the high one, so a minimal solution of the high branch that satisfies the low one
    /// is minimal there too: what has to be taken away is a plain difference of two families,
    /// which costs a fraction of the search for subsets.
    pub fn minimal_solutions(&mut self, bdd: &FrozenBdd) -> Result<u32, Full> {
        const UNKNOWN: u32 = u32::MAX;
        let mut solved = vec![[UNKNOWN; 2]; bdd.nodes.len()];
        let mut used = vec![[false; 2]; bdd.nodes.len()];
        used[(bdd.root >> 1) as usize][(bdd.root & 1) as usize] = true;
        for at in (1..bdd.nodes.len()).rev() {
            let (_, lo, hi) = bdd.nodes[at];
            for flip in 0..2u32 {
                if used[at][flip as usize] {
                    for successor in [lo ^ flip, hi ^ flip] {
                        used[(successor >> 1) as usize][(successor & 1) as usize] = true;
                    }
                }
            }
        }
        solved[0] = [UNIT, EMPTY];
        for at in 1..bdd.nodes.len() {
            let (level, lo, hi) = bdd.nodes[at];
            for flip in 0..2u32 {
                if used[at][flip as usize] {
                    let (lo, hi) = (lo ^ flip, hi ^ flip);
                    let all = solved[(hi >> 1) as usize][(hi & 1) as usize];
                    let rest = solved[(lo >> 1) as usize][(lo & 1) as usize];
                    let kept = self.difference(all, rest)?;
                    solved[at][flip as usize] = self.make(level, rest, kept)?;
                }
            }
        }
        Ok(solved[(bdd.root >> 1) as usize][(bdd.root & 1) as usize])
    }

    /// The sets of `a` that are not in `b`; no set of either family contains another of it.
    fn difference(&mut self, a: u32, mut b: u32) -> Result<u32, Full> {
        if a == EMPTY || a == b {
            return Ok(EMPTY);
        }
        // A family that holds the empty set holds nothing else.
        if a == UNIT || b == UNIT {
            return Ok(a);
        }
        let x = self.store.nodes[a as usize];
        let mut y = self.store.nodes[b as usize];
        while y.level < x.level {
            b = y.lo;
            y = self.store.nodes[b as usize];
        }
        if b <= UNIT {
            return Ok(a);
        }
        if a == b {
            return Ok(EMPTY);
        }
        if let Some(found) = self.cache.get(DIFFERENCE, a, b) {
            return Ok(found);
        }
        let (lo, hi) = if x.level == y.level {
            (self.difference(x.lo, y.lo)?, self.difference(x.hi, y.hi)?)
        } else {
            (self.difference(x.lo, b)?, x.hi)
        };
        let result = self.make(x.level, lo, hi)?;
        self.remember(DIFFERENCE, a, b, result)
    }

    /// The sets of `a` that contain no set of `b`.
    fn without_family(&mut self, a: u32, b: u32) -> Result<u32, Full> {
        if a == EMPTY || b == EMPTY {
            return Ok(a);
        }
        if b == UNIT || a == b {
            return Ok(EMPTY);
        }
        let (x, y) = (self.store.nodes[a as usize], self.store.nodes[b as usize]);
        if y.level < x.level {
            return self.without_family(a, y.lo);
        }
        if let Some(found) = self.cache.get(WITHOUT_FAMILY, a, b) {
            return Ok(found);
        }
        let (hi, lo) = if x.level == y.level {
            let hi = self.without_family(x.hi, y.hi)?;
            (
                self.without_family(hi, y.lo)?,
                self.without_family(x.lo, y.lo)?,
            )
        } else {
            (self.without_family(x.hi, b)?, self.without_family(x.lo, b)?)
        };
        let result = self.make(x.level, lo, hi)?;
        self.remember(WITHOUT_FAMILY, a, b, result)
    }

    /// The minimal sets of two minimal families together.
    pub fn union(&mut self, a: u32, b: u32) -> Result<u32, Full> {
        if a == b || b == EMPTY {
            return Ok(a);
        }
        if a == EMPTY {
            return Ok(b);
        }
        if a == UNIT || b == UNIT {
            return Ok(UNIT);
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        if let Some(found) = self.cache.get(UNION, a, b) {
            return Ok(found);
        }
        let (x, y) = (self.store.nodes[a as usize], self.store.nodes[b as usize]);
        let level = x.level.min(y.level);
        let (lo, hi) = if x.level == y.level {
            (self.union(x.lo, y.lo)?, self.union(x.hi, y.hi)?)
        } else if x.level < y.level {
            (self.union(x.lo, b)?, x.hi)
        } else {
            (self.union(a, y.lo)?, y.hi)
        };
        let hi = self.without_family(hi, lo)?;
        let result = self.make(level, lo, hi)?;
        self.remember(UNION, a, b, result)
    }

    /// The minimal sets made of one set of each family, up to the order limit.
    pub fn product(&mut self, a: u32, b: u32, limit: u32) -> Result<u32, Full> {
        if a == EMPTY || b == EMPTY {
            return Ok(EMPTY);
        }
        if limit == NO_LIMIT && a == UNIT {
            return Ok(b);
        }
        if limit == NO_LIMIT && (b == UNIT || a == b) {
            return Ok(a);
        }
        if a == UNIT && b == UNIT {
            return Ok(UNIT);
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        if let Some(found) = self.cache.get(PRODUCT + limit, a, b) {
            return Ok(found);
        }
        let (x, y) = (self.store.nodes[a as usize], self.store.nodes[b as usize]);
        let level = x.level.min(y.level);
        let weight = self.weights[level as usize];
        let inner = if limit == NO_LIMIT {
            Some(NO_LIMIT)
        } else {
            limit.checked_sub(weight)
        };
        let (x0, x1) = if x.level == level {
            (x.lo, x.hi)
        } else {
            (a, EMPTY)
        };
        let (y0, y1) = if y.level == level {
            (y.lo, y.hi)
        } else {
            (b, EMPTY)
        };
        let lo = self.product(x0, y0, limit)?;
        let hi = match inner {
            None => {
                self.truncated = true;
                EMPTY
            }
            Some(inner) => {
                let y_any = self.union(y0, y1)?;
                let left = self.product(x1, y_any, inner)?;
                let right = self.product(x0, y1, inner)?;
                let both = self.union(left, right)?;
                self.without_family(both, lo)?
            }
        };
        let result = self.make(level, lo, hi)?;
        self.remember(PRODUCT + limit, a, b, result)
    }

    /// The minimal sets made from at least `min` of the families, up to the order limit.
    pub fn at_least(&mut self, min: usize, args: &[u32], limit: u32) -> Result<u32, Full> {
        let mut row = vec![EMPTY; min + 1];
        row[0] = UNIT;
        for (seen, &arg) in args.iter().enumerate() {
            let lowest = (min + seen + 1).saturating_sub(args.len()).max(1);
            for j in (lowest..=min.min(seen + 1)).rev() {
                let with = self.product(arg, row[j - 1], limit)?;
                row[j] = self.union(with, row[j])?;
            }
        }
        Ok(row[min])
    }

    /// Frees what none of `roots` needs, if enough has piled up.
    pub fn collect(&mut self, roots: impl Iterator<Item = u32>) {
        if self.store.used() < self.sweep_at {
            return;
        }
        let mut marked = vec![false; self.store.nodes.len()];
        marked[0] = true;
        marked[1] = true;
        let mut stack: Vec<u32> = Vec::new();
        for root in roots {
            stack.push(root);
            while let Some(at) = stack.pop() {
                if !std::mem::replace(&mut marked[at as usize], true) {
                    let node = self.store.nodes[at as usize];
                    stack.push(node.lo);
                    stack.push(node.hi);
                }
            }
        }
        self.store.sweep(&marked, 2);
        self.cache.clear();
        self.sweep_at = (self.store.used() * 2).max(FIRST_SWEEP);
    }

    /// Copies what `root` needs, successors first.
    pub fn freeze(&self, root: u32) -> FrozenZbdd {
        let mut nodes = vec![(TERMINAL, 0, 0), (TERMINAL, 0, 0)];
        let mut renamed = vec![u32::MAX; self.store.nodes.len()];
        renamed[0] = 0;
        renamed[1] = 1;
        let mut stack = vec![root];
        while let Some(&at) = stack.last() {
            if renamed[at as usize] != u32::MAX {
                stack.pop();
                continue;
            }
            let node = self.store.nodes[at as usize];
            let (lo, hi) = (renamed[node.lo as usize], renamed[node.hi as usize]);
            if lo != u32::MAX && hi != u32::MAX {
                renamed[at as usize] = nodes.len() as u32;
                nodes.push((node.level, lo, hi));
                stack.pop();
            } else {
                for (new, old) in [(hi, node.hi), (lo, node.lo)] {
                    if new == u32::MAX {
                        stack.push(old);
                    }
                }
            }
        }
        FrozenZbdd {
            nodes,
            root: renamed[root as usize],
        }
    }
}
