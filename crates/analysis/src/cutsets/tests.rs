//! The engine against brute force on random trees, and on trees whose answer is known.

use proptest::prelude::*;

use super::*;

/// A gate to be made: which operator, which arguments among what exists by then, two numbers.
type Recipe = (u8, Vec<u16>, u8, u8);

const EVENTS: usize = 9;

/// Builds a tree from recipes; `operators` says how many kinds of operators may be used.
fn build(recipes: &[Recipe], operators: u8) -> (FaultTree, GateId) {
    let mut tree = FaultTree::new();
    let mut all: Vec<Arg> = (0..EVENTS)
        .map(|i| tree.event(format!("e{i}")).into())
        .collect();
    if operators > 3 {
        all.extend([Arg::Constant(true), Arg::Constant(false)]);
    }
    let mut top = tree.gate("empty", Op::Or, vec![]);
    for (at, (op, picks, low, high)) in recipes.iter().enumerate() {
        // Later gates come first, so that most of the tree hangs together.
        let pick = |p: &u16| all[all.len() - 1 - (*p as usize * *p as usize / 65_536) % all.len()];
        let mut args: Vec<Arg> = picks.iter().map(pick).collect();
        let n = args.len() as u32;
        let op = match op % operators {
            0 => Op::And,
            1 => Op::Or,
            2 => Op::AtLeast(u32::from(*low) % (n + 2)),
            3 => {
                args.truncate(1);
                Op::Not
            }
            4 => Op::Nand,
            5 => Op::Nor,
            6 => Op::Xor,
            7 => {
                let (a, b) = (u32::from(*low) % (n + 1), u32::from(*high) % (n + 1));
                Op::Cardinality {
                    min: a.min(b),
                    max: a.max(b),
                }
            }
            both => {
                args.resize(2, args[0]);
                if both == 8 { Op::Iff } else { Op::Imply }
            }
        };
        top = tree.gate(format!("g{at}"), op, args);
        all.push(top.into());
    }
    (tree, top)
}

fn evaluate(tree: &FaultTree, gate: GateId, state: usize) -> bool {
    let gate = &tree.gates()[gate.0 as usize];
    let mut values = gate.args.iter().map(|arg| match arg {
        Arg::Event(event) => state >> event.0 & 1 == 1,
        Arg::Gate(gate) => evaluate(tree, *gate, state),
        Arg::Constant(value) => *value,
    });
    match gate.op {
        Op::And => values.all(|v| v),
        Op::Or => values.any(|v| v),
        Op::Nand => !values.all(|v| v),
        Op::Nor => !values.any(|v| v),
        Op::Not => !values.all(|v| v),
        Op::AtLeast(min) => values.filter(|v| *v).count() >= min as usize,
        Op::Xor => values.filter(|v| *v).count() % 2 == 1,
        Op::Cardinality { min, max } => {
            let n = values.filter(|v| *v).count() as u32;
            min <= n && n <= max
        }
        Op::Iff => values.next() == values.next(),
        Op::Imply => !values.next().unwrap() || values.next().unwrap(),
    }
}

/// The truth table, and the minimal sets if it is monotone.
fn brute(tree: &FaultTree, top: GateId) -> (Vec<bool>, Option<Vec<usize>>) {
    let table: Vec<bool> = (0..1 << EVENTS)
        .map(|state| evaluate(tree, top, state))
        .collect();
    let monotone = (0..1 << EVENTS)
        .all(|state| (0..EVENTS).all(|e| !table[state & !(1 << e)] || table[state]));
    let minimal = |&state: &usize| {
        table[state] && (0..EVENTS).all(|e| state >> e & 1 == 0 || !table[state & !(1 << e)])
    };
    let sets = monotone.then(|| (0..1 << EVENTS).filter(minimal).collect());
    (table, sets)
}

fn as_bits(set: &[EventId]) -> usize {
    set.iter().map(|event| 1 << event.0).sum()
}

