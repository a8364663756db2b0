//! An audit as Markdown, for a ticket or a report.

use super::output;
use rules::{Audit, Finding};
use std::io::{self, Write};

/// Prints an audit.
///
/// # Errors
/// Standard output cannot be written.
pub fn audit(audit: &Audit) -> io::Result<()> {
    output::stdout().write_all(text(audit).as_bytes())
}

fn text(audit: &Audit) -> String {
    let mut text = format!("# nofail audit of {}\n", audit.hosts.join(", "));
    let mut host = None;
    for finding in &audit.findings {
        if host != Some(&finding.host) {
            host = Some(&finding.host);
            text.push_str(&format!("\n## {}\n", escape(&finding.host)));
        }
        text.push_str(&section(finding));
    }
    if audit.findings.is_empty() {
        text.push_str("\nNothing found.\n");
    }
    if !audit.not_checked.is_empty() {
        text.push_str("\n## Not checked\n\n");
        for not in &audit.not_checked {
            text.push_str(&format!(
                "- {}: {}: {}\n",
                escape(&not.host),
                escape(&not.source),
                escape(&not.reason)
            ));
        }
    }
    text
}

fn section(finding: &Finding) -> String {
    let mut text = format!(
        "\n### {}: {}\n\n`{}` {}\n",
        finding.severity.name(),
        escape(&finding.message),
        finding.rule,
        if finding.consequence.is_empty() {
            String::new()
        } else {
            format!("{}.", escape(&finding.consequence))
        }
    );
    for evidence in &finding.evidence {
        let line = evidence.line.map_or_else(String::new, |l| format!(":{l}"));
        text.push_str(&format!("\n{}{line}\n", escape(&evidence.file)));
        if let Some(excerpt) = &evidence.text {
            text.push_str(&format!(
                "\n~~~\n{}\n~~~\n",
                excerpt.replace("~~~", "~ ~ ~")
            ));
        }
    }
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("\n**Remedy:** {}\n", escape(fix)));
    }
    text
}

/// Text of the outside world must not become markup.
fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = matches!(c, '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '|' | '#');
            escaped.then_some('\\').into_iter().chain([c])
        })
        .collect()
}
