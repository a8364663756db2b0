//! Runs rules over an estate. A rule that breaks stops no other.

use crate::finding::{Finding, Severity};
use crate::registry;
use crate::rule::{Check, Host, Report, Rule};
use facts::{Snapshot, Source};
use model::Estate;
use rayon::prelude::*;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Which rules to run.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// IDs, or areas (`fstab`); all rules where empty.
    pub only: Vec<String>,
}

/// What was not checked, and why. A large site has millions of them, hence the lean types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotChecked {
    /// The host.
    pub host: Arc<str>,
    /// The source that was not read, or the rule that could not judge.
    pub source: Cow<'static, str>,
    /// Why.
    pub reason: Box<str>,
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
    for not in &estate.not_read {
        audit.not_checked.push(NotChecked {
            host: not.host.as_str().into(),
            source: not.source.clone().into(),
            reason: not.reason.as_str().into(),
        });
    }
    for found in on_all_hosts(estate, rules) {
        audit.findings.extend(found.findings);
        audit.not_checked.extend(found.not_checked);
    }
    // A stable sort takes the runs that are in order already as they are.
    audit.findings.sort_by(order);
    audit.findings.dedup();
    audit.not_checked.sort();
    audit.not_checked.dedup();
    audit
}

/// By host, the worst first, then by rule and subject.
fn order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    (&a.host, b.severity, a.rule, &a.subject, &a.message)
        .cmp(&(&b.host, a.severity, b.rule, &b.subject, &b.message))
}

/// What one share of the work gave.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    not_checked: Vec<NotChecked>,
}

/// Runs every rule: those that look at the whole site beside those that look at one host, which
/// are shared out host by host among the processors. The site's come first, then the hosts' in
/// their order.
fn on_all_hosts(estate: &Estate, rules: &[&'static Rule]) -> Vec<Found> {
    let needed: BTreeSet<Source> = rules.iter().flat_map(|r| r.needs).copied().collect();
    let site = || {
        let mut site = Found::default();
        for rule in rules {
            site.run_on_site(rule, estate);
        }
        site
    };
    let hosts = || -> Vec<Found> {
        let hosts = estate.hosts.par_iter();
        hosts
            .map(|host| Found::on_host(host, estate, rules, &needed))
            .collect()
    };
    let (site, hosts) = rayon::join(site, hosts);
    std::iter::once(site).chain(hosts).collect()
}

fn read(rule: &Rule, host: &Snapshot) -> bool {
    rule.needs.iter().all(|&s| host.why_unread(s).is_none())
}

impl Found {
    /// Every rule on one host. Sorted here, on every processor, so that the whole is merely merged.
    fn on_host(
        snapshot: &Snapshot,
        estate: &Estate,
        rules: &[&'static Rule],
        needed: &BTreeSet<Source>,
    ) -> Self {
        let units = OnceCell::new();
        let host = Host {
            snapshot,
            estate,
            units: &units,
        };
        let mut found = Self::default();
        for rule in rules {
            found.run_on_host(rule, &host);
        }
        found.unread(snapshot, needed);
        found.findings.sort_by(order);
        found.not_checked.sort_unstable();
        found
    }

    fn run_on_host(&mut self, rule: &'static Rule, host: &Host<'_>) {
        if let Check::Host(check) = rule.check
            && read(rule, host.snapshot)
        {
            self.take(rule, Some(host.name()), |report| check(host, report));
        }
    }

    /// What of the sources that the rules need was not read.
    fn unread(&mut self, host: &Snapshot, needed: &BTreeSet<Source>) {
        let name: Arc<str> = host.host.as_str().into();
        for unread in host.unread.iter().filter(|u| needed.contains(&u.source)) {
            self.not_checked.push(NotChecked {
                host: Arc::clone(&name),
                source: unread.source.name().into(),
                reason: match &unread.item {
                    Some(item) if !unread.reason.starts_with(item.as_str()) => {
                        format!("{item}: {}", unread.reason).into()
                    }
                    _ => unread.reason.as_str().into(),
                },
            });
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
        for (host, reason) in report.not_checked {
            let last = self.not_checked.last().map(|not| &not.host);
            let host = match last.filter(|last| ***last == *host) {
                Some(last) => Arc::clone(last),
                None => host.into(),
            };
            self.not_checked.push(NotChecked {
                host,
                source: rule.id.into(),
                reason: reason.into(),
            });
        }
    }
}
