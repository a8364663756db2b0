//! Binary decision diagrams with complemented edges, over the levels of one module.

use super::store::{Cache, Full, Store, TERMINAL};

/// A function: twice its node's number, plus one where the edge is complemented.
pub(crate) type Ref = u32;

/// The constant true; its complement is false.
pub(crate) const TRUE: Ref = 0;
/// The constant false.
pub(crate) const FALSE: Ref = 1;

const AND: u32 = 0;
/// The most steps for each node of the budget.
const STEPS_PER_NODE: usize = 12;

/// A diagram under construction.
#[derive(Debug)]
pub(crate) struct Bdd {
    store: Store,
    cache: Cache,
    /// Sweep when so many nodes are in use.
    sweep_at: usize,
    /// The least that `sweep_at` may be.
    first_sweep: usize,
    /// Steps that are left: time must be bounded as well as space.
    steps: usize,
}

/// A finished diagram: only what the root needs, successors before their parents.
#[derive(Debug, Clone)]
pub(crate) struct FrozenBdd {
    /// (level, lo, hi) of each node; number 0 is the terminal.
    pub nodes: Vec<(u32, Ref, Ref)>,
    pub root: Ref,
}

impl Bdd {
    /// An empty diagram of at most `limit` nodes.
    pub fn new(limit: usize) -> Self {
        Bdd {
            store: Store::new(1, limit),
            cache: Cache::new(1 << 22),
            sweep_at: first_sweep(limit),
            first_sweep: first_sweep(limit),
            steps: limit.saturating_mul(STEPS_PER_NODE),
        }
    }

    /// The variable at a level.
    pub fn var(&mut self, level: u32) -> Result<Ref, Full> {
        self.make(level, FALSE, TRUE)
    }

    pub fn level(&self, f: Ref) -> u32 {
        self.store.nodes[(f >> 1) as usize].level
    }

    /// The node (level, lo, hi); the high edge is never complemented.
    #[inline]
    fn make(&mut self, level: u32, lo: Ref, hi: Ref) -> Result<Ref, Full> {
        if lo == hi {
            return Ok(lo);
        }
        let flip = hi & 1;
        let node = self.store.find(level, lo ^ flip, hi ^ flip)?;
        Ok(node << 1 | flip)
    }

