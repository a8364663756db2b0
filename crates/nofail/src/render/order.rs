//! The start order as a person sees it: waves, circles, acts by hand.

use super::boot::{heading, item};
use super::evidence::reason;
use super::style::{Style, paint};
use crate::cli::graph::Model;
use analysis::boot::Outcome;
use analysis::impact::acts::Act;
use analysis::impact::order::Order;
use model::graph::{Component, Index, Kind, Start};
use std::fmt::Write as _;

/// What is shown of an order.
#[derive(Debug)]
pub struct Plan {
    /// The waves, without what nobody starts or looks at.
    pub waves: Vec<Vec<Index>>,
    /// Hosts that stop in emergency mode, with the cause.
    pub emergency: Vec<(String, String)>,
    /// The host that was asked about.
    pub host: Option<String>,
}

impl Plan {
    /// Machines, guests and network mounts; on one host only its own.
    pub fn of(model: &Model, order: &Order, host: Option<&str>) -> Self {
        let graph = &model.graph;
        let told = |c: &Component| match c.kind {
            Kind::Power | Kind::Host | Kind::Nas | Kind::Switch | Kind::NameServer => {
                host.is_none()
            }
            Kind::Guest => true,
            Kind::Mount => graph.clauses(c.index).len() > 1,
            _ => false,
        };
        let mine = |c: &Component| host.is_none_or(|h| c.host.as_deref() == Some(h));
        let waves = order.rise.by_wave().into_iter().map(|wave| {
            let shown = wave.into_iter().filter(|i| {
                let component = graph.component(*i);
                told(component) && mine(component)
            });
            let mut shown: Vec<Index> = shown.collect();
            shown.sort_by_key(|i| graph.component(*i).full_name());
            shown
        });
        let stops = |(name, boot): (&String, &analysis::boot::Boot)| {
            let cause = boot.causes.first().cloned().unwrap_or_default();
            (boot.outcome == Outcome::Emergency && host.is_none_or(|h| h == name))
                .then(|| (name.clone(), cause))
        };
        Self {
            waves: waves.filter(|w| !w.is_empty()).collect(),
            emergency: model.boots.iter().filter_map(stops).collect(),
            host: host.map(str::to_owned),
        }
    }
}

/// When a guest is ready, in words, from `ready` in site.toml.
pub fn ready(model: &Model, index: Index) -> Option<String> {
    let component = model.graph.component(index);
    let ready = model.estate.intent(&component.name)?.ready.as_deref();
    let ready = ready.filter(|_| component.kind == Kind::Guest)?;
    Some(match ready.split_once(':') {
        Some(("tcp", port)) => format!("TCP port {port} answers"),
        Some(("udp", port)) => format!("UDP port {port} answers"),
        _ if ready == "vrrp" => "a VRRP master is elected".to_owned(),
        _ if ready == "dns" => "DNS answers".to_owned(),
        _ => ready.to_owned(),
    })
}

/// What a person does, in words.
pub fn act(model: &Model, act: &Act) -> String {
    let component = model.graph.component(act.of);
    let clause = &model.graph.clauses(act.of)[act.clause];
    let needed = model.names(&clause.members).join(" or ");
    match (component.kind, component.name.split_once(':')) {
        (Kind::Name, Some((host, server))) => {
            let mounts: Vec<&str> = model
                .graph
                .dependents(act.of)
                .iter()
                .map(|d| model.graph.component(*d))
                .filter(|d| d.kind == Kind::Mount)
                .filter_map(|d| d.name.split_once(':').map(|n| n.1))
                .collect();
            format!(
                "on {host}: once {needed} answers, mount {}; for good: give {server}'s address in \
                 fstab, or a line for it in /etc/hosts",
                mounts.join(", ")
            )
        }
        (Kind::Mount, Some((host, target))) => {
            format!("on {host}: mount {target} without {needed}")
        }
        _ => format!("start {} without {needed}", component.full_name()),
    }
}

/// The whole text.
pub fn text(model: &Model, order: &Order, plan: &Plan, why: bool) -> String {
    let mut out = String::new();
    let title = plan.host.as_ref().map_or_else(
        || "after a full power loss".to_owned(),
        |host| format!("{host} after a full power loss"),
    );
    let (style, verdict) = if !order.doomed.is_empty() {
        (Style::Red, "not everything can start")
    } else if order.stuck.is_empty() && plan.emergency.is_empty() {
        (Style::Green, "everything starts in this order")
    } else {
        (Style::Red, "does not start whole by itself")
    };
    item(&mut out, "", &format!("{title}: {}", paint(style, verdict)));
    by_hand(&mut out, model, order, plan, why);
    let stuck = |i: &Index| order.stuck.contains(i);
    for (at, wave) in plan.waves.iter().enumerate() {
        heading(&mut out, &format!("Wave {}", at + 1));
        for &index in wave {
            let component = model.graph.component(index);
            let mut notes = Vec::new();
            if let Some(ready) = ready(model, index) {
                notes.push(format!("ready when {ready}"));
            }
            if component.start == Start::Person {
                notes.push(paint(Style::Yellow, "a person starts it"));
            }
            if stuck(&index) {
                notes.push(paint(Style::Yellow, "after the acts by hand"));
            }
            let mut line = format!("{:<9} {}", component.kind.name(), component.name);
            if !notes.is_empty() {
                let _ = write!(
                    line,
                    "{}{}",
                    " ".repeat(40_usize.saturating_sub(line.len()).max(2)),
                    notes.join(", ")
                );
            }
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn by_hand(out: &mut String, model: &Model, order: &Order, plan: &Plan, why: bool) {
    if let Some(circle) = &order.circle {
        heading(out, "Circle (the shortest)");
        let count = circle.members.len();
        for (at, &index) in circle.members.iter().enumerate() {
            let next = circle.members[(at + 1) % count];
            let last = at + 1 == count;
            let text = if last && circle.at_boot {
                format!(
                    "{} starts only after its host has tried {} and the other mounts",
                    model.name(index),
                    model.name(next)
                )
            } else {
                format!("{} waits for {}", model.name(index), model.name(next))
            };
            item(out, "  ", &text);
            let clauses = model.graph.clauses(index).iter();
            for clause in clauses.filter(|c| why && c.members.contains(&next)) {
                item(out, "        ", &reason(&clause.why));
            }
        }
        let cut = &circle.cut;
        let clause = &model.graph.clauses(cut.of)[cut.clause];
        let needed = model.names(&clause.members).join(" or ");
        let text = format!(
            "cut it cheapest where {} waits for {needed}",
            model.name(cut.of)
        );
        item(out, "  ", &text);
    }
    let acts = &order.acts;
    if !acts.is_empty() || !plan.emergency.is_empty() {
        let least = if order.fewest {
            "the fewest"
        } else {
            "enough; fewer may do"
        };
        heading(out, &format!("Acts by hand ({least})"));
    }
    for (host, cause) in &plan.emergency {
        let text = format!("{host} stops in emergency mode: {cause}; mend that at its console");
        item(out, "  - ", &text);
    }
    // On one host, what is done on another is told where that one is asked about.
    let here = |one: &&Act| {
        let of = model.graph.component(one.of).host.as_ref();
        plan.host.is_none() || of.is_none() || of == plan.host.as_ref()
    };
    for one in acts.iter().filter(here) {
        item(out, "  - ", &act(model, one));
    }
    if acts.is_empty() && !order.stuck.is_empty() {
        item(
            out,
            "  ",
            "no act by hand is known that lets everything start",
        );
    }
    for &index in &order.doomed {
        item(out, "  never  ", &model.name(index));
    }
}
