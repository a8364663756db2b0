//! The audit, now and then, in a child of its own (it needs much more memory than the watch, for
//! a moment): new findings, findings that are gone, and its age.

use super::{IDLE, Pulse, Source, SourceError};
use crate::daemon::Context;
use crate::event::{Evidence, Kind, Severity};
use collect::command;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

/// The source.
pub const SOURCE: Source = Source {
    name: "audit",
    silent_after: |_| DEADLINE + IDLE * 3,
    run,
};

/// One audit, with every time-out that it may meet.
const DEADLINE: Duration = Duration::from_secs(300);
/// The last audit's findings and time.
const LAST: &str = "audit.last";

#[derive(Default, Serialize, Deserialize)]
struct Last {
    time: i64,
    findings: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Report {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    rule: String,
    severity: String,
    subject: String,
    message: String,
    evidence: Vec<Evidence>,
}

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let hours = context.settings.audit.interval_hours;
    if hours == 0 {
        return Err(SourceError::Absent("the settings want no audits".into()));
    }
    let first = Duration::from_secs(context.settings.audit.after_start_seconds);
    let interval = SignedDuration::from_hours(i64::try_from(hours).unwrap_or(i64::MAX / 3_600));
    let mut last: Last = context
        .state(LAST)
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut failures = 0_u32;
    super::rest(pulse, first);
    loop {
        let done = Timestamp::from_second(last.time).unwrap_or_default();
        let age = Timestamp::now().duration_since(done);
        gauges(context, &last);
        if age < interval {
            super::rest(pulse, IDLE);
            continue;
        }
        if last.time > 0 && age > interval * 2 {
            let message = format!("the last audit is {} hours old", age.as_hours());
            context.tell_once(context.event("audit", Kind::AuditOld, "audit", message));
        }
        pulse.beat();
        match audit() {
            Ok(report) => {
                failures = 0;
                compare(context, &mut last, report);
            }
            Err(error) if failures < 2 => {
                failures += 1;
                eprintln!("nofail: audit: {error:?}");
                super::rest(pulse, first);
            }
            Err(error) => return Err(error),
        }
    }
}

fn audit() -> Result<Report, SourceError> {
    let failed = |e: &dyn std::error::Error| SourceError::failed("the audit", e);
    let done = command::run(
        "/proc/self/exe",
        &["audit", "--format", "json"],
        &[],
        DEADLINE,
    )
    .map_err(|e| failed(&e))?;
    serde_json::from_slice(&done.stdout)
        .map_err(|e| SourceError::Failed(format!("the audit: {e}: {}", done.stderr)))
}

fn gauges(context: &Context, last: &Last) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds and a number of findings"
    )]
    {
        context
            .gauges
            .set("nofail_audit_timestamp_seconds", &[], last.time as f64);
        context
            .gauges
            .set("nofail_audit_findings", &[], last.findings.len() as f64);
    }
}

fn compare(context: &Context, last: &mut Last, report: Report) {
    let first = last.time == 0;
    let mut findings = BTreeMap::new();
    for finding in report.findings {
        let key = format!("{} {}", finding.rule, finding.subject);
        if findings
            .insert(key.clone(), finding.message.clone())
            .is_some()
            || last.findings.contains_key(&key)
        {
            continue;
        }
        let mut event = context.event("audit", Kind::FindingNew, &key, finding.message);
        event.severity = match finding.severity.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => Severity::Info,
        };
        // The first audit's findings are no news: they are the state of things.
        if first {
            event.severity = Severity::Info;
        }
        event.evidence = finding.evidence;
        context.tell_once(event);
    }
    let gone: BTreeSet<&String> = last
        .findings
        .keys()
        .filter(|key| !findings.contains_key(*key))
        .collect();
    for key in gone {
        context.tell(context.event(
            "audit",
            Kind::FindingGone,
            key,
            "the audit no longer finds it",
        ));
    }
    *last = Last {
        time: Timestamp::now().as_second(),
        findings,
    };
    let message = format!("an audit was done: {} findings", last.findings.len());
    let state = serde_json::to_string(last).unwrap_or_default();
    context.tell_with(
        vec![context.event("audit", Kind::AuditDone, "audit", message)],
        vec![(LAST.into(), state)],
    );
}
