//! The blast radius as a person sees it.

use super::boot::{heading, item};
use super::evidence::{chain, reason};
use super::style::{Style, paint};
use crate::cli::graph::Model;
use analysis::impact::blast::{Blast, Reason};
use model::graph::{Index, Kind};

/// Kinds that people ask about; the rest is the way there.
const TOLD: &[Kind] = &[
    Kind::Service,
    Kind::Group,
    Kind::Guest,
    Kind::Host,
    Kind::Mount,
    Kind::Nas,
    Kind::Switch,
];

/// The whole text.
pub fn text(model: &Model, failed: &[Index], blast: &Blast, why: bool) -> String {
    let mut out = String::new();
    let names = model.names(failed).join(" and ");
    let lost: Vec<Index> = blast.lost.falls().iter().map(|f| f.index).collect();
    let others = lost.len() - failed.len();
    item(
        &mut out,
        "",
        &format!("{names}: {others} other components go down"),
    );
    parts(&mut out, model, blast, failed, &lost, why);
    let unread = model.unread(failed);
    if !unread.is_empty() {
        heading(&mut out, "Not known");
        for (host, reason) in &unread {
            let text = format!("what {host} carries: it was not read ({reason})");
            item(&mut out, "  ", &text);
        }
    }
    if unread.is_empty() || !blast.stays_lost.is_empty() {
        stays(&mut out, model, blast, why);
    }
    if !blast.survives.is_empty() {
        heading(&mut out, "Lives on");
        for (index, left) in &blast.survives {
            let text = format!(
                "{}  thanks to {}",
                model.name(*index),
                model.names(left).join(", ")
            );
            item(
                &mut out,
                &format!("  {}  ", paint(Style::Green, "lives")),
                &text,
            );
        }
    }
    out
}

fn parts(
    out: &mut String,
    model: &Model,
    blast: &Blast,
    failed: &[Index],
    lost: &[Index],
    why: bool,
) {
    if lost.len() == failed.len() {
        return;
    }
    heading(out, "Lost at once");
    let mut rest = 0;
    for &kind in Kind::ALL {
        let of_kind = |i: &&Index| model.graph.component(**i).kind == kind && !failed.contains(i);
        let here: Vec<Index> = lost.iter().filter(of_kind).copied().collect();
        if here.is_empty() {
            continue;
        }
        if !TOLD.contains(&kind) && !why {
            rest += here.len();
            continue;
        }
        let names: Vec<&str> = here
            .iter()
            .map(|i| model.graph.component(*i).name.as_str())
            .collect();
        let label = format!("  {:<9} ", kind.name());
        if why {
            for index in &here {
                item(out, &label, &model.graph.component(*index).name);
                chain(out, model, &blast.lost, *index);
            }
        } else {
            item(out, &label, &names.join(", "));
        }
    }
    if rest > 0 {
        item(
            out,
            "  ",
            &format!("and {rest} disks, bridges and the like (--why names them)"),
        );
    }
}

/// What stays lost, those with the same reason together.
fn stays(out: &mut String, model: &Model, blast: &Blast, why: bool) {
    if blast.stays_lost.is_empty() {
        heading(out, "When it is back");
        item(out, "  ", "everything comes back by itself");
        return;
    }
    heading(out, "Stays lost when it is back");
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (index, reason) in &blast.stays_lost {
        let component = model.graph.component(*index);
        if !TOLD.contains(&component.kind) && component.kind != Kind::Name && !why {
            continue;
        }
        let text = because(model, *index, reason, why);
        match groups.iter_mut().find(|(t, _)| *t == text) {
            Some((_, names)) => names.push(component.full_name()),
            None => groups.push((text, vec![component.full_name()])),
        }
    }
    for (text, names) in groups {
        let label = format!("  {}  ", paint(Style::Red, "down"));
        item(out, &label, &names.join(", "));
        item(out, "          ", &text);
    }
}

/// Why one component stays down.
pub(super) fn because(model: &Model, index: Index, why: &Reason, evidence: bool) -> String {
    match why {
        Reason::Held => {
            let boot = model.boots.get(&model.graph.component(index).name);
            match boot.and_then(|b| b.causes.first()) {
                Some(cause) => format!("stops in emergency mode: {cause}"),
                None => "was down before, and nobody starts it".to_owned(),
            }
        }
        Reason::NeedsPerson => "no autostart: a person must start it".to_owned(),
        Reason::Waits(at) => {
            let clause = &model.graph.clauses(index)[*at];
            let names = model.names(&clause.members).join(" or ");
            let late = if clause.at_boot {
                ", asked once at boot, before the host's guests start"
            } else {
                ""
            };
            let place = if evidence {
                format!(": {}", reason(&clause.why))
            } else {
                String::new()
            };
            format!("waits for {names}{late}{place}")
        }
    }
}
