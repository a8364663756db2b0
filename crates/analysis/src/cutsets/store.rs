//! The unique table that both kinds of decision diagram stand on: 16 bytes a node.

use super::hash::mix;

/// The diagram would need more nodes than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A node: its level (0 is the top), its two successors, and the next node of its hash chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreNode {
    pub level: u32,
    pub lo: u32,
    pub hi: u32,
    next: u32,
}

/// The level of a terminal, and of a freed place.
pub(crate) const TERMINAL: u32 = u32::MAX;
const NIL: u32 = u32::MAX;

/// All nodes of one diagram, each (level, lo, hi) once.
#[derive(Debug)]
pub(crate) struct Store {
    pub nodes: Vec<StoreNode>,
    buckets: Vec<u32>,
    free: u32,
    used: usize,
    limit: usize,
}

impl Store {
    /// A store that holds `terminals` terminal nodes and at most `limit` nodes.
    pub fn new(terminals: usize, limit: usize) -> Self {
        let mut nodes = Vec::with_capacity(128);
        for _ in 0..terminals {
            nodes.push(StoreNode {
                level: TERMINAL,
                lo: 0,
                hi: 0,
                next: NIL,
            });
        }
        Store {
            used: nodes.len(),
            nodes,
            buckets: vec![NIL; 128],
            free: NIL,
            limit,
        }
    }

    /// How many nodes are in use.
    pub fn used(&self) -> usize {
        self.used
    }

    #[inline]
    fn bucket(&self, level: u32, lo: u32, hi: u32) -> usize {
        mix(lo, hi, level) as usize & (self.buckets.len() - 1)
    }

    /// The number of the node (level, lo, hi), which is made if it is not there.
    #[inline]
    pub fn find(&mut self, level: u32, lo: u32, hi: u32) -> Result<u32, Full> {
        let mut bucket = self.bucket(level, lo, hi);
        let mut at = self.buckets[bucket];
        while at != NIL {
            let node = &self.nodes[at as usize];
            if node.lo == lo && node.hi == hi && node.level == level {
                return Ok(at);
            }
            at = node.next;
        }
        if self.used >= self.limit {
            return Err(Full);
        }
        if self.used >= self.buckets.len() {
            self.rehash(self.buckets.len() * 2);
            bucket = self.bucket(level, lo, hi);
        }
        self.used += 1;
        let node = StoreNode {
            level,
            lo,
            hi,
            next: self.buckets[bucket],
        };
        let at = if self.free == NIL {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].next;
            self.nodes[at as usize] = node;
            at
        };
        self.buckets[bucket] = at;
        Ok(at)
    }

    fn rehash(&mut self, size: usize) {
        self.buckets.clear();
        self.buckets.resize(size, NIL);
        for at in 0..self.nodes.len() {
            let StoreNode { level, lo, hi, .. } = self.nodes[at];
            if level != TERMINAL {
                let bucket = self.bucket(level, lo, hi);
                self.nodes[at].next = self.buckets[bucket];
                self.buckets[bucket] = at as u32;
            }
        }
    }

    /// Frees every node that is not marked. `marked` is as long as `nodes`.
    pub fn sweep(&mut self, marked: &[bool], terminals: usize) {
        self.free = NIL;
        self.used = terminals;
        for (at, node) in self.nodes.iter_mut().enumerate().skip(terminals) {
            if marked[at] {
                self.used += 1;
            } else {
                node.level = TERMINAL;
                node.next = self.free;
                self.free = at as u32;
            }
        }
        // Freed places keep their `next`: rehash passes over them.
        self.rehash(self.buckets.len());
    }
}

/// A lossy cache of results of two-argument operations, one entry a place.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: Vec<[u32; 4]>,
    max: usize,
}

impl Cache {
    /// A cache that grows from a few entries to at most `max` (a power of two).
    pub fn new(max: usize) -> Self {
        Cache {
            entries: vec![[NIL; 4]; 128.min(max)],
            max,
        }
    }

    #[inline]
    pub fn get(&self, op: u32, a: u32, b: u32) -> Option<u32> {
        let entry = &self.entries[mix(a, b, op) as usize & (self.entries.len() - 1)];
        (entry[0] == a && entry[1] == b && entry[2] == op).then_some(entry[3])
    }

    #[inline]
    pub fn put(&mut self, op: u32, a: u32, b: u32, result: u32) {
        let mask = self.entries.len() - 1;
        self.entries[mix(a, b, op) as usize & mask] = [a, b, op, result];
    }

    /// Grows with the number of nodes, keeping what is there.
    #[inline]
    pub fn fit(&mut self, nodes: usize) {
        if nodes > self.entries.len() && self.entries.len() < self.max {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.entries.len() * 4).min(self.max);
        let old = std::mem::replace(&mut self.entries, vec![[NIL; 4]; size]);
        for [a, b, op, result] in old {
            if result != NIL {
                self.put(op, a, b, result);
            }
        }
    }

    /// Forgets all, as needed when nodes were freed.
    pub fn clear(&mut self) {
        self.entries.fill([NIL; 4]);
    }
}
