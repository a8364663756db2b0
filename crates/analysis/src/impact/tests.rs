//! The fixed points against brute force on random graphs with circles, and the answers on a
//! small graph whose every answer can be checked by hand.

use super::blast::{Reason, blast, blast_from};
use super::faults::{Assume, faults};
use super::order::order;
use super::rise::{From, rise};
use super::shared::{shared, solve_up_to};
use super::spread::spread;
use model::graph::{Graph, Index, Kind, Regime, Regimes, Start, Why};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};

/// One random clause: of whom, members, k, regimes, at boot.
type Recipe = (usize, Vec<usize>, u32, u8, bool);

const N: usize = 7;

fn graph_of(recipes: &[Recipe]) -> Graph {
    let mut graph = Graph::default();
    // Every second one is a guest, which a boot-time need does not wait for.
    for i in 0..N {
        let kind = [Kind::Guest, Kind::Service][i % 2];
        graph.add(kind, &format!("c{i}"));
    }
    for (of, members, k, regimes, at_boot) in recipes {
        let of = Index::new(of % N);
        let mut members: Vec<Index> = members.iter().map(|m| Index::new(m % N)).collect();
        members.sort_unstable();
        members.dedup();
        if *at_boot {
            graph.need_at_boot(of, members, Why::default());
        } else {
            let k = k % (u32::try_from(members.len()).unwrap() + 1);
            let regimes = [Regimes::BOTH, Regimes::RUNNING, Regimes::COLD][*regimes as usize % 3];
            graph.need(of, k, members, regimes, Why::default());
        }
    }
    graph
}

