//! `nofail cutsets` against SCRAM (Debian package `scram`) on random fault trees, and on the public
//! trees which that package brings: the numbers of sets by order must be the same. Needs `scram`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs themselves"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Numbers of minimal cut sets by order.
type ByOrder = BTreeMap<u32, u64>;

fn nofail(files: &[PathBuf], max_order: u32) -> (ByOrder, f64) {
    let output = Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args([
            "cutsets",
            "--format",
            "json",
            "--probability",
            "--max-order",
        ])
        .arg(max_order.to_string())
        .arg("--fault-tree")
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{files:?}: {said}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let by_order = json["by_order"].as_object().unwrap();
    let by_order = by_order
        .iter()
        .map(|(k, v)| (k.parse().unwrap(), v.as_u64().unwrap()));
    (by_order.collect(), json["probability"].as_f64().unwrap())
}

fn scram(files: &[PathBuf], max_order: u32, algorithm: &str, dir: &Path) -> (ByOrder, f64) {
    let report = dir.join("report.xml");
    let output = Command::new("scram")
        .args([
            algorithm,
            "--probability",
            "1",
            "--mission-time",
            "8760",
            "-l",
        ])
        .arg(max_order.to_string())
        .arg("-o")
        .arg(&report)
        .args(files)
        .output()
        .unwrap_or_else(|e| panic!("scram (Debian package scram) cannot be run: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scram on {files:?}: {said}");
    let text = std::fs::read_to_string(&report).unwrap();
    let element = text.split("<sum-of-products ").nth(1).unwrap();
    let attribute = |name: &str| {
        let value = element.split(&format!("{name}=\"")).nth(1)?;
        Some(value.split('"').next().unwrap().to_owned())
    };
    let mut by_order = ByOrder::new();
    for (i, n) in attribute("distribution")
        .unwrap_or_default()
        .split_whitespace()
        .enumerate()
    {
        let n = n.parse().unwrap();
        if n > 0 {
            by_order.insert(i as u32 + 1, n);
        }
    }
    (
        by_order,
        attribute("probability")
            .unwrap_or_default()
            .parse()
            .unwrap_or(f64::NAN),
    )
}

fn compare(files: &[PathBuf], max_order: u32, algorithm: &str, exact: bool) {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, their_probability) = scram(files, max_order, algorithm, dir.path());
    let (ours, our_probability) = nofail(files, max_order);
    assert_eq!(ours, theirs, "{files:?}, limit {max_order}, {algorithm}");
    // SCRAM's probability is exact only with BDD, and written with few digits.
    if exact && algorithm == "--bdd" {
        let apart = relative(our_probability, their_probability).abs();
        assert!(
            apart < 1e-4,
            "{files:?}: {our_probability} and {their_probability}"
        );
    }
}

fn relative(ours: f64, theirs: f64) -> f64 {
    if theirs == 0.0 {
        ours
    } else {
        (ours - theirs) / theirs
    }
}

/// A small generator of numbers (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// A random coherent tree: shared gates and events, votes, nested formulas, house events.
fn random_tree(seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (events, gates) = (8 + random.below(25), 5 + random.below(25));
    let mut text = String::from("<opsa-mef>\n<define-fault-tree name=\"t\">\n");
    for gate in 0..gates {
        let mut args: Vec<String> = Vec::new();
        if gate + 1 < gates {
            args.push(format!("<gate name=\"g{}\"/>", gate + 1));
        }
        let wanted = 2 + random.below(4);
        while args.len() < wanted {
            let arg = match random.below(12) {
                0..4 if gate + 1 < gates => {
                    let far = gate + 1 + random.below((gates - gate - 1).min(6));
                    format!("<gate name=\"g{far}\"/>")
                }
                4 => format!("<house-event name=\"h{}\"/>", random.below(2)),
                5 => {
                    let (a, b) = (random.below(events), random.below(events - 1));
                    let b = if b >= a { b + 1 } else { b };
                    let op = ["and", "or"][random.below(2)];
                    format!("<{op}><event name=\"e{a}\"/><event name=\"e{b}\"/></{op}>")
                }
                _ => format!("<basic-event name=\"e{}\"/>", random.below(events)),
            };
            if !args.contains(&arg) {
                args.push(arg);
            }
        }
        let n = args.len();
        let (open, close) = match random.below(6) {
            0 | 1 => ("and".to_owned(), "and"),
            2 if n > 2 => (
                format!("atleast min=\"{}\"", 2 + random.below(n - 2)),
                "atleast",
            ),
            _ => ("or".to_owned(), "or"),
        };
        let args = args.concat();
        writeln!(
            text,
            "<define-gate name=\"g{gate}\"><{open}>{args}</{close}></define-gate>"
        )
        .unwrap();
    }
    text.push_str("</define-fault-tree>\n<model-data>\n");
    for house in 0..2 {
        let value = house == 1;
        writeln!(
            text,
            "<define-house-event name=\"h{house}\"><constant value=\"{value}\"/></define-house-event>"
        )
        .unwrap();
    }
    for event in 0..events {
        let p = 0.001 + 0.01 * event as f64;
        writeln!(
            text,
            "<define-basic-event name=\"e{event}\"><float value=\"{p}\"/></define-basic-event>"
        )
        .unwrap();
    }
    text.push_str("</model-data>\n</opsa-mef>\n");
    text
}

#[test]
fn random_trees_have_the_cut_sets_that_scram_finds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tree.xml");
    let mut interesting = 0;
    for seed in 1..=60 {
        std::fs::write(&file, random_tree(seed)).unwrap();
        let files = [file.clone()];
        let algorithm = ["--bdd", "--zbdd", "--mocus"][seed as usize % 3];
        let (theirs, _) = scram(&files, 1000, algorithm, dir.path());
        // A constant top event: SCRAM reports the empty set in its own way.
        if theirs.values().sum::<u64>() < 2 {
            continue;
        }
        interesting += 1;
        compare(&files, 1000, algorithm, true);
        compare(&files, 3, algorithm, false);
    }
    assert!(
        interesting >= 30,
        "only {interesting} trees were not constant"
    );
}

#[test]
fn public_trees_have_the_cut_sets_that_scram_finds() {
    let input = Path::new("/usr/share/scram/input");
    let trees: [(&[&str], u64); 9] = [
        (
            &["Baobab/baobab1.xml", "Baobab/baobab1-basic-events.xml"],
            46_188,
        ),
        (
            &["Baobab/baobab2.xml", "Baobab/baobab2-basic-events.xml"],
            4_805,
        ),
        (
            &["Chinese/chinese.xml", "Chinese/chinese-basic-events.xml"],
            392,
        ),
        (&["BSCU/BSCU.xml"], 10),
        (&["Lift/lift.xml"], 12),
        (&["SmallTree/SmallTree.xml"], 2),
        (&["Theatre/theatre.xml"], 2),
        (&["ThreeMotor/three_motor.xml"], 12),
        (&["ne574/ne574.xml"], 7),
    ];
    for (names, expected) in trees {
        let files: Vec<PathBuf> = names.iter().map(|name| input.join(name)).collect();
        compare(&files, 1000, "--bdd", true);
        compare(&files, 4, "--zbdd", false);
        assert_eq!(
            nofail(&files, 1000).0.values().sum::<u64>(),
            expected,
            "{names:?}"
        );
    }
}