fn check(tree: &FaultTree, top: GateId) {
    let (table, expected) = brute(tree, top);
    let Some(expected) = expected else {
        let error = solve(tree, top, &Options::default()).unwrap_err();
        assert!(matches!(error, CutSetError::NonCoherent { .. }), "{error}");
        return;
    };
    for max_order in [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(3),
        Some(EVENTS as u32),
    ] {
        let options = Options {
            max_order,
            ..Options::default()
        };
        let solution = solve(tree, top, &options).unwrap();
        let limit = max_order.unwrap_or(u32::MAX);
        let within: Vec<usize> = expected
            .iter()
            .copied()
            .filter(|set| set.count_ones() <= limit)
            .collect();
        let listed: Vec<Vec<EventId>> = solution.sets().collect();
        assert!(
            listed.is_sorted_by_key(Vec::len),
            "not by order: {listed:?}"
        );
        let mut sets: Vec<usize> = listed.iter().map(|set| as_bits(set)).collect();
        sets.sort_unstable();
        assert_eq!(sets, within, "limit {max_order:?}");
        assert_eq!(solution.count(), within.len().into());
        for (order, n) in solution.by_order() {
            let expected = within
                .iter()
                .filter(|set| set.count_ones() == order)
                .count();
            assert_eq!(*n, expected.into(), "order {order}");
        }
        if within.len() < expected.len() {
            assert!(solution.is_cut());
        }
        if max_order.is_none() {
            assert!(!solution.is_cut());
        }
        probabilities(&solution, &table);
    }
}

/// Probability and Birnbaum importance against sums over the truth table.
fn probabilities(solution: &Solution, table: &[bool]) {
    let p: Vec<f64> = (0..EVENTS).map(|i| 0.05 + 0.1 * i as f64).collect();
    let sum = |p: &[f64]| -> f64 {
        let weight = |state: usize| -> f64 {
            (0..EVENTS)
                .map(|e| {
                    if state >> e & 1 == 1 {
                        p[e]
                    } else {
                        1.0 - p[e]
                    }
                })
                .product()
        };
        (0..table.len())
            .filter(|&state| table[state])
            .map(weight)
            .sum()
    };
    let top = solution.probability(&p).unwrap();
    assert!((top - sum(&p)).abs() < 1e-12, "{top} is not {}", sum(&p));
    for importance in solution.importance(&p).unwrap() {
        let at = importance.event.0 as usize;
        let with = |value: f64| {
            let mut p = p.clone();
            p[at] = value;
            sum(&p)
        };
        assert!((importance.birnbaum - (with(1.0) - with(0.0))).abs() < 1e-12);
        let share = if top > 0.0 {
            (top - with(0.0)) / top
        } else {
            0.0
        };
        assert!((importance.fussell_vesely - share).abs() < 1e-9);
    }
}

