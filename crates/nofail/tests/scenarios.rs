//! Runs the cases of every rule: `testdata/scenarios/<area>/<slug>.md`. CONTRIBUTING.md
//! describes their form.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod scenario;

use collect::{LocalReader, Options};
use model::{Estate, Site};
use rules::Selection;
use scenario::{Case, cases, host_and_path, merged, put, scenario_files};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

fn estate(case: &Case) -> Estate {
    let dir = tempfile::tempdir().unwrap();
    let mut hosts = Vec::new();
    let mut estate = Estate::default();
    let mut captures = BTreeMap::new();
    for (name, body) in &case.blocks {
        if let Some((host, path)) = host_and_path(name) {
            hosts.push(host);
            put(&dir.path().join(host), path, body);
        } else if name.starts_with("snapshot") {
            hosts.push(name.strip_prefix("snapshot ").unwrap_or("host"));
        } else if let Some(file) = name.strip_prefix("capture ") {
            captures.insert(file.to_owned(), body.clone());
        } else if let Some(host) = name.strip_prefix("bmc-check ") {
            let check = serde_json::from_str(body).unwrap_or_else(|e| panic!("{name}: {e}"));
            estate.bmc_checks.insert(host.to_owned(), check);
        } else if name == "site.toml" {
            estate.site = Some(Site::parse("site.toml", body).unwrap_or_else(|e| panic!("{e}")));
        } else {
            assert_eq!(name, "expect", "line {}: no such kind of block", case.line);
        }
    }
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        let root = dir.path().join(host);
        std::fs::create_dir_all(&root).unwrap();
        let reader = LocalReader::rooted(&root).unwrap();
        let mut snapshot = collect::collect(&reader, &Options::default());
        host.clone_into(&mut snapshot.host);
        for (name, body) in &case.blocks {
            if name == &format!("snapshot {host}") || (name == "snapshot" && host == "host") {
                snapshot = merged(&snapshot, body);
            }
        }
        estate.hosts.push(snapshot);
    }
    nofail::input::add_switches(&mut estate, |file| {
        captures
            .get(file)
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("no block `capture {file}` in the case"))
    });
    estate
}

/// One line per finding and per source not checked, as the `expect` block has them, with the
/// whole text of each.
fn outcome(estate: &Estate, rule: &str) -> Vec<(String, String)> {
    let selection = Selection {
        only: vec![rule.to_owned()],
    };
    let rules = selection
        .rules()
        .unwrap_or_else(|name| panic!("no rule {name}"));
    let audit = rules::audit(estate, &rules);
    let mut lines: Vec<(String, String)> = audit
        .findings
        .iter()
        .map(|f| {
            let head = format!("{} {} {}", f.severity.name(), f.host, f.subject);
            let mut whole = f.full_message();
            for evidence in &f.evidence {
                let line = evidence.line.map_or_else(String::new, |l| format!(":{l}"));
                let text = evidence.text.as_deref().unwrap_or("");
                let _ = write!(whole, "\n{}{line}: {text}", evidence.file);
            }
            let _ = write!(whole, "\n{}", f.fix.as_deref().unwrap_or(""));
            (head, whole)
        })
        .collect();
    let mut not_checked: Vec<String> = audit
        .not_checked
        .iter()
        .map(|n| format!("not-checked {} {}", n.host, n.source))
        .collect();
    not_checked.dedup();
    lines.extend(not_checked.into_iter().map(|line| (line, String::new())));
    lines
}

fn expected(case: &Case) -> Option<&str> {
    let (_, body) = case.blocks.iter().find(|(name, _)| name == "expect")?;
    Some(body)
}

fn check(rule: &str, case: &Case) -> Result<(), String> {
    let expect = expected(case).ok_or("the case has no `expect` block")?;
    let found = outcome(&estate(case), rule);
    let wants_not_checked = expect.contains("not-checked");
    let mut left: Vec<&(String, String)> = found
        .iter()
        .filter(|(head, _)| wants_not_checked || !head.starts_with("not-checked"))
        .collect();
    let shown = || {
        found.iter().fold(String::new(), |mut all, (head, whole)| {
            let _ = writeln!(all, "  {head}\n    {}", whole.replace('\n', "\n    "));
            all
        })
    };
    let lines = expect.lines().map(str::trim);
    for line in lines.filter(|l| !l.is_empty() && *l != "nothing") {
        let (head, contains) = line.split_once(" | ").unwrap_or((line, ""));
        let Some(at) = left
            .iter()
            .position(|(h, whole)| h == head && whole.contains(contains))
        else {
            return Err(format!("expected `{line}`, found:\n{}", shown()));
        };
        left.remove(at);
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(format!("more than expected was found:\n{}", shown()))
}

#[test]
fn every_case_of_every_rule_holds() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let mut files = Vec::new();
    scenario_files(&directory, &mut files);
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for file in files {
        let rule = file.strip_prefix(&directory).unwrap().with_extension("");
        let rule = rule.to_str().unwrap().to_owned();
        let cases = cases(&std::fs::read_to_string(&file).unwrap());
        let expects = |wanted: fn(&str) -> bool| cases.iter().filter_map(expected).any(wanted);
        let fires = expects(|e| {
            e.lines()
                .any(|l| l.contains(' ') && !l.contains("not-checked"))
        });
        if !fires || !expects(|e| e.trim() == "nothing") {
            let _ = writeln!(
                failures,
                "{rule}: needs a case that fires and one that stays quiet"
            );
        }
        for case in &cases {
            if let Err(why) = check(&rule, case) {
                let place = format!("{}:{}", file.display(), case.line);
                let _ = writeln!(failures, "{place} {}: {why}", case.title);
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn a_case_can_fail() {
    let guest =
        r#"{"guests":[{"name":"g","autostart":false,"state":"running","persistent":true}]}"#;
    let case = |expect: &str| Case {
        title: String::new(),
        line: 1,
        blocks: vec![
            ("snapshot".to_owned(), guest.to_owned()),
            ("expect".to_owned(), expect.to_owned()),
        ],
    };
    let rule = "guests/autostart-off";
    check(rule, &case("warning host g\n")).unwrap();
    assert!(check(rule, &case("nothing\n")).is_err());
    assert!(check(rule, &case("error host g\n")).is_err());
    assert!(check(rule, &case("warning host g | no such text\n")).is_err());
}
