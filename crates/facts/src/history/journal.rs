//! Entries of the journal (see [`crate::unit::journal`]) as traces.

use super::message::classify;
use super::{Trace, What};
use crate::unit::journal::Record;

/// What these entries tell of a guest and its host.
pub fn traces(records: &[Record], guest: &str) -> Vec<Trace> {
    let one = |record: &Record| {
        let message = record.field("MESSAGE")?;
        let kernel = record.field("_TRANSPORT") == Some("kernel");
        let identifier = if kernel {
            "kernel"
        } else {
            record
                .field("SYSLOG_IDENTIFIER")
                .or_else(|| record.field("_COMM"))?
        };
        let pid = record.field("SYSLOG_PID").or_else(|| record.field("_PID"));
        let what = match record.field("_TRANSPORT") {
            Some("audit") => super::audit::record(message, guest),
            _ => classify(identifier, pid, message, guest),
        }?;
        let by = pid.filter(|_| !kernel).map_or_else(
            || format!("journal:{identifier}"),
            |pid| format!("journal:{identifier}[{pid}]"),
        );
        Some(Trace::of_record(record.realtime()?, what, &by, message))
    };
    records.iter().filter_map(one).collect()
}

/// The boots that journalctl lists: when each began, and its last sign of life. The running boot
/// (index 0) has no last sign yet.
pub fn boots(listed: &[crate::unit::boot::Listed]) -> Vec<Trace> {
    let mut traces = Vec::new();
    for boot in listed {
        let text = format!("boot {} ({})", boot.index, boot.boot_id);
        if let Some(at) = boot.first_entry {
            traces.push(Trace::of_record(
                at,
                What::HostBooted,
                "journalctl --list-boots",
                &text,
            ));
        }
        if let Some(at) = boot.last_entry.filter(|_| boot.index != 0) {
            traces.push(Trace::of_record(
                at,
                What::HostLast,
                "journalctl --list-boots",
                &text,
            ));
        }
    }
    traces
}
