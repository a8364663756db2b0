//! An audit for a person: by host, the worst first, the offending line with its place marked.

use super::output;
use super::style::{Style, colour, paint};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use facts::Evidence;
use rayon::prelude::*;
use rules::{Audit, Finding, NotChecked, Severity};
use std::io::{self, BufWriter, Write};

/// Hosts that are rendered before anything of them is written.
const AT_ONCE: usize = 64;

/// Prints an audit, some hosts at a time: the whole text of a large site is large.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(audit: &Audit) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, output::stdout());
    let colour = colour();
    let hosts: Vec<&[Finding]> = audit.findings.chunk_by(|a, b| a.host == b.host).collect();
    for some in hosts.chunks(AT_ONCE) {
        let texts: Vec<String> = some.par_iter().map(|host| of_host(host, colour)).collect();
        for text in texts {
            out.write_all(text.as_bytes())?;
        }
    }
    if !audit.not_checked.is_empty() {
        writeln!(out, "{}", paint(Style::Bold, "── not checked ──"))?;
        for alike in audit
            .not_checked
            .chunk_by(|a, b| a.host == b.host && a.source == b.source)
        {
            not_checked(alike, &mut out)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(audit))?;
    out.flush()
}

fn of_host(findings: &[Finding], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = String::new();
    if let Some(first) = findings.first() {
        text.push_str(&paint(Style::Bold, &format!("── {} ──", first.host)));
        text.push_str("\n\n");
    }
    for finding in findings {
        text.push_str(&render(finding, &renderer));
        text.push_str("\n\n");
    }
    text
}

/// How many lines of one host and source are shown.
const NOT_CHECKED_SHOWN: usize = 8;

/// What of one host's source was not checked: a thousand images without a header are one thing to
/// a person.
fn not_checked(alike: &[NotChecked], out: &mut impl Write) -> io::Result<()> {
    // Folding one line would save none.
    let shown = if alike.len() <= NOT_CHECKED_SHOWN + 1 {
        alike.len()
    } else {
        NOT_CHECKED_SHOWN
    };
    for not in &alike[..shown] {
        writeln!(out, "  {}: {}: {}", not.host, not.source, not.reason)?;
    }
    if let (Some(not), more @ 1..) = (alike.first(), alike.len() - shown) {
        writeln!(
            out,
            "  {}: {}: and {more} more (--format json has all)",
            not.host, not.source
        )?;
    }
    Ok(())
}

fn render(finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let message = clean(&finding.message);
    let title = level
        .clone()
        .primary_title(message.as_str())
        .id(finding.rule);
    let mut group = Group::with_title(title);
    let places: Vec<Place> = finding.evidence.iter().map(Place::of).collect();
    let mut measured: Vec<&Place> = Vec::new();
    for (place, kind) in places.iter().zip(
        std::iter::once(AnnotationKind::Primary).chain(std::iter::repeat(AnnotationKind::Context)),
    ) {
        let Some(line) = place.line else {
            measured.push(place);
            continue;
        };
        let mut snippet = Snippet::source(place.text.as_str())
            .path(place.file.as_str())
            .line_start(line)
            .fold(false);
        if let Some(span) = place.span.clone() {
            snippet = snippet.annotation(kind.span(span));
        }
        group = group.element(snippet);
    }
    // What was measured stands in no line of a file.
    let measured: Vec<String> = measured.iter().map(|p| p.measured()).collect();
    for seen in &measured {
        group = group.element(Level::NOTE.with_name("seen").message(seen.as_str()));
    }
    let consequence = clean(&finding.consequence);
    if !consequence.is_empty() {
        group = group.element(Level::NOTE.message(consequence.as_str()));
    }
    let fix = clean(finding.fix.as_deref().unwrap_or(""));
    if !fix.is_empty() {
        group = group.element(Level::HELP.message(fix.as_str()));
    }
    renderer.render(&[group]).to_string()
}

/// One piece of evidence as the renderer wants it.
struct Place {
    file: String,
    text: String,
    /// `None` for what was measured.
    line: Option<usize>,
    span: Option<std::ops::Range<usize>>,
}

impl Place {
    fn measured(&self) -> String {
        if self.text.is_empty() {
            return self.file.clone();
        }
        format!("{}: {}", self.file, self.text.trim())
    }

    fn of(evidence: &Evidence) -> Self {
        let text = clean(evidence.text.as_deref().unwrap_or(""));
        let span = evidence.column.map(|column| {
            let offset = |characters: usize| {
                text.char_indices()
                    .nth(characters)
                    .map_or(text.len(), |(at, _)| at)
            };
            let first = usize::try_from(column).unwrap_or(1).saturating_sub(1);
            let width = usize::try_from(evidence.width.max(1)).unwrap_or(1);
            offset(first)..offset(first + width)
        });
        Self {
            file: clean(&evidence.file),
            line: evidence
                .line
                .filter(|_| evidence.text.is_some())
                .and_then(|l| usize::try_from(l).ok()),
            span: span.filter(|s| !s.is_empty()),
            text,
        }
    }
}

/// What was read may hold anything: control characters never reach the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\n' => '\n',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn summary(audit: &Audit) -> String {
    let count = |severity| {
        audit
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    let plural = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let hosts = plural(audit.hosts.len(), "host");
    let mut parts = Vec::new();
    for (severity, name, style) in [
        (Severity::Error, "error", Style::Red),
        (Severity::Warning, "warning", Style::Yellow),
        (Severity::Info, "note", Style::Dim),
    ] {
        let n = count(severity);
        if n > 0 {
            parts.push(paint(style, &plural(n, name)));
        }
    }
    if parts.is_empty() {
        parts.push(paint(Style::Green, "nothing found"));
    }
    let mut text = format!("{hosts}: {}", parts.join(", "));
    if !audit.not_checked.is_empty() {
        text.push_str(&format!("; {} not checked", audit.not_checked.len()));
    }
    text
}
