//! `nofail.audit/1`.

use facts::Evidence;
use serde::{Serialize, Serializer};

/// The document. Each entry is made as it is written: a large site has millions.
#[derive(Debug, Serialize)]
pub struct Audit<'a> {
    schema: &'static str,
    hosts: &'a [String],
    #[serde(serialize_with = "findings")]
    findings: &'a [rules::Finding],
    #[serde(serialize_with = "not_checked")]
    not_checked: &'a [rules::NotChecked],
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    severity: &'a str,
    host: &'a str,
    subject: &'a str,
    message: String,
    evidence: &'a [Evidence],
    fix: Option<&'a str>,
}

#[derive(Serialize)]
struct NotChecked<'a> {
    host: &'a str,
    source: &'a str,
    reason: &'a str,
}

fn findings<S: Serializer>(findings: &&[rules::Finding], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(findings.iter().map(|finding| Finding {
        rule: finding.rule,
        severity: finding.severity.name(),
        host: &finding.host,
        subject: &finding.subject,
        message: finding.full_message(),
        evidence: &finding.evidence,
        fix: finding.fix.as_deref(),
    }))
}

fn not_checked<S: Serializer>(gaps: &&[rules::NotChecked], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(gaps.iter().map(|gap| NotChecked {
        host: &gap.host,
        source: &gap.source,
        reason: &gap.reason,
    }))
}

impl<'a> From<&'a rules::Audit> for Audit<'a> {
    fn from(audit: &'a rules::Audit) -> Self {
        Self {
            schema: "nofail.audit/1",
            hosts: &audit.hosts,
            findings: &audit.findings,
            not_checked: &audit.not_checked,
        }
    }
}
