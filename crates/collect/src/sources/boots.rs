//! Earlier boots from the journal: which entered emergency or rescue mode.

use crate::command::{self, CommandError};
use crate::{HostReader, Options};
use facts::unit::boot::{self, Listed};
use facts::unit::journal;
use facts::{Snapshot, Source};

/// How many boots are looked at, the newest ones.
const BOOTS: usize = 5;

/// Where a persistent journal lies (systemd-journald.service(8)).
const JOURNAL: &str = "/var/log/journal";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    let directory = if reader.live() {
        None
    } else {
        // An empty directory holds no boots: journalctl would say so in many words.
        let Some(path) = reader
            .list(JOURNAL)
            .ok()
            .filter(|names| !names.is_empty())
            .and_then(|_| reader.path_here(JOURNAL))
        else {
            snapshot.not_read(Source::Boots, "no var/log/journal in this tree");
            return;
        };
        Some(path.to_string_lossy().into_owned())
    };
    match boots(directory.as_deref(), options) {
        Ok(listed) if listed.is_empty() => {
            snapshot.not_read(Source::Boots, "the journal holds no boot");
        }
        Ok(listed) => {
            for entry in listed {
                one(directory.as_deref(), options, &entry, snapshot);
            }
        }
        Err(reason) => snapshot.not_read(Source::Boots, reason),
    }
}

/// Runs journalctl on the right journal. Some exit 1 where there is no entry; what they print
/// counts.
pub(super) fn journalctl(
    directory: Option<&str>,
    args: &[&str],
    options: &Options,
) -> Result<String, CommandError> {
    let place = directory.map(|d| format!("--directory={d}"));
    let mut all = vec!["--no-pager", "--quiet"];
    all.extend(place.as_deref());
    all.extend(args);
    let done = command::run("journalctl", &all, &[], options.deadline)?;
    if !done.status.success() && !done.stderr.is_empty() && done.stdout.is_empty() {
        return Err(CommandError::Failed {
            line: format!("journalctl {}", all.join(" ")),
            status: done.status,
            stderr: done.stderr,
        });
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The newest boots, newest first.
fn boots(directory: Option<&str>, options: &Options) -> Result<Vec<Listed>, String> {
    let text = journalctl(directory, &["--list-boots", "--output=json"], options)
        .map_err(|error| words(&error))?;
    let parsed = if text.trim_start().starts_with('[') {
        boot::parse_list(&text)
    } else {
        // systemd before 252 knows no JSON here.
        boot::parse_plain_list(&text)
    };
    let mut listed = parsed.map_err(|error| format!("journalctl --list-boots:{error}"))?;
    listed.sort_by_key(|b| std::cmp::Reverse(b.index));
    listed.truncate(BOOTS);
    Ok(listed)
}

fn one(directory: Option<&str>, options: &Options, listed: &Listed, snapshot: &mut Snapshot) {
    let id = format!("_BOOT_ID={}", listed.boot_id);
    // Conditions on one field are alternatives; they come from PID 1 and are few.
    let args = [
        "--output=json",
        "--lines=100",
        &id,
        "_PID=1",
        "UNIT=emergency.service",
        "UNIT=emergency.target",
        "UNIT=rescue.service",
        "UNIT=rescue.target",
    ];
    let records = journalctl(directory, &args, options)
        .map_err(|error| words(&error))
        .and_then(|text| journal::parse(&text).map_err(|e| format!("journalctl:{e}")));
    match records {
        Ok(records) => {
            let began = listed.first_entry.and_then(rfc3339);
            let mode = boot::mode_of(&records);
            snapshot.boots.push(boot::boot(listed, began, mode));
        }
        Err(reason) => snapshot.item_not_read(Source::Boots, &listed.boot_id, reason),
    }
}

/// Microseconds since 1970 in the snapshot's form.
pub(super) fn rfc3339(microseconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(microseconds).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The error with its cause, for a person.
pub(super) fn words(error: &CommandError) -> String {
    match error {
        CommandError::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "no journalctl on this machine".to_owned()
        }
        CommandError::Start { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}
