//! Traces of hooks in the journal, and when the running guests were started.

use super::super::{boots, files};
use crate::{HostReader, Options};
use facts::hook::{GuestStart, trace};
use facts::unit::{journal, proc_stat};
use facts::{Snapshot, Source};

/// At most so many entries are read, the newest.
const MAX_ENTRIES: &str = "--lines=2000";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if !reader.live() {
        snapshot.not_read(Source::HookTraces, "a tree holds no running guests");
        return;
    }
    starts(reader, snapshot);
    let mut identifiers: Vec<String> = trace::IDENTIFIERS.iter().map(|i| (*i).to_owned()).collect();
    for tag in snapshot.hooks.scripts.iter().flat_map(|s| &s.log_tags) {
        identifiers.extend(trace::identifier_of_tag(tag).map(str::to_owned));
    }
    identifiers.sort();
    identifiers.dedup();
    let mut args = vec!["--output=json".to_owned(), MAX_ENTRIES.to_owned()];
    args.extend(identifiers.iter().map(|i| format!("--identifier={i}")));
    // A guest in the tag makes another identifier where the logger does not go through syslog.
    for start in &snapshot.hooks.guest_starts {
        args.push(format!("--identifier=libvirt-hook[{}]", start.guest));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let records = boots::journalctl(None, &args, options)
        .map_err(|error| boots::words(&error))
        .and_then(|text| journal::parse(&text).map_err(|e| format!("journalctl:{e}")));
    match records {
        Ok(records) => {
            let names: Vec<&str> = snapshot.guests.iter().map(|g| g.name.as_str()).collect();
            let latest = trace::latest(&records, &names, boots::rfc3339);
            snapshot.hooks.traces = latest;
            snapshot.hooks.traces_since = since(reader, options);
            if snapshot.hooks.traces_since.is_none() {
                let reason = "the journal does not reach back to the start of the host, or may not be read (run as root)";
                snapshot.item_not_read(Source::HookTraces, "journal", reason);
            }
        }
        Err(reason) => snapshot.not_read(Source::HookTraces, reason),
    }
}

/// The start of the host, where the journal still holds what happened then: it is complete from
/// there on.
fn since(reader: &dyn HostReader, options: &Options) -> Option<i64> {
    let boot = proc_stat::boot_time(&reader.text("/proc/stat").ok()?)?;
    let until = format!("--until=@{}", boot + 300);
    let args = ["--boot=0", "--lines=1", "--output=json", &until];
    let text = boots::journalctl(None, &args, options).ok()?;
    (!journal::parse(&text).ok()?.is_empty()).then_some(boot)
}

/// When each running guest's QEMU was started, by the PID files that libvirt keeps.
fn starts(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let directory = "/run/libvirt/qemu";
    let system = reader.text("/proc/stat").unwrap_or_default();
    for name in files::list(reader, directory) {
        let Some(guest) = name.strip_suffix(".pid") else {
            continue;
        };
        let Ok(pid) = reader.text(&format!("{directory}/{name}")) else {
            continue;
        };
        let stat = reader
            .text(&format!("/proc/{}/stat", pid.trim()))
            .unwrap_or_default();
        if let Some(started_at) = proc_stat::started_at(&stat, &system) {
            snapshot.hooks.guest_starts.push(GuestStart {
                guest: guest.to_owned(),
                started_at,
            });
        }
    }
}
