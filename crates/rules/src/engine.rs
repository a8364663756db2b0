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
    for found in on_all_hosts(estate, rules) {
        audit.findings.extend(found.findings);
        not_checked.extend(found.not_checked);
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

/// What one share of the work gave.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    not_checked: Vec<NotChecked>,
}

/// Runs every rule: those that look at one host on shares of the hosts, a share for each
/// processor, and beside them, on this thread, those that look at the whole site.
fn on_all_hosts(estate: &Estate, rules: &[&'static Rule]) -> Vec<Found> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = estate.hosts.len().div_ceil(workers).max(1);
    let by_host = |hosts: &[Snapshot]| {
        let mut found = Found::default();
        for snapshot in hosts {
            for rule in rules {
                found.run_on_host(rule, estate, snapshot);
            }
        }
        found
    };
    std::thread::scope(|scope| {
        let mut shares = estate.hosts.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|hosts| (hosts, scope.spawn(move || by_host(hosts))))
            .collect();
        let mut site = Found::default();
        for rule in rules {
            site.run_on_site(rule, estate);
        }
        let mut all = vec![site, by_host(first)];
        for (hosts, other) in others {
            all.push(other.join().unwrap_or_else(|_| Found::broken(hosts)));
        }
        all
    })
}

fn read(rule: &Rule, host: &Snapshot) -> bool {
    rule.needs.iter().all(|&s| host.why_unread(s).is_none())
}

impl Found {
    /// A thread that ended otherwise than by a rule, each of which is caught: nothing is known.
    fn broken(hosts: &[Snapshot]) -> Self {
        let not_checked = hosts.iter().map(|host| NotChecked {
            host: host.host.clone(),
            source: "rules".to_owned(),
            reason: "the audit of this host broke, please report it".to_owned(),
        });
        Self {
            findings: Vec::new(),
            not_checked: not_checked.collect(),
        }
    }

    fn run_on_host(&mut self, rule: &'static Rule, estate: &Estate, snapshot: &Snapshot) {
        if let Check::Host(check) = rule.check
            && read(rule, snapshot)
        {
            let host = Host { snapshot, estate };
            self.take(rule, Some(&snapshot.host), |report| check(&host, report));
        }
    }

    fn run_on_site(&mut self, rule: &'static Rule, estate: &Estate) {
        if let Check::Site(check) = rule.check {
            let hosts: Vec<&Snapshot> = estate.hosts.iter().filter(|h| read(rule, h)).collect();
            self.take(rule, None, |report| check(estate, &hosts, report));
        }
    }

    /// Takes what a rule reports; one that breaks is reported as not checked.
    fn take(&mut self, rule: &'static Rule, host: Option<&str>, check: impl FnOnce(&mut Report)) {
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
        let findings = report.findings.into_iter().map(|mut finding| {
            finding.rule = rule.id;
            finding
        });
        self.findings.extend(findings);
        let not_checked = report.not_checked.into_iter();
        self.not_checked
            .extend(not_checked.map(|(host, reason)| NotChecked {
                host,
                source: rule.id.to_owned(),
                reason,
            }));
    }
}
