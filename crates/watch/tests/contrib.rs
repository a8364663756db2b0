//! The files in `contrib/` against what the daemon really gives: every kind of event against the
//! Wazuh rules, every metric that a rule or dashboard names against the list of metrics.
//!
//! Wazuh's own wazuh-logtest cannot be had here: the matcher below does what the documentation of
//! its ruleset says of `decoded_as`, `if_sid` and `field` with PCRE2, for the small part of it
//! that our rules use.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::Timestamp;
use regex_lite::Regex;
use std::path::PathBuf;
use watch::event::json::Line;
use watch::{Event, Kind, Severity, metrics};

fn contrib(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contrib");
    std::fs::read_to_string(root.join(path)).unwrap()
}

struct Rule {
    id: u32,
    level: u32,
    parents: Vec<u32>,
    decoder: Option<String>,
    fields: Vec<(String, Regex)>,
    variables: Vec<String>,
}

fn rules() -> Vec<Rule> {
    let text = contrib("wazuh/nofail_rules.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let rules = document.descendants().filter(|n| n.has_tag_name("rule"));
    rules
        .map(|rule| {
            let child = |name: &str| {
                rule.children()
                    .find(|c| c.has_tag_name(name))
                    .and_then(|c| c.text())
            };
            let fields = rule
                .children()
                .filter(|c| c.has_tag_name("field"))
                .map(|field| {
                    assert_eq!(
                        field.attribute("type"),
                        Some("pcre2"),
                        "our matcher knows PCRE2 only"
                    );
                    let name = field.attribute("name").unwrap().to_owned();
                    (name, Regex::new(field.text().unwrap()).unwrap())
                });
            let variable = Regex::new(r"\$\(([a-z]+)\)").unwrap();
            let description = child("description").unwrap();
            Rule {
                id: rule.attribute("id").unwrap().parse().unwrap(),
                level: rule.attribute("level").unwrap().parse().unwrap(),
                parents: child("if_sid")
                    .unwrap_or("")
                    .split(',')
                    .filter_map(|id| id.trim().parse().ok())
                    .collect(),
                decoder: child("decoded_as").map(str::to_owned),
                fields: fields.collect(),
                variables: variable
                    .captures_iter(description)
                    .map(|c| c[1].to_owned())
                    .collect(),
            }
        })
        .collect()
}

/// The deepest rule that matches, the first of several.
fn matching<'a>(rules: &'a [Rule], line: &serde_json::Value) -> Option<&'a Rule> {
    let matches = |rule: &Rule| {
        rule.fields
            .iter()
            .all(|(name, regex)| line[name].as_str().is_some_and(|text| regex.is_match(text)))
    };
    let mut current = rules
        .iter()
        .find(|r| r.decoder.as_deref() == Some("nofail") && matches(r))?;
    while let Some(next) = rules
        .iter()
        .find(|r| r.parents.contains(&current.id) && matches(r))
    {
        current = next;
    }
    Some(current)
}

#[test]
fn every_kind_of_event_gets_the_level_of_its_severity_or_more() {
    let decoders = contrib("wazuh/nofail_decoders.xml");
    let decoders = roxmltree::Document::parse(&decoders).unwrap();
    let prematch = decoders
        .descendants()
        .find(|n| n.has_tag_name("prematch"))
        .unwrap()
        .text()
        .unwrap();
    let prefix = prematch.strip_prefix('^').unwrap();
    let rules = rules();
    let mut used = std::collections::BTreeSet::new();
    for kind in Kind::ALL {
        for severity in Severity::ALL {
            let event = Event::new(Timestamp::UNIX_EPOCH, "kvm-01", "s", *kind, "x", "m")
                .of_guest("g")
                .severity(*severity);
            let text = serde_json::to_string(&Line::of(Some(1), &event)).unwrap();
            assert!(text.starts_with(prefix), "{text}");
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            let rule = matching(&rules, &line).unwrap();
            let least = match severity {
                Severity::Info => 3,
                Severity::Warning => 7,
                Severity::Error => 10,
                // 12 is Wazuh's "high importance event".
                Severity::Critical => 12,
            };
            assert!(
                (least..=15).contains(&rule.level),
                "{} {} rule {}",
                kind.name(),
                severity.name(),
                rule.id
            );
            assert!(
                rule.variables.iter().all(|name| line[name].is_string()),
                "{}",
                rule.id
            );
            if *severity == kind.severity() {
                used.insert(rule.id);
            }
        }
    }
    let all: std::collections::BTreeSet<u32> = rules
        .iter()
        .map(|r| r.id)
        .filter(|id| *id != 100_700)
        .collect();
    assert_eq!(used, all, "a rule that no event reaches");
}

#[test]
fn the_example_settings_are_the_defaults_and_its_comments_can_be_used() {
    let text = contrib("watch.toml");
    let settings = watch::Settings::parse("watch.toml", &text).unwrap();
    assert_eq!(
        format!("{settings:?}"),
        format!("{:?}", watch::Settings::default())
    );
    // With every commented setting put in force.
    let key = Regex::new(r"(?m)^# ?((\[sinks|[a-z_]+ = ).*)$").unwrap();
    let all = key.replace_all(&text, "$1");
    let settings = watch::Settings::parse("watch.toml", &all).unwrap();
    assert_eq!(settings.sinks.len(), 6, "{all}");
}

#[test]
fn rules_and_dashboard_name_metrics_that_there_are() {
    let name = Regex::new(r"\bnofail_[a-z_]+").unwrap();
    let mut seen = 0;
    for file in ["prometheus/nofail-alerts.yml", "grafana/nofail.json"] {
        let text = contrib(file);
        if file.ends_with("json") {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
        for found in name.find_iter(&text) {
            assert!(
                metrics::names().any(|known| known == found.as_str()),
                "{file}: {}",
                found.as_str()
            );
            seen += 1;
        }
    }
    assert!(seen > 10);
}
