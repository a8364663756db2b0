//! SARIF 2.1.0 (OASIS), for services that show findings beside code.

use rules::{Finding, Severity, registry};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The log: one run, its rules with their pages, its results, and what was not checked as
/// notifications of the tool's execution.
pub fn log(audit: &rules::Audit) -> Value {
    let used: BTreeSet<&str> = audit.findings.iter().map(|f| f.rule).collect();
    let rules: Vec<&rules::Rule> = registry::ALL
        .iter()
        .copied()
        .filter(|r| used.contains(r.id))
        .collect();
    let index = |id: &str| rules.iter().position(|r| r.id == id);
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "nofail",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| json!({
                    "id": rule.id,
                    "shortDescription": {"text": rule.summary},
                    "help": {"text": rule.doc, "markdown": rule.doc},
                })).collect::<Vec<_>>(),
            }},
            "results": audit.findings.iter().map(|f| result(f, index(f.rule))).collect::<Vec<_>>(),
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": audit.not_checked.iter().map(|n| json!({
                    "level": "note",
                    "message": {"text": format!("not checked: {} on {}: {}", n.source, n.host, n.reason)},
                })).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn result(finding: &Finding, rule: Option<usize>) -> Value {
    let mut text = finding.full_message();
    if let Some(fix) = &finding.fix {
        text = format!("{text}. Remedy: {fix}");
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        },
        "message": {"text": text},
        "locations": finding.evidence.iter().take(1).map(|e| location(finding, e)).collect::<Vec<_>>(),
        "relatedLocations": finding.evidence.iter().skip(1).map(|e| location(finding, e)).collect::<Vec<_>>(),
        "partialFingerprints": {
            "nofail/1": format!("{}:{}:{}", finding.host, finding.rule, finding.subject),
        },
        "properties": {"host": finding.host, "subject": finding.subject},
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    result
}

fn location(finding: &Finding, evidence: &facts::Evidence) -> Value {
    let mut place = json!({"artifactLocation": {"uri": uri(&finding.host, &evidence.file)}});
    // What was measured stands in no line; consumers want a region all the same.
    let line = evidence.line.unwrap_or(1);
    let mut region = json!({"startLine": line, "endLine": line});
    if let Some(column) = evidence.column {
        region["startColumn"] = json!(column);
        region["endColumn"] = json!(column + evidence.width.max(1));
    }
    if let Some(text) = &evidence.text {
        region["snippet"] = json!({"text": text});
    }
    place["region"] = region;
    json!({
        "physicalLocation": place,
        "message": {"text": evidence.text.as_deref().unwrap_or(&evidence.file)},
        "logicalLocations": [{"fullyQualifiedName": format!("{}/{}", finding.host, finding.subject)}],
    })
}

/// A relative URI of a file on a host: `kvm-01/etc/fstab`, with what RFC 3986 does not allow in
/// a path percent-encoded.
fn uri(host: &str, file: &str) -> String {
    let path = format!("{host}/{}", file.trim_start_matches('/'));
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