fn recipes() -> impl Strategy<Value = Vec<Recipe>> {
    let members = prop::collection::vec(0..N, 1..4);
    let recipe = (
        0..N,
        members,
        0..4u32,
        any::<u8>(),
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(recipe, 0..12)
}

/// What is up while running, once `failed` are down: the greatest set that holds itself up; or
/// in a cold start: the least set that pulls itself up. By plain iteration.
fn up(graph: &Graph, failed: usize, regime: Regime, again: bool) -> Vec<bool> {
    let mut state = vec![regime == Regime::Running; N];
    loop {
        let next: Vec<bool> = (0..N)
            .map(|i| {
                let holds = |clause: &model::graph::Clause| {
                    let counts = |m: &&Index| {
                        let late = clause.at_boot && !again && m.get().is_multiple_of(2);
                        state[m.get()] && !late
                    };
                    !clause.regimes.has(regime)
                        || clause.members.iter().filter(counts).count() >= clause.k as usize
                };
                failed >> i & 1 == 0 && graph.clauses(Index::new(i)).iter().all(holds)
            })
            .collect();
        if next == state {
            return state;
        }
        state = next;
    }
}

fn indices(set: usize) -> Vec<Index> {
    (0..N)
        .filter(|i| set >> i & 1 == 1)
        .map(Index::new)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn spread_is_the_greatest_fixed_point(recipes in recipes(), failed in 0usize..1 << N) {
        let graph = graph_of(&recipes);
        let down = spread(&graph, &indices(failed));
        let expected = up(&graph, failed, Regime::Running, false);
        for (i, up) in expected.iter().enumerate() {
            prop_assert_eq!(down.is_down(Index::new(i)), !up);
            // The chain of causes ends at one that failed by itself.
            if let Some(last) = down.chain(Index::new(i)).last() {
                prop_assert!(failed >> last.index.get() & 1 == 1);
            }
        }
    }

    #[test]
    fn rise_is_the_least_fixed_point(recipes in recipes(), dead in 0usize..1 << N, again: bool) {
        let graph = graph_of(&recipes);
        let from = From { dead: indices(dead).into_iter().collect(), again, ..From::default() };
        let end = rise(&graph, &from);
        let expected = up(&graph, dead, Regime::Cold, again);
        for (i, up) in expected.iter().enumerate() {
            prop_assert_eq!(end.is_up(Index::new(i)), *up);
        }
    }

    #[test]
    fn cut_sets_are_the_minimal_failures(recipes in recipes(), top in 0..N, cold: bool, again: bool) {
        let graph = graph_of(&recipes);
        let regime = if cold { Regime::Cold } else { Regime::Running };
        let assume = Assume { again, ..Assume::default() };
        let faults = faults(&graph, Index::new(top), regime, &assume);
        let solution = solve_up_to(&faults, None).unwrap();
        let found: BTreeSet<usize> = solution
            .sets()
            .map(|set| set.iter().map(|e| 1 << faults.components[e.0 as usize].get()).sum())
            .collect();
        let down: Vec<bool> =
            (0..1usize << N).map(|f| !up(&graph, f, regime, again)[top]).collect();
        let minimal = |f: &usize| down[*f] && (0..N).all(|i| f >> i & 1 == 0 || !down[f & !(1 << i)]);
        let expected: BTreeSet<usize> = (0..1usize << N).filter(minimal).collect();
        prop_assert_eq!(found, expected);
    }

    /// The acts free everything that waits for itself; where it says so, no smaller set does.
    #[test]
    fn acts_suffice_and_are_fewest(recipes in recipes()) {
        let graph = graph_of(&recipes);
        let order = order(&graph);
        let open = |acts: &[(Index, usize)]| {
            let from = From {
                person_at_hand: true,
                waived: acts.iter().copied().collect(),
                ..From::default()
            };
            let end = rise(&graph, &from);
            order.stuck.iter().all(|i| end.is_up(*i))
        };
        let acts: Vec<(Index, usize)> = order.acts.iter().map(|a| (a.of, a.clause)).collect();
        prop_assert!(open(&acts));
        let all: Vec<(Index, usize)> = order
            .stuck
            .iter()
            .flat_map(|&i| (0..graph.clauses(i).len()).map(move |c| (i, c)))
            .collect();
        if order.fewest && acts.len() == 2 {
            prop_assert!(!all.iter().any(|one| open(&[*one])));
        }
        if order.fewest && acts.len() == 3 {
            for (at, one) in all.iter().enumerate() {
                prop_assert!(!all[..at].iter().any(|two| open(&[*one, *two])));
            }
        }
        prop_assert_eq!(order.stuck.is_empty(), acts.is_empty());
    }
}

/// Two hosts, each with a name server and a controller whose disk lies on the NAS, which each
/// host mounts by name; the service `wireless` is a pair of controllers.
struct Pair {
    graph: Graph,
}

impl Pair {
    fn new() -> Self {
        let mut graph = Graph::default();
        let nas = graph.add(Kind::Nas, "nas");
        let dns = ["a", "b"].map(|h| graph.add(Kind::Guest, &format!("dns-{h}")));
        let mut controllers = Vec::new();
        for (h, own) in ["a", "b"].iter().zip(dns) {
            let why = Why::default;
            let host = graph.add(Kind::Host, h);
            let mount = graph.add(Kind::Mount, &format!("{h}:/vms"));
            let name = graph.add(Kind::Name, &format!("{h}:nas"));
            let controller = graph.add(Kind::Guest, &format!("wlc-{h}"));
            graph.need_one(own, host, Regimes::BOTH, why());
            graph.need_one(mount, host, Regimes::BOTH, why());
            graph.need_one(mount, nas, Regimes::BOTH, why());
            graph.need_one(mount, name, Regimes::COLD, why());
            graph.need_one(name, host, Regimes::BOTH, why());
            graph.need_at_boot(name, dns.to_vec(), why());
            graph.need_one(controller, host, Regimes::BOTH, why());
            graph.need_one(controller, mount, Regimes::BOTH, why());
            controllers.push(controller);
        }
        let wireless = graph.add(Kind::Group, "wireless");
        graph.need(wireless, 1, controllers, Regimes::BOTH, Why::default());
        Self { graph }
    }

    fn of(&self, name: &str) -> Index {
        self.graph.find(name).unwrap()
    }

    fn names(&self, of: &[Index]) -> Vec<String> {
        of.iter()
            .map(|i| self.graph.component(*i).full_name())
            .collect()
    }
}

#[test]
fn one_host_comes_back_with_the_other_s_name_server() {
    let pair = Pair::new();
    let end = blast(&pair.graph, &[pair.of("host:a")], &HashSet::new());
    let lost: Vec<Index> = end.lost.falls().iter().map(|f| f.index).collect();
    assert_eq!(
        pair.names(&lost),
        [
            "host:a",
            "guest:dns-a",
            "mount:a:/vms",
            "name:a:nas",
            "guest:wlc-a"
        ]
    );
    assert_eq!(end.stays_lost, []);
    let twins = vec![(pair.of("group:wireless"), vec![pair.of("guest:wlc-b")])];
    assert_eq!(end.survives, twins);
}

#[test]
fn with_the_other_name_server_down_the_mount_comes_too_early() {
    let pair = Pair::new();
    let (host, dns) = (pair.of("host:a"), pair.of("guest:dns-b"));
    let end = blast_from(&pair.graph, &[host], &[dns], &HashSet::new());
    let stays: Vec<Index> = end.stays_lost.iter().map(|(i, _)| *i).collect();
    assert_eq!(
        pair.names(&stays),
        ["mount:a:/vms", "name:a:nas", "guest:wlc-a"]
    );
    // The server that was down before is no loss of this failure.
    assert!(!end.lost.is_down(dns));
}

#[test]
fn both_hosts_together_do_not_come_back_whole() {
    let pair = Pair::new();
    let end = blast(
        &pair.graph,
        &[pair.of("host:a"), pair.of("host:b")],
        &HashSet::new(),
    );
    let stays: Vec<Index> = end.stays_lost.iter().map(|(i, _)| *i).collect();
    let stays = pair.names(&stays);
    assert!(stays.contains(&"group:wireless".to_owned()), "{stays:?}");
    assert!(!stays.contains(&"guest:dns-a".to_owned()), "{stays:?}");
}

#[test]
fn what_only_lacked_something_goes_on_without_a_start() {
    let mut pair = Pair::new();
    let controller = pair.of("guest:wlc-a");
    pair.graph.set_start(controller, Start::Person);
    let end = blast(&pair.graph, &[pair.of("nas:nas")], &HashSet::new());
    assert!(end.lost.is_down(controller));
    // Its process never ended: the hard mount answers again, and it goes on.
    assert_eq!(end.stays_lost, []);
    // With its host gone it must be started, and nobody does.
    let end = blast(&pair.graph, &[pair.of("host:a")], &HashSet::new());
    assert_eq!(end.stays_lost, [(controller, Reason::NeedsPerson)]);
    // A host that stops in emergency mode keeps all of it down.
    let host = pair.of("host:a");
    let end = blast(&pair.graph, &[host], &HashSet::from([host]));
    assert_eq!(end.stays_lost.len(), end.lost.falls().len());
}

#[test]
fn the_pair_shares_the_nas_and_the_circle() {
    let pair = Pair::new();
    let group = pair.of("group:wireless");
    let running = shared(&pair.graph, group, Regime::Running, &Assume::default()).unwrap();
    assert_eq!(pair.names(&running.single), ["nas:nas"]);
    assert!(!running.always);
    let cold = shared(&pair.graph, group, Regime::Cold, &Assume::default()).unwrap();
    assert!(cold.always);
    let again = Assume {
        again: true,
        ..Assume::default()
    };
    let cold = shared(&pair.graph, group, Regime::Cold, &again).unwrap();
    assert_eq!(pair.names(&cold.single), ["nas:nas"]);
    assert!(
        cold.pairs
            .contains(&[pair.of("guest:dns-a"), pair.of("guest:dns-b")])
    );
}

#[test]
fn a_whole_start_needs_one_act_per_host() {
    let pair = Pair::new();
    let order = order(&pair.graph);
    let circle = order.circle.unwrap();
    assert!(circle.at_boot);
    assert_eq!(
        pair.names(&circle.members),
        ["mount:a:/vms", "name:a:nas", "guest:dns-a"]
    );
    assert!(order.fewest);
    let of: Vec<Index> = order.acts.iter().map(|a| a.of).collect();
    assert_eq!(pair.names(&of), ["name:a:nas", "name:b:nas"]);
    assert!(order.rise.is_up(pair.of("group:wireless")));
    assert!(order.doomed.is_empty());
}

#[test]
fn a_person_is_no_circle() {
    let mut pair = Pair::new();
    for guest in ["guest:dns-a", "guest:dns-b"] {
        let guest = pair.of(guest);
        pair.graph.set_start(guest, Start::Person);
    }
    let mut graph = Graph::default();
    let server = graph.add(Kind::Guest, "server");
    let client = graph.add(Kind::Guest, "client");
    graph.set_start(server, Start::Person);
    graph.need_one(client, server, Regimes::BOTH, Why::default());
    let start = order(&graph);
    assert!(start.stuck.is_empty() && start.circle.is_none());
    assert_eq!(start.by_hand, [server]);
    // A real one: each needs the other.
    graph.need_one(server, client, Regimes::COLD, Why::default());
    let start = order(&graph);
    assert_eq!(start.circle.unwrap().members.len(), 2);
    assert_eq!(start.acts.len(), 1);
}
