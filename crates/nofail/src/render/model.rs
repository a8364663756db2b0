//! The graph as a list, and for Graphviz and Mermaid.

use super::boot::{heading, item};
use super::evidence::reason;
use crate::cli::graph::Model;
use model::graph::{Clause, Index, Kind, Start};
use std::fmt::Write as _;

/// Every component by kind, with what it needs.
pub fn text(model: &Model, why: bool) -> String {
    let graph = &model.graph;
    let mut out = String::new();
    let needs: usize = graph
        .components()
        .iter()
        .map(|c| graph.clauses(c.index).len())
        .sum();
    let _ = writeln!(out, "{} components, {needs} needs", graph.len());
    for &kind in Kind::ALL {
        let mut of_kind: Vec<_> = graph
            .components()
            .iter()
            .filter(|c| c.kind == kind)
            .collect();
        of_kind.sort_by(|a, b| a.name.cmp(&b.name));
        if of_kind.is_empty() {
            continue;
        }
        heading(&mut out, &format!("{kind} ({})", of_kind.len()));
        for component in of_kind {
            let needs: Vec<String> = graph
                .clauses(component.index)
                .iter()
                .map(|c| words(model, c))
                .collect();
            let start = match component.start {
                Start::Itself => "",
                Start::Person => " (started by a person)",
            };
            let needs = if needs.is_empty() {
                "needs nothing".to_owned()
            } else {
                format!("needs {}", needs.join("; "))
            };
            item(
                &mut out,
                "  ",
                &format!("{}{start}: {needs}", component.name),
            );
            if why {
                for clause in graph.clauses(component.index) {
                    let text = format!("{}: {}", words(model, clause), reason(&clause.why));
                    item(&mut out, "        ", &text);
                }
            }
        }
    }
    out
}

/// `1 of a, b (cold start, at boot)`.
pub(super) fn words(model: &Model, clause: &Clause) -> String {
    let names = model.names(&clause.members);
    let members = match names.as_slice() {
        [one] => one.clone(),
        several => format!("{} of {}", clause.k, several.join(", ")),
    };
    let when = match (clause.regimes.running, clause.regimes.cold, clause.at_boot) {
        (_, _, true) => " (at boot)",
        (true, false, _) => " (running)",
        (false, true, _) => " (cold start)",
        _ => "",
    };
    format!("{members}{when}")
}

/// Every arrow: from, to, its label, whether it counts in a cold start only.
fn arrows(model: &Model) -> Vec<(Index, Index, String, bool)> {
    let mut arrows = Vec::new();
    for component in model.graph.components() {
        for clause in model.graph.clauses(component.index) {
            let label = if clause.members.len() > 1 {
                format!("{} of {}", clause.k, clause.members.len())
            } else {
                String::new()
            };
            let cold = !clause.regimes.running;
            for &member in &clause.members {
                arrows.push((component.index, member, label.clone(), cold));
            }
        }
    }
    arrows
}

/// Graphviz: solid arrows hold while running, dashed ones in a cold start only.
pub fn dot(model: &Model) -> String {
    let mut out = String::from("digraph site {\n  rankdir=LR;\n  node [shape=box];\n");
    for component in model.graph.components() {
        let name = component
            .full_name()
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let _ = writeln!(out, "  n{} [label=\"{name}\"];", component.index.get());
    }
    for (from, to, label, cold) in arrows(model) {
        let style = if cold { "dashed" } else { "solid" };
        let _ = writeln!(
            out,
            "  n{} -> n{} [label=\"{label}\", style={style}];",
            from.get(),
            to.get()
        );
    }
    out.push_str("}\n");
    out
}

/// Mermaid's flowchart, with the same two kinds of arrows.
pub fn mermaid(model: &Model) -> String {
    let mut out = String::from("flowchart LR\n");
    for component in model.graph.components() {
        let name = component.full_name().replace('"', "#quot;");
        let _ = writeln!(out, "  n{}[\"{name}\"]", component.index.get());
    }
    for (from, to, label, cold) in arrows(model) {
        let arrow = if cold { "-.->" } else { "-->" };
        let label = if label.is_empty() {
            String::new()
        } else {
            format!("|{label}|")
        };
        let _ = writeln!(out, "  n{} {arrow}{label} n{}", from.get(), to.get());
    }
    out
}