    /// Both arguments.
    pub fn and(&mut self, a: Ref, b: Ref) -> Result<Ref, Full> {
        if a == b || b == TRUE {
            return Ok(a);
        }
        if a == TRUE {
            return Ok(b);
        }
        if a == FALSE || b == FALSE || a == b ^ 1 {
            return Ok(FALSE);
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        if let Some(found) = self.cache.get(AND, a, b) {
            return Ok(found);
        }
        let (x, y) = (
            self.store.nodes[(a >> 1) as usize],
            self.store.nodes[(b >> 1) as usize],
        );
        let (ca, cb) = (a & 1, b & 1);
        let level = x.level.min(y.level);
        let (a0, a1) = if x.level == level {
            (x.lo ^ ca, x.hi ^ ca)
        } else {
            (a, a)
        };
        let (b0, b1) = if y.level == level {
            (y.lo ^ cb, y.hi ^ cb)
        } else {
            (b, b)
        };
        let hi = self.and(a1, b1)?;
        let lo = self.and(a0, b0)?;
        let result = self.make(level, lo, hi)?;
        self.steps = self.steps.checked_sub(1).ok_or(Full)?;
        self.cache.fit(self.store.used());
        self.cache.put(AND, a, b, result);
        Ok(result)
    }

    /// Either argument.
    pub fn or(&mut self, a: Ref, b: Ref) -> Result<Ref, Full> {
        Ok(self.and(a ^ 1, b ^ 1)? ^ 1)
    }

    /// Exactly one of the arguments.
    pub fn xor(&mut self, a: Ref, b: Ref) -> Result<Ref, Full> {
        let left = self.and(a, b ^ 1)?;
        let right = self.and(a ^ 1, b)?;
        self.or(left, right)
    }

    /// At least `min` of the arguments, which may repeat.
    pub fn at_least(&mut self, min: usize, args: &[Ref]) -> Result<Ref, Full> {
        // row[j]: at least j of the arguments seen so far; row[j + 1] implies row[j].
        let mut row = vec![FALSE; min + 1];
        row[0] = TRUE;
        for (seen, &arg) in args.iter().enumerate() {
            let lowest = (min + seen + 1).saturating_sub(args.len()).max(1);
            for j in (lowest..=min.min(seen + 1)).rev() {
                let with = self.and(arg, row[j - 1])?;
                row[j] = self.or(with, row[j])?;
            }
        }
        Ok(row[min])
    }

    /// Frees what none of `roots` needs, if enough has piled up.
    pub fn collect(&mut self, roots: impl Iterator<Item = Ref>) {
        if self.store.used() < self.sweep_at {
            return;
        }
        let mut marked = vec![false; self.store.nodes.len()];
        marked[0] = true;
        let mut stack: Vec<u32> = Vec::new();
        for root in roots {
            stack.push(root >> 1);
            while let Some(at) = stack.pop() {
                if !std::mem::replace(&mut marked[at as usize], true) {
                    let node = self.store.nodes[at as usize];
                    stack.push(node.lo >> 1);
                    stack.push(node.hi >> 1);
                }
            }
        }
        self.store.sweep(&marked, 1);
        self.cache.clear();
        self.sweep_at = (self.store.used() * 2).max(self.first_sweep);
    }

    /// Copies what `root` needs, successors first.
    pub fn freeze(&self, root: Ref) -> FrozenBdd {
        let mut nodes = vec![(TERMINAL, TRUE, TRUE)];
        let mut renamed = vec![u32::MAX; self.store.nodes.len()];
        renamed[0] = 0;
        let mut stack = vec![root >> 1];
        while let Some(&at) = stack.last() {
            if renamed[at as usize] != u32::MAX {
                stack.pop();
                continue;
            }
            let node = self.store.nodes[at as usize];
            let (lo, hi) = (
                renamed[(node.lo >> 1) as usize],
                renamed[(node.hi >> 1) as usize],
            );
            if lo != u32::MAX && hi != u32::MAX {
                renamed[at as usize] = nodes.len() as u32;
                nodes.push((node.level, lo << 1 | node.lo & 1, hi << 1 | node.hi & 1));
                stack.pop();
            } else {
                for (new, old) in [(hi, node.hi), (lo, node.lo)] {
                    if new == u32::MAX {
                        stack.push(old >> 1);
                    }
                }
            }
        }
        FrozenBdd {
            nodes,
            root: renamed[(root >> 1) as usize] << 1 | root & 1,
        }
    }
}

/// How many nodes a diagram of at most `limit` has before it is swept for the first time: early
/// enough that what no gate needs any more does not use the budget up, late enough that sweeping
/// (which empties the cache) costs little.
fn first_sweep(limit: usize) -> usize {
    (limit / 2).min(1 << 20)
}

impl FrozenBdd {
    /// Whether the function is monotone (coherent), decided exactly: at every node, for each
    /// polarity in which it is used, the low function must imply the high one.
    ///
    /// # Errors
    /// The test itself may need more than `limit` steps.
    pub fn first_non_monotone_level(&self, limit: usize) -> Result<Option<u32>, Full> {
        let mut used = vec![[false; 2]; self.nodes.len()];
        used[(self.root >> 1) as usize][(self.root & 1) as usize] = true;
        let mut cache = Cache::new(1 << 20);
        cache.fit(self.nodes.len());
        let mut steps = limit;
        for at in (1..self.nodes.len()).rev() {
            let (level, lo, hi) = self.nodes[at];
            for flip in 0..2u32 {
                if used[at][flip as usize] {
                    for successor in [lo ^ flip, hi ^ flip] {
                        used[(successor >> 1) as usize][(successor & 1) as usize] = true;
                    }
                    if !self.implies(lo ^ flip, hi ^ flip, &mut cache, &mut steps)? {
                        return Ok(Some(level));
                    }
                }
            }
        }
        Ok(None)
    }

    fn implies(&self, a: Ref, b: Ref, cache: &mut Cache, steps: &mut usize) -> Result<bool, Full> {
        if a == FALSE || b == TRUE || a == b {
            return Ok(true);
        }
        if a == TRUE || b == FALSE || a == b ^ 1 {
            return Ok(false);
        }
        if let Some(found) = cache.get(0, a, b) {
            return Ok(found == 1);
        }
        *steps = steps.checked_sub(1).ok_or(Full)?;
        let (x, y) = (self.nodes[(a >> 1) as usize], self.nodes[(b >> 1) as usize]);
        let level = x.0.min(y.0);
        let split = |f: Ref, node: (u32, Ref, Ref)| {
            if node.0 == level {
                (node.1 ^ (f & 1), node.2 ^ (f & 1))
            } else {
                (f, f)
            }
        };
        let ((a0, a1), (b0, b1)) = (split(a, x), split(b, y));
        let holds = self.implies(a0, b0, cache, steps)? && self.implies(a1, b1, cache, steps)?;
        cache.put(0, a, b, u32::from(holds));
        Ok(holds)
    }
}
