//! `nofail.triage/1`.

use crate::cli::triage::Found;
use facts::Known;
use serde::Serialize;
use watch::triage;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    host: &'a str,
    guest: &'a str,
    ailment: &'static str,
    summary: &'a str,
    checks: Vec<Check<'a>>,
    steps: Vec<Step<'a>>,
    not: Vec<Not<'a>>,
    threads: Vec<Thread<'a>>,
    console: Option<&'a [String]>,
    log: &'a [String],
    events: Vec<Event<'a>>,
    not_checked: Vec<NotChecked<'a>>,
}

#[derive(Debug, Serialize)]
struct Check<'a> {
    check: &'static str,
    finding: &'static str,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    command: &'a str,
    harm: &'static str,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct Not<'a> {
    what: &'a str,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct Thread<'a> {
    name: &'a str,
    state: char,
    cpu_percent: f64,
    waits_in: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    time: &'a str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct NotChecked<'a> {
    source: &'a str,
    reason: &'a str,
}

impl<'a> Document<'a> {
    /// Of what was found.
    pub fn of(found: &'a Found) -> Self {
        let report = &found.report;
        let check = |c: &'a triage::Check| Check {
            check: c.name,
            finding: c.finding.name(),
            text: &c.text,
        };
        let step = |s: &'a triage::Step| Step {
            command: &s.command,
            harm: s.harm.name(),
            why: &s.why,
        };
        let thread = |t: &'a facts::vitals::Thread| Thread {
            name: &t.name,
            state: t.state,
            cpu_percent: (t.cpu * 10.0).round() / 10.0,
            waits_in: t.waits_in.as_deref(),
        };
        let threads = found.vitals.process.known().map(|p| p.threads.as_slice());
        Self {
            schema: "nofail.triage/1",
            host: &found.host,
            guest: &found.guest,
            ailment: report.ailment.name(),
            summary: &report.summary,
            checks: report.checks.iter().map(check).collect(),
            steps: report.steps.iter().map(step).collect(),
            not: report
                .not
                .iter()
                .map(|(what, why)| Not { what, why })
                .collect(),
            threads: threads.unwrap_or_default().iter().map(thread).collect(),
            console: match &found.vitals.console {
                Known::Known(lines) => Some(lines),
                _ => None,
            },
            log: &found.vitals.log,
            events: found
                .events
                .iter()
                .map(|(time, message)| Event { time, message })
                .collect(),
            not_checked: found
                .not_checked
                .iter()
                .map(|(source, reason)| NotChecked { source, reason })
                .collect(),
        }
    }
}
