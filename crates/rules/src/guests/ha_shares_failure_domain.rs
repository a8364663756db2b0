//! `guests/ha-shares-failure-domain`: a switch or a feed that takes a whole HA group down.

use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use analysis::impact::faults::Assume;
use analysis::impact::shared::shared_all;
use analysis::impact::spread::spread;
use facts::{Evidence, Snapshot, Source};
use model::graph::{Graph, Index, Kind, Regime, build_named};
use model::{Estate, Site};
use std::collections::{BTreeMap, BTreeSet};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/ha-shares-failure-domain",
    summary: "one switch or power feed whose failure alone takes an HA group on several hosts down",
    needs: &[Source::Guests],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A switch, a port of one or a power feed whose failure alone takes members on several hosts down, and
so many that their HA group is lost while everything else runs. One finding for each such component,
with all the groups that it takes along. Hosts and storage have rules of their own
(`guests/ha-members-on-one-host`, `storage/ha-disks-share-storage`); `nofail shared` tells the pairs and
the cold start as well.

## Why it matters
Two guests on two hosts look independent and are not, when both hosts hang on one switch or one
feed. The redundancy that was paid for is then a redundancy against half of the failures.

## Evidence
The minimal cut sets of order one of each group, exact, from the dependency graph; then the chain from
the component to the first of its groups, with the line that each link was read from. Switches and
feeds are known only as far as site.toml tells them.

## Example
    both hosts of [groups.dns] have their uplink on sw-01

## Remedy
A second uplink of each host to another switch (a bond or two bridge ports with spanning tree), or one
host on another switch; a second feed for the host or the switch.

## When to ignore it
The switch is a stack or a chassis whose members fail apart: give each member its own name in
site.toml. Or the site has one switch and accepts that.

## References
INCIDENT action item 17.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    // Without these the graph has no component that is told here.
    if !estate.site.as_ref().is_some_and(names_switches_or_feeds) {
        return;
    }
    let graph = build_named(estate);
    let of_kind = graph.components().iter().filter(|c| c.kind == Kind::Group);
    let groups: Vec<Index> = of_kind
        .filter(|c| members(&graph, c.index) > 1)
        .map(|c| c.index)
        .collect();
    let shared = match shared_all(&graph, &groups, Regime::Running, &Assume::default()) {
        Ok(shared) => shared,
        Err(error) => return report.not_checked("(site)", error.to_string()),
    };
    let mut takes: BTreeMap<Index, Vec<Index>> = BTreeMap::new();
    for (group, shared) in groups.iter().zip(shared) {
        let counts =
            |i: &Index| told_here(graph.component(*i).kind) && on_several_hosts(&graph, *i, *group);
        for single in shared.single.into_iter().filter(counts) {
            takes.entry(single).or_default().push(*group);
        }
    }
    for (component, groups) in takes {
        report.find(finding(estate, &graph, component, &groups));
    }
}

/// Whether site.toml says where any uplink is plugged in, or what hangs on which power feed.
fn names_switches_or_feeds(site: &Site) -> bool {
    let hosts = site.hosts.values();
    let wired = hosts
        .into_iter()
        .any(|h| !h.uplinks.is_empty() || !h.power.is_empty());
    wired
        || site.nas.values().any(|nas| !nas.power.is_empty())
        || site
            .switches
            .values()
            .any(|switch| !switch.power.is_empty())
}

fn members(graph: &Graph, group: Index) -> usize {
    graph.clauses(group).iter().map(|c| c.members.len()).sum()
}

/// Kinds that no other rule tells of.
fn told_here(kind: Kind) -> bool {
    matches!(kind, Kind::Switch | Kind::SwitchPort | Kind::Power)
}

/// Whether the members that fall are on more than one host. A group that falls with one host's
/// members is told by `guests/ha-members-on-one-host`, and everything on that host's way with it.
fn on_several_hosts(graph: &Graph, component: Index, group: Index) -> bool {
    let fallen = spread(graph, &[component]);
    let members = graph.clauses(group).iter().flat_map(|c| &c.members);
    let hosts: BTreeSet<Option<&str>> = members
        .filter(|m| fallen.is_down(**m))
        .map(|m| graph.component(*m).host.as_deref())
        .collect();
    hosts.len() > 1
}

fn finding(estate: &Estate, graph: &Graph, index: Index, groups: &[Index]) -> Finding {
    let component = graph.component(index);
    let place = match component.kind {
        Kind::Switch => component.name.as_str(),
        Kind::SwitchPort => component.name.split(':').next().unwrap_or(""),
        _ => "(site)",
    };
    let mut names: Vec<&str> = groups
        .iter()
        .map(|g| graph.component(*g).name.as_str())
        .collect();
    names.sort_unstable();
    let whole = component.full_name();
    let message = format!(
        "{whole} alone takes down {} HA {}: {}",
        names.len(),
        if names.len() == 1 { "group" } else { "groups" },
        names.join(", ")
    );
    let fix = match component.kind {
        Kind::Power => "a second power feed for what hangs on it",
        _ => "a second uplink of each host to another switch, or one host on another switch",
    };
    let mut finding = Finding::new(Severity::Warning, place, &whole, message)
        .consequence(format!(
            "The members on different hosts do not help when {whole} fails"
        ))
        .fix(fix);
    let first = groups.iter().min_by_key(|g| &graph.component(**g).name);
    if let Some(&group) = first {
        finding.evidence = chain(graph, index, group);
        let name = &graph.component(group).name;
        let table = estate.site_evidence("groups", name, None);
        let new = table.filter(|e| !has_line(&finding.evidence, e));
        finding = finding.evidence_if(new);
    }
    finding
}

/// The places that the way from a component to a group was read from, nearest the component first.
fn chain(graph: &Graph, from: Index, group: Index) -> Vec<Evidence> {
    let mut chain = spread(graph, &[from]).chain(group);
    chain.reverse();
    let mut evidence: Vec<Evidence> = Vec::new();
    for fall in chain {
        let read = fall
            .cause
            .and_then(|(clause, _)| graph.clauses(fall.index)[clause].why.evidence.as_deref());
        if let Some(read) = read.filter(|read| !has_line(&evidence, read)) {
            evidence.push(read.clone());
        }
    }
    evidence
}

fn has_line(evidence: &[Evidence], one: &Evidence) -> bool {
    let mut known = evidence.iter();
    known.any(|e| e.file == one.file && e.line == one.line)
}