fn recipes(most: usize) -> impl Strategy<Value = Vec<Recipe>> {
    let gate = (
        any::<u8>(),
        prop::collection::vec(any::<u16>(), 1..5),
        any::<u8>(),
        any::<u8>(),
    );
    prop::collection::vec(gate, 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn coherent_trees_agree_with_brute_force(recipes in recipes(14)) {
        let (tree, top) = build(&recipes, 3);
        check(&tree, top);
    }

    #[test]
    fn trees_with_all_operators_agree_with_brute_force(recipes in recipes(8)) {
        let (tree, top) = build(&recipes, 10);
        check(&tree, top);
    }

    #[test]
    fn trees_with_negations_agree_with_brute_force(recipes in recipes(10)) {
        let (tree, top) = build(&recipes, 4);
        check(&tree, top);
    }
}

fn count(tree: &FaultTree, top: impl Into<Arg>) -> String {
    solve(tree, top, &Options::default())
        .unwrap()
        .count()
        .to_string()
}

fn events(tree: &mut FaultTree, n: usize) -> Vec<Arg> {
    (0..n).map(|i| tree.event(format!("e{i}")).into()).collect()
}

#[test]
fn one_event_or_constant_is_a_tree() {
    let mut tree = FaultTree::new();
    let event = tree.event("e");
    let solution = solve(&tree, event, &Options::default()).unwrap();
    assert_eq!(solution.sets().collect::<Vec<_>>(), [vec![event]]);
    assert_eq!(solution.single_points(), [event]);
    let always = solve(&tree, true, &Options::default()).unwrap();
    assert_eq!(always.sets().collect::<Vec<_>>(), [vec![]]);
    assert_eq!(always.probability(&[0.5]).unwrap(), 1.0);
    let never = solve(&tree, false, &Options::default()).unwrap();
    assert_eq!(never.sets().count(), 0);
    assert_eq!(never.count(), 0u8.into());
}

#[test]
fn a_vote_with_repeated_arguments_counts_them_twice() {
    let mut tree = FaultTree::new();
    let e = events(&mut tree, 3);
    // Two of (e0, e0, e1, e2): e0 alone is enough.
    let top = tree.gate("top", Op::AtLeast(2), vec![e[0], e[0], e[1], e[2]]);
    assert_eq!(count(&tree, top), "2");
}

#[test]
fn counts_beyond_128_bits_are_exact() {
    // 100 of 200: the binomial coefficient, about 9.05e58.
    let mut tree = FaultTree::new();
    let e = events(&mut tree, 200);
    let top = tree.gate("top", Op::AtLeast(100), e);
    let expected = "90548514656103281165404177077484163874504589675413336841320";
    assert_eq!(count(&tree, top), expected);
}

#[test]
fn products_of_modules_are_counted_without_listing() {
    // 60 ors of 10 events each, all needed: 10 to the 60th.
    let mut tree = FaultTree::new();
    let mut ors = Vec::new();
    for _ in 0..60 {
        let e = events(&mut tree, 10);
        ors.push(tree.gate("or", Op::Or, e).into());
    }
    let top = tree.gate("top", Op::And, ors);
    let solution = solve(&tree, top, &Options::default()).unwrap();
    assert_eq!(solution.count().to_string(), format!("1{}", "0".repeat(60)));
    assert_eq!(
        solution
            .sets()
            .take(1000)
            .filter(|set| set.len() == 60)
            .count(),
        1000
    );
}

#[test]
fn ten_thousand_nested_gates_need_no_deep_stack() {
    let mut tree = FaultTree::new();
    let e = events(&mut tree, 10_001);
    let mut gate: Arg = e[10_000];
    for (i, &event) in e[..10_000].iter().enumerate().rev() {
        let op = if i % 2 == 0 { Op::Or } else { Op::And };
        gate = tree.gate("", op, vec![event, gate]).into();
    }
    assert_eq!(count(&tree, gate), "5001");
    // The same without modules: each event stands in two gates.
    let mut gate: Arg = e[0];
    for i in (0..6_000).rev() {
        let op = if i % 2 == 0 { Op::Or } else { Op::And };
        gate = tree.gate("", op, vec![e[i], e[i + 2], gate]).into();
    }
    assert_eq!(count(&tree, gate), "3001");
}

#[test]
fn circles_are_named() {
    let mut tree = FaultTree::new();
    let (a, b) = (tree.declare("a"), tree.declare("b"));
    let top = tree.gate("top", Op::Or, vec![a.into()]);
    tree.define(a, Op::And, vec![b.into()]);
    tree.define(b, Op::Or, vec![a.into()]);
    let error = solve(&tree, top, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "the gates form a circle: a -> b -> a");
}

#[test]
fn a_tree_too_large_for_its_budget_is_an_error() {
    let mut tree = FaultTree::new();
    let e = events(&mut tree, 60);
    let top = tree.gate("top", Op::AtLeast(30), e);
    let options = Options {
        max_nodes: 100,
        ..Options::default()
    };
    let error = solve(&tree, top, &options).unwrap_err();
    assert_eq!(error, CutSetError::TooLarge { nodes: 100 });
}

#[test]
fn probabilities_must_be_there_and_be_probabilities() {
    let mut tree = FaultTree::new();
    let e = events(&mut tree, 2);
    let top = tree.gate("top", Op::And, e);
    let solution = solve(&tree, top, &Options::default()).unwrap();
    assert!(solution.probability(&[0.5]).is_err());
    assert!(solution.probability(&[0.5, 1.5]).is_err());
    assert!(solution.probability(&[0.5, f64::NAN]).is_err());
    assert_eq!(solution.probability(&[0.5, 0.5]).unwrap(), 0.25);
}
