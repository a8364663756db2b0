//! Runs rules over an estate. A rule that breaks stops no other.

use crate::finding::{Finding, Severity};
use crate::registry;
use crate::rule::{Check, Host, Report, Rule};
use facts::{Snapshot, Source};
use model::Estate;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which rules to run.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// IDs, or areas (`fstab`); all rules where empty.
    pub only: Vec<String>,
}

/// What was not checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotChecked {
    /// The host.
    pub host: String,
    /// The source that was not read, or the rule that could not judge.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// What an audit gave.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Hosts that were looked at.
    pub hosts: Vec<String>,
    /// Findings: by host, the worst first, then by rule and subject.
    pub findings: Vec<Finding>,
    /// What was not checked.
    pub not_checked: Vec<NotChecked>,
}

impl Audit {
    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}

impl Selection {
    /// The rules selected.
    ///
    /// # Errors
    /// The first name that is neither a rule nor an area.
    pub fn rules(&self) -> Result<Vec<&'static Rule>, String> {
        if self.only.is_empty() {
            return Ok(registry::ALL.to_vec());
        }
        let matches = |rule: &Rule, name: &str| {
            rule.id == name || rule.id.split('/').next() == Some(name.trim_end_matches('/'))
        };
        for name in &self.only {
            if !registry::ALL.iter().any(|rule| matches(rule, name)) {
                return Err(name.clone());
            }
        }
        Ok(registry::ALL
            .iter()
            .copied()
            .filter(|rule| self.only.iter().any(|name| matches(rule, name)))
            .collect())
    }
}

/// Runs rules over an estate.
pub fn audit(estate: &Estate, rules: &[&'static Rule]) -> Audit {
    let mut audit = Audit {
        hosts: estate.hosts.iter().map(|h| h.host.clone()).collect(),
        ..Audit::default()
    };
    let mut not_checked: BTreeSet<NotChecked> = estate
        .not_read
        .iter()
        .map(|n| NotChecked {
            host: n.host.clone(),
            source: n.source.clone(),
            reason: n.reason.clone(),
        })
        .collect();
    for rule in rules {
        run(rule, estate, &mut audit.findings, &mut not_checked);
    }
    let needed: BTreeSet<Source> = rules.iter().flat_map(|r| r.needs).copied().collect();
    for host in &estate.hosts {
        for unread in host.unread.iter().filter(|u| needed.contains(&u.source)) {
            not_checked.insert(NotChecked {
                host: host.host.clone(),
                source: unread.source.name().to_owned(),
                reason: match &unread.item {
                    Some(item) if !unread.reason.starts_with(item.as_str()) => {
                        format!("{item}: {}", unread.reason)
                    }
                    _ => unread.reason.clone(),
                },
            });
        }
    }
    audit.findings.sort_by(|a, b| {
        (&a.host, b.severity, a.rule, &a.subject, &a.message)
            .cmp(&(&b.host, a.severity, b.rule, &b.subject, &b.message))
    });
    audit.findings.dedup();
    audit.not_checked = not_checked.into_iter().collect();
    audit
}

fn run(
    rule: &'static Rule,
    estate: &Estate,
    findings: &mut Vec<Finding>,
    not_checked: &mut BTreeSet<NotChecked>,
) {
    let read = |host: &&Snapshot| rule.needs.iter().all(|&s| host.why_unread(s).is_none());
    let hosts: Vec<&Snapshot> = estate.hosts.iter().filter(read).collect();
    let mut take = |host: Option<&str>, check: &dyn Fn(&mut Report)| {
        let mut report = Report::default();
        let ended = catch_unwind(AssertUnwindSafe(|| check(&mut report)));
        if let Err(cause) = ended {
            let why = cause
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| cause.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            let host = host.unwrap_or("(site)").to_owned();
            let reason = format!("the rule itself broke, please report it: {why}");
            report.not_checked.push((host, reason));
        }
        findings.extend(report.findings.into_iter().map(|mut finding| {
            finding.rule = rule.id;
            finding
        }));
        not_checked.extend(
            report
                .not_checked
                .into_iter()
                .map(|(host, reason)| NotChecked {
                    host,
                    source: rule.id.to_owned(),
                    reason,
                }),
        );
    };
    match rule.check {
        Check::Host(check) => {
            for snapshot in hosts {
                let host = Host { snapshot, estate };
                take(Some(&snapshot.host), &|report| check(&host, report));
            }
        }
        Check::Site(check) => take(None, &|report| check(estate, &hosts, report)),
    }
}
