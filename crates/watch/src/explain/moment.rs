//! When a guest went down, and how libvirt's log has it.

use super::{Case, SECOND};
use facts::history::{Trace, What};

/// How the log of the guest ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// libvirt wrote a reason.
    Reason(String),
    /// It started, and nothing tells of its end: neither libvirt nor QEMU lived to write it.
    Silent,
    /// It did not end: it is paused, for this reason.
    Paused(String),
}

/// The moment to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When; for a silent end the last sign of life, or the boot after it.
    pub at: i64,
    /// It cannot have been earlier.
    pub earliest: i64,
    /// How it ended.
    pub ending: Ending,
    /// Index of the trace that tells, where one does.
    pub trace: Option<usize>,
    /// When the run began that ended so.
    pub started: Option<i64>,
}

/// One stop that libvirt noted, and one that nobody did.
fn all(case: &Case<'_>) -> Vec<Moment> {
    let traces = &case.history.traces;
    let mut moments: Vec<Moment> = Vec::new();
    let mut running: Option<i64> = None;
    for (index, trace) in traces.iter().enumerate() {
        match &trace.what {
            // Audit tells a start a moment after the log does.
            What::Started { .. } => {
                if let Some(began) = running.filter(|began| trace.at - began > 5 * SECOND)
                    && let Some(at) = silent_end(traces, began, trace.at)
                {
                    moments.push(at);
                }
                running = Some(trace.at);
            }
            What::Stopped { reason } => {
                // The audit record of the same stop.
                let again = |m: &Moment| trace.at - m.at < 3 * SECOND && m.trace.is_some();
                if running.is_some() || !moments.last().is_some_and(again) {
                    moments.push(Moment {
                        at: trace.at,
                        earliest: running.unwrap_or(trace.at),
                        ending: Ending::Reason(reason.clone()),
                        trace: Some(index),
                        started: running,
                    });
                }
                running = None;
            }
            _ => {}
        }
    }
    let off = case
        .guest
        .and_then(|g| g.state.as_deref())
        .is_some_and(|s| s == "shut-off");
    let unknown = case.guest.is_none_or(|g| g.state.is_none());
    if let Some(began) = running {
        let found = silent_end(traces, began, i64::MAX);
        match found {
            Some(moment) => moments.push(moment),
            // It runs no more, and no boot came between: QEMU ended while libvirt did not look.
            None if off => moments.push(Moment {
                at: traces.last().map_or(began, |t| t.at).max(began),
                earliest: began,
                ending: Ending::Silent,
                trace: None,
                started: Some(began),
            }),
            None if unknown => {}
            None => {}
        }
    }
    moments
}

/// The end of a run that began at `began` and of which nothing tells, where the host booted
/// before `until`: the last sign of life before that boot.
fn silent_end(traces: &[Trace], began: i64, until: i64) -> Option<Moment> {
    let boot = traces
        .iter()
        .position(|t| t.what == What::HostBooted && t.at > began && t.at < until)?;
    // The latest record before the boot: the journal's own last entry counts most.
    let last = traces[..boot]
        .iter()
        .rev()
        .find(|t| t.at >= began)
        .map_or(began, |t| t.at);
    Some(Moment {
        at: last,
        earliest: began,
        ending: Ending::Silent,
        trace: Some(boot),
        started: Some(began),
    })
}

/// The moment to be explained: a pause that lasts, else the last stop since the time asked for.
pub fn find(case: &Case<'_>) -> Option<Moment> {
    let since = case.since.unwrap_or(i64::MIN);
    if let Some(guest) = case.guest
        && guest.state.as_deref() == Some("paused")
    {
        let reason = guest.state_reason.clone().unwrap_or_default();
        let traces = &case.history.traces;
        let started = traces
            .iter()
            .rev()
            .find(|t| matches!(t.what, What::Started { .. }))
            .map(|t| t.at);
        // The status file does not tell when; an event or the kernel's error may.
        let sign = |t: &&Trace| {
            matches!(&t.what, What::Recorded { kind, .. } if kind.starts_with("guest."))
                || matches!(t.what, What::IoError { .. } | What::StorageServer { .. })
                || matches!(&t.what, What::Asked { act } if act == "suspend")
        };
        let at = traces
            .iter()
            .rev()
            .find(|t| sign(t) && started.is_none_or(|s| t.at >= s))
            .map(|t| t.at);
        return Some(Moment {
            at: at.or(started).unwrap_or(0),
            earliest: started.unwrap_or(0),
            ending: Ending::Paused(reason),
            trace: None,
            started,
        });
    }
    all(case).into_iter().rfind(|m| m.at >= since)
}

/// Every stop since the time asked for (without one: in what was read), with its reason.
pub fn stops(case: &Case<'_>) -> Vec<(i64, String)> {
    let since = case.since.unwrap_or(i64::MIN);
    let mut stops: Vec<(i64, String)> = all(case)
        .into_iter()
        .filter(|m| m.at >= since)
        .map(|m| {
            let reason = match m.ending {
                Ending::Reason(reason) => reason,
                Ending::Silent => "no word of its end".to_owned(),
                Ending::Paused(reason) => format!("paused, {reason}"),
            };
            (m.at, reason)
        })
        .collect();
    // The newest ones; a guest that is stopped every night has hundreds.
    stops.reverse();
    stops.truncate(10);
    stops
}
