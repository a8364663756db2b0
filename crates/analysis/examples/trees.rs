//! Writes fault trees for `benches/cutsets.sh`: `trees DIR [SEED]`. The public ones may not be
//! shipped; these have their shapes, and anyone can make them again from the seed.
//!
//! - `trains-N`: trains of a plant, of which two must fail. Each level of a train fails by events
//!   of its own, with a neighbour's level below, or with the support that two trains share.
//! - `votes-N`: the same with votes (2 of 3) in place of pairs.
//! - `chain-N`: a long chain in which each link is doubled, as in protection systems.
//! - `modules-N`: independent parts under one gate: few gates, and numbers of sets that nobody
//!   could list.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring program, not a part of the product"
)]

use std::fmt::Write as _;
use std::path::Path;

/// A generator of numbers that needs no crate (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// A tree under construction: gates as text, events as a number.
#[derive(Default)]
struct Tree {
    gates: String,
    events: usize,
}

impl Tree {
    fn event(&mut self) -> String {
        self.events += 1;
        format!("e{}", self.events)
    }

    /// A reference by what its name begins with: gates begin with `g`.
    fn reference(name: &str) -> String {
        let tag = if name.starts_with('g') {
            "gate"
        } else {
            "basic-event"
        };
        format!("<{tag} name=\"{name}\"/>")
    }

    fn gate(&mut self, name: &str, operator: &str, args: &[String]) -> String {
        let tag = operator.split(' ').next().unwrap();
        let args: String = args.iter().map(|a| Self::reference(a)).collect();
        let formula = format!("<{operator}>{args}</{tag}>");
        writeln!(
            self.gates,
            "<define-gate name=\"{name}\">{formula}</define-gate>"
        )
        .unwrap();
        name.to_owned()
    }

    fn write(&self, dir: &Path, name: &str) {
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<opsa-mef>\n<define-fault-tree name=\"{name}\">\n{}\
             </define-fault-tree>\n<model-data>\n",
            self.gates
        );
        for event in 1..=self.events {
            let event = format!("<define-basic-event name=\"e{event}\">");
            let end = "<float value=\"0.01\"/></define-basic-event>";
            writeln!(text, "{event}{end}").unwrap();
        }
        text.push_str("</model-data>\n</opsa-mef>\n");
        std::fs::write(dir.join(format!("{name}.xml")), text).unwrap();
    }
}

/// `count` trains of `depth` levels, with `own` events a level.
fn trains(random: &mut Random, count: usize, depth: usize, own: usize, votes: bool) -> Tree {
    let mut tree = Tree::default();
    let mut below: Vec<String> = Vec::new();
    for level in 0..depth {
        let shared: Vec<String> = (0..count).map(|_| tree.event()).collect();
        let mut here = Vec::new();
        for train in 0..count {
            let mut causes: Vec<String> =
                (0..own + random.below(own)).map(|_| tree.event()).collect();
            // A support that this train and one other have.
            causes.push(shared[train].clone());
            causes.push(shared[(train + 1 + random.below(count - 1)) % count].clone());
            if !below.is_empty() {
                let other = (train + 1 + random.below(count - 1)) % count;
                let third = (other + 1 + random.below(count - 1)) % count;
                let name = format!("gp{level}-{train}");
                let pair = [below[train].clone(), below[other].clone()];
                let three = [pair[0].clone(), pair[1].clone(), below[third].clone()];
                causes.push(if votes && third != train {
                    tree.gate(&name, "atleast min=\"2\"", &three)
                } else {
                    tree.gate(&name, "and", &pair)
                });
            }
            let name = format!("gt{level}-{train}");
            here.push(tree.gate(&name, "or", &causes));
        }
        below = here;
    }
    tree.gate("gtop", "atleast min=\"2\"", &below);
    tree
}

/// A chain of `length` doubled links, each of which may also fail with one further down.
fn chain(random: &mut Random, length: usize) -> Tree {
    let mut tree = Tree::default();
    let (first, second) = (tree.event(), tree.event());
    let mut links = vec![tree.gate("g0", "and", &[first, second])];
    for link in 1..length {
        let back = links[link.saturating_sub(1 + random.below(4))].clone();
        let sides = ["a", "b"].map(|side| {
            let before = if side == "a" {
                links[link - 1].clone()
            } else {
                back.clone()
            };
            let own = tree.event();
            tree.gate(&format!("g{link}{side}"), "or", &[before, own])
        });
        links.push(tree.gate(&format!("g{link}"), "and", &sides));
    }
    tree
}

/// `parts` independent votes over `width` events each, all of which must fail.
fn modules(parts: usize, width: usize) -> Tree {
    let mut tree = Tree::default();
    let votes: Vec<String> = (0..parts)
        .map(|part| {
            let events: Vec<String> = (0..width).map(|_| tree.event()).collect();
            tree.gate(&format!("g{part}"), "atleast min=\"3\"", &events)
        })
        .collect();
    tree.gate("gtop", "and", &votes);
    tree
}

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| ".".to_owned());
    let dir = Path::new(&dir);
    let seed = args.next().map_or(1, |a| a.parse().unwrap());
    let mut random = Random(seed);
    std::fs::create_dir_all(dir).unwrap();
    for (count, depth, own) in TRAINS {
        let tree = trains(&mut random, count, depth, own, false);
        tree.write(dir, &format!("trains-{count}x{depth}x{own}"));
        let tree = trains(&mut random, count, depth, own, true);
        tree.write(dir, &format!("votes-{count}x{depth}x{own}"));
    }
    for length in [40, 80, 160] {
        chain(&mut random, length).write(dir, &format!("chain-{length}"));
    }
    for parts in [4, 12] {
        modules(parts, 12).write(dir, &format!("modules-{parts}"));
    }
}

/// Trains, levels, and events of its own that each level has at least.
const TRAINS: [(usize, usize, usize); 4] = [(3, 4, 3), (4, 4, 4), (4, 6, 4), (5, 6, 6)];
