//! Only what is touched by a change has other answers after it: on the incident's site, whose
//! hosts are mended one after the other and one of them broken again.

use super::again::{Touched, touched};
use super::blast::blast;
use super::faults::Assume;
use super::shared::shared;
use facts::Snapshot;
use model::graph::{Graph, Index, Regime, build};
use model::{Estate, Site};
use std::collections::{HashMap, HashSet};

macro_rules! example {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/incident-2026-04-13/",
            $file
        ))
    };
}

/// An answer for each component, by its full name.
type Answers = HashMap<String, String>;

/// What each component shares in both regimes, and its blast radius.
fn answers(graph: &Graph) -> (Answers, Answers) {
    let name = |i: &Index| graph.component(*i).full_name();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.join(" ")
    };
    let (mut above, mut below) = (Answers::new(), Answers::new());
    for index in (0..graph.len()).map(Index::new) {
        let mut text = String::new();
        for regime in [Regime::Running, Regime::Cold] {
            let found = shared(graph, index, regime, &Assume::default()).unwrap();
            let pair = |p: &[Index; 2]| sorted(p.iter().map(name).collect());
            text += &sorted(found.single.iter().map(name).collect());
            text += &sorted(found.pairs.iter().map(pair).collect());
            text += &format!(" {}; ", found.always);
        }
        above.insert(name(&index), text);
        let found = blast(graph, &[index], &HashSet::new());
        let lives = |(i, by): &(Index, Vec<Index>)| {
            format!("{} by {}", name(i), sorted(by.iter().map(name).collect()))
        };
        let lost = found.lost.falls().iter().map(|f| name(&f.index)).collect();
        let stays = found.stays_lost.iter().map(|(i, _)| name(i)).collect();
        let lives = found.survives.iter().map(lives).collect();
        let text = [sorted(lost), sorted(stays), sorted(lives)].join("; ");
        below.insert(name(&index), text);
    }
    (above, below)
}

#[test]
fn nothing_else_changes_with_a_host() {
    let read = |text: &str| Snapshot::from_json(text).unwrap();
    let mut estate = Estate {
        site: Some(Site::parse("site.toml", example!("site.toml")).unwrap()),
        hosts: vec![read(example!("kvm-01.json")), read(example!("kvm-02.json"))],
        ..Estate::default()
    };
    let mut graph = build(&estate);
    let mut before = answers(&graph);
    let mut altered = 0;
    for (position, text) in [
        (1, example!("mended/kvm-02.json")),
        (0, example!("mended/kvm-01.json")),
        (1, example!("kvm-02.json")),
    ] {
        estate.hosts[position] = read(text);
        let host = estate.hosts[position].host.clone();
        let replaced = graph.replace_host(&estate, &host);
        let touched = touched(&graph, &replaced);
        let names = |of: &[Index]| -> HashSet<String> {
            of.iter().map(|i| graph.component(*i).full_name()).collect()
        };
        let (above, below) = (names(&touched.above), names(&touched.below));
        let after = answers(&graph);
        for (was, is, touched) in [(&before.0, &after.0, &above), (&before.1, &after.1, &below)] {
            for (name, answer) in is {
                if was.get(name) != Some(answer) {
                    altered += 1;
                    assert!(touched.contains(name), "{host}: {name}: {answer}");
                }
            }
        }
        assert!(above.len() < graph.len() && below.len() < graph.len());
        before = after;
    }
    assert!(altered > 20, "the change changes something: {altered}");
    // A host that the estate does not have changes nothing.
    let none = graph.replace_host(&estate, "kvm-77");
    assert_eq!(touched(&graph, &none), Touched::default());
}
