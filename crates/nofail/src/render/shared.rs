//! Shared failure domains as a person sees them.

use super::boot::item;
use super::evidence::path;
use super::style::{Style, paint};
use crate::cli::graph::Model;
use crate::cli::shared::{Answer, common};
use analysis::impact::shared::Shared;
use analysis::impact::spread::spread;
use model::graph::{Index, Kind, Regime};
use std::fmt::Write as _;

/// So many pairs are shown.
const PAIRS: usize = 8;

/// The whole text.
pub fn text(model: &Model, answers: &[Answer], why: bool) -> String {
    let mut out = String::new();
    for (at, answer) in answers.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let members = members(model, answer.group);
        let clause = model.graph.clauses(answer.group).first();
        let need = clause.map_or(0, |c| c.k);
        let title = format!(
            "{}: needs {need} of {}",
            model.name(answer.group),
            model.names(&members).join(", ")
        );
        item(&mut out, "", &paint(Style::Bold, &title));
        one(&mut out, model, answer, &members, why);
    }
    out
}

/// What is worth telling of the single ones: nothing that twins have in common, nothing that was
/// told before, and no part of another one.
fn told(model: &Model, shared: &Shared, before: Option<&Shared>) -> Vec<Index> {
    let new = |i: &Index| {
        !common(model.graph.component(*i).kind) && before.is_none_or(|b| !b.single.contains(i))
    };
    let mut told: Vec<Index> = shared.single.iter().copied().filter(new).collect();
    told.sort_by_key(|i| model.graph.component(*i).kind);
    roots(model, &told)
}

/// Hosts that stop in emergency mode: why a cold start has fewer twins.
fn held(out: &mut String, model: &Model) {
    let mut hosts: Vec<String> = model.held().iter().map(|h| model.name(*h)).collect();
    hosts.sort();
    for host in hosts {
        let text = format!("since {host} would stop in emergency mode");
        item(out, "              ", &text);
    }
}

/// Without those that fall with another one anyhow: the parts of a host, the exports of a NAS.
fn roots(model: &Model, of: &[Index]) -> Vec<Index> {
    let falls: Vec<_> = of.iter().map(|i| spread(&model.graph, &[*i])).collect();
    let root = |index: &Index| {
        let above = of.iter().zip(&falls).filter(|(i, _)| *i != index);
        !above.into_iter().any(|(_, with)| with.is_down(*index))
    };
    of.iter().copied().filter(root).collect()
}

fn members(model: &Model, group: Index) -> Vec<Index> {
    let clauses = model.graph.clauses(group).iter();
    clauses.flat_map(|c| c.members.iter().copied()).collect()
}

fn one(out: &mut String, model: &Model, answer: &Answer, members: &[Index], why: bool) {
    let running = told(model, &answer.running, None);
    let label = ("running     ", Regime::Running);
    single(out, model, label, &running, members, why);
    if answer.cold.always {
        let label = format!("  {}", paint(Style::Red, "cold start  "));
        item(
            out,
            &label,
            "does not come up by itself, with nothing broken (nofail order tells why)",
        );
        if answer.again.always {
            let text = "nor with its mounts tried again: its host stops in emergency mode";
            item(out, "              ", text);
        } else {
            let only = told(model, &answer.again, Some(&answer.running));
            if !only.is_empty() {
                let label = ("with a hand ", Regime::Cold);
                single(out, model, label, &only, members, why);
                held(out, model);
            }
        }
    } else {
        let only = told(model, &answer.cold, Some(&answer.running));
        if only.is_empty() {
            let _ = writeln!(out, "  cold start  nothing beyond that");
        } else {
            let label = ("cold start  ", Regime::Cold);
            single(out, model, label, &only, members, why);
            held(out, model);
        }
    }
    serves_boot(out, model, members);
    pairs(out, model, &answer.running);
    let rest: Vec<Index> = answer
        .running
        .single
        .iter()
        .copied()
        .filter(|i| common(model.graph.component(*i).kind))
        .collect();
    if !rest.is_empty() {
        item(out, "  in common   ", &model.names(&rest).join(", "));
    }
}

fn single(
    out: &mut String,
    model: &Model,
    (label, regime): (&str, Regime),
    of: &[Index],
    members: &[Index],
    why: bool,
) {
    if of.is_empty() {
        item(
            out,
            &format!("  {label}"),
            &paint(Style::Green, "no single component takes it down"),
        );
        return;
    }
    let label = format!("  {}", paint(Style::Red, label));
    if !why {
        item(
            out,
            &label,
            &format!("{} alone", model.names(of).join(", ")),
        );
        return;
    }
    for &index in of {
        item(out, &label, &format!("{} alone", model.name(index)));
        for &member in members {
            path(out, model, member, index, regime);
        }
    }
}

/// Members that answer for mounts of hosts, in the same cold start too late.
fn serves_boot(out: &mut String, model: &Model, members: &[Index]) {
    let graph = &model.graph;
    let mut mounts: Vec<String> = Vec::new();
    for &member in members {
        for &name in graph.dependents(member) {
            let at_boot = graph
                .clauses(name)
                .iter()
                .any(|c| c.at_boot && c.members.iter().all(|m| members.contains(m)));
            if at_boot {
                let of_name = graph.dependents(name).iter();
                let are = of_name.filter(|d| graph.component(**d).kind == Kind::Mount);
                mounts.extend(are.map(|d| graph.component(*d).name.clone()));
            }
        }
    }
    mounts.sort();
    mounts.dedup();
    if !mounts.is_empty() {
        let text = format!(
            "in a cold start these mounts ask it for a name before it is up, and fail: {}",
            mounts.join(", ")
        );
        item(
            out,
            &format!("  {}", paint(Style::Red, "circle      ")),
            &text,
        );
    }
}

fn pairs(out: &mut String, model: &Model, shared: &Shared) {
    let counts = |pair: &&[Index; 2]| pair.iter().all(|i| !common(model.graph.component(*i).kind));
    // Whole machines say more than the parts inside them.
    let mut pairs: Vec<&[Index; 2]> = shared.pairs.iter().filter(counts).collect();
    let weight = |i: &Index| match model.graph.component(*i).kind {
        Kind::Host | Kind::Power | Kind::Switch | Kind::Nas => 0,
        Kind::Guest => 1,
        _ => 2,
    };
    pairs.sort_by_key(|p| p.iter().map(weight).sum::<i32>());
    if pairs.is_empty() {
        return;
    }
    let shown: Vec<String> = pairs
        .iter()
        .take(PAIRS)
        .map(|p| model.names(p.as_slice()).join(" + "))
        .collect();
    let more = pairs.len().saturating_sub(PAIRS);
    let more = if more > 0 {
        format!("; and {more} more pairs (--format json)")
    } else {
        String::new()
    };
    item(
        out,
        "  pairs       ",
        &format!("{}{more}", shown.join("; ")),
    );
}
