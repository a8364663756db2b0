//! What measuring the items of an incident gives.

use super::{Check, Id, Incident, Item};
use crate::engine::{Audit, audit};
use crate::finding::Finding;
use crate::registry;
use facts::Evidence;
use jiff::civil::Date;
use model::Estate;
use std::collections::BTreeSet;
use wildmatch::WildMatch;

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Measured: it is so.
    Holds,
    /// Measured: it is not so.
    Broken,
    /// Nothing measured it.
    NotChecked,
    /// A person says so, and the word still counts.
    Confirmed,
    /// A person said so, too long ago.
    Expired,
}

impl State {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::NotChecked => "not-checked",
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
        }
    }
}

/// One item, measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The item.
    pub id: Id,
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub state: State,
    /// Whether it undoes a change of the incident.
    pub temporary: bool,
    /// Why it stands there, one line each.
    pub reasons: Vec<String>,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

/// Measures every item of an incident. `today` decides whether a person's word still counts.
pub fn measure(incident: &Incident, estate: &Estate, today: Date) -> Vec<Measured> {
    let audit = audit(estate, &incident.rules());
    incident
        .items
        .iter()
        .map(|item| judge(item, estate, &audit, today))
        .collect()
}

fn judge(item: &Item, estate: &Estate, audit: &Audit, today: Date) -> Measured {
    let broken: Vec<&Finding> = audit
        .findings
        .iter()
        .filter(|finding| item.checks.iter().any(|check| matches(check, finding)))
        .collect();
    let mut gaps: BTreeSet<String> = item
        .checks
        .iter()
        .flat_map(|check| gaps(check, estate, audit))
        .collect();
    // An item that checks cover only in part never holds by them alone.
    gaps.extend(item.uncovered.clone());
    if item.checks.is_empty() && gaps.is_empty() {
        gaps.insert("no check covers it".to_owned());
    }
    let mut measured = Measured {
        id: item.id.clone(),
        text: item.text.clone(),
        state: State::Holds,
        temporary: item.temporary,
        reasons: Vec::new(),
        evidence: Vec::new(),
    };
    if !broken.is_empty() {
        measured.state = State::Broken;
        for finding in broken {
            let reason = format!("{}: {} ({})", finding.host, finding.message, finding.rule);
            measured.reasons.push(reason);
            measured.evidence.extend(finding.evidence.iter().cloned());
        }
        measured
            .reasons
            .extend(gaps.into_iter().map(|g| format!("not checked: {g}")));
    } else if !gaps.is_empty() {
        measured.state = State::NotChecked;
        measured.reasons.extend(gaps);
        if let Some(word) = item.confirmed.as_ref().filter(|_| !item.temporary) {
            measured.state = if today <= word.until {
                State::Confirmed
            } else {
                State::Expired
            };
            let until = if today <= word.until {
                "until"
            } else {
                "only until"
            };
            let text = if word.text.is_empty() {
                "it is so"
            } else {
                &word.text
            };
            let said = format!("{} on {}, {until} {}: {text}", word.by, word.on, word.until);
            measured
                .evidence
                .push(Evidence::measured("confirmation", &said));
            measured.reasons.insert(0, said);
        }
    }
    measured
}

/// Whether a list of patterns is empty or one of them fits.
fn fits(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| WildMatch::new(p).matches(text))
}

fn matches(check: &Check, finding: &Finding) -> bool {
    check.rules.iter().any(|rule| rule == finding.rule)
        && fits(&check.hosts, &finding.host)
        && fits(&check.subjects, &finding.subject)
}

/// What keeps a check from being the whole truth.
fn gaps(check: &Check, estate: &Estate, audit: &Audit) -> Vec<String> {
    let mut gaps = Vec::new();
    for lost in estate
        .not_read
        .iter()
        .filter(|n| fits(&check.hosts, &n.host))
    {
        gaps.push(format!("{}: {}", lost.host, lost.reason));
    }
    for id in &check.rules {
        let Some(rule) = registry::find(id) else {
            continue;
        };
        for host in estate.hosts.iter().filter(|h| fits(&check.hosts, &h.host)) {
            for unread in &host.unread {
                let concerns = match &unread.item {
                    None => true,
                    Some(item) => fits(&check.subjects, item) || check.subjects.is_empty(),
                };
                if rule.needs.contains(&unread.source) && concerns {
                    let item = unread
                        .item
                        .as_deref()
                        .map_or_else(String::new, |i| format!(" {i}"));
                    gaps.push(format!(
                        "{}: {}{item}: {}",
                        host.host, unread.source, unread.reason
                    ));
                }
            }
        }
        for not in audit.not_checked.iter().filter(|n| n.source == *id) {
            if fits(&check.hosts, &not.host) || &*not.host == "(site)" {
                gaps.push(format!("{}: {}", not.host, not.reason));
            }
        }
        if id.starts_with("switch/") && estate.switches.is_empty() {
            gaps.push("no switch capture was read".to_owned());
        }
    }
    let named = check.hosts.iter().filter(|h| !h.contains(['*', '?']));
    for host in named {
        let read = estate.host(host).is_some()
            || estate.switches.contains_key(host)
            || estate.not_read.iter().any(|n| n.host == *host)
            || estate
                .site
                .as_ref()
                .is_some_and(|s| s.all_groups().contains_key(host.as_str()));
        if !read {
            gaps.push(format!("{host}: not read"));
        }
    }
    if estate.hosts.is_empty() && gaps.is_empty() {
        gaps.push("no host was read".to_owned());
    }
    gaps
}
