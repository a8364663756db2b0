//! `nofail.audit/1`.

use facts::Evidence;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Audit<'a> {
    schema: &'static str,
    hosts: &'a [String],
    findings: Vec<Finding<'a>>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Finding<'a> {
    rule: &'a str,
    severity: &'a str,
    host: &'a str,
    subject: &'a str,
    message: String,
    evidence: &'a [Evidence],
    fix: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct NotChecked<'a> {
    host: &'a str,
    source: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a rules::Audit> for Audit<'a> {
    fn from(audit: &'a rules::Audit) -> Self {
        Self {
            schema: "nofail.audit/1",
            hosts: &audit.hosts,
            findings: audit
                .findings
                .iter()
                .map(|finding| Finding {
                    rule: finding.rule,
                    severity: finding.severity.name(),
                    host: &finding.host,
                    subject: &finding.subject,
                    message: finding.full_message(),
                    evidence: &finding.evidence,
                    fix: finding.fix.as_deref(),
                })
                .collect(),
            not_checked: audit
                .not_checked
                .iter()
                .map(|n| NotChecked {
                    host: &n.host,
                    source: &n.source,
                    reason: &n.reason,
                })
                .collect(),
        }
    }
}
