//! Chains of needs with the place where each was read, for `--why`.

use super::boot::item;
use crate::cli::graph::Model;
use analysis::impact::spread::Spread;
use model::graph::{Index, Regime, Why};
use std::collections::{HashMap, VecDeque};

/// A reason in words, with its place and the text there.
pub(super) fn reason(why: &Why) -> String {
    let Some(place) = &why.evidence else {
        return why.text.clone();
    };
    let line = place.line.map_or_else(String::new, |l| format!(":{l}"));
    let text = place.text.as_deref().map(str::trim).unwrap_or_default();
    let text = if text.is_empty() {
        String::new()
    } else {
        format!(" `{text}`")
    };
    format!("{} ({}{line}{text})", why.text, place.file)
}

/// The chain from a component that went down to the one that failed by itself.
pub(super) fn chain(out: &mut String, model: &Model, spread: &Spread, of: Index) {
    for fall in spread.chain(of) {
        if let Some((clause, by)) = fall.cause {
            let why = &model.graph.clauses(fall.index)[clause].why;
            let text = format!(
                "{} needs {}: {}",
                model.name(fall.index),
                model.name(by),
                reason(why)
            );
            item(out, "        ", &text);
        }
    }
}

/// The shortest chain of needs from one component to another, a line for each.
pub(super) fn path(out: &mut String, model: &Model, from: Index, to: Index, regime: Regime) {
    let mut before: HashMap<Index, (Index, usize)> = HashMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(index) = queue.pop_front() {
        if index == to {
            break;
        }
        for (at, clause) in model.graph.clauses(index).iter().enumerate() {
            for &member in clause.members.iter().filter(|_| clause.regimes.has(regime)) {
                if member != from && !before.contains_key(&member) {
                    before.insert(member, (index, at));
                    queue.push_back(member);
                }
            }
        }
    }
    let mut lines = Vec::new();
    let mut at = to;
    while let Some(&(of, clause)) = before.get(&at) {
        let why = reason(&model.graph.clauses(of)[clause].why);
        lines.push(format!(
            "{} needs {}: {why}",
            model.name(of),
            model.name(at)
        ));
        at = of;
    }
    for line in lines.iter().rev() {
        item(out, "        ", line);
    }
}

/// The chains from one component to each of several.
pub fn paths(model: &Model, from: Index, to: &[Index], regime: Regime) -> String {
    let mut out = String::new();
    for &index in to.iter().filter(|i| **i != from) {
        item(&mut out, "  ", &model.name(index));
        path(&mut out, model, from, index, regime);
    }
    out
}
