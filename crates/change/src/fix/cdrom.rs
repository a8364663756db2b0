//! `startupPolicy='optional'` for a CD-ROM or floppy on the NAS: the guest then starts with an
//! empty drive where the file cannot be reached (libvirt's "Domain XML format", `startupPolicy`).

use super::{Case, Remedy, write};
use crate::plan::{Act, Again, Command, Probe, Run};
use crate::show;
use crate::state::{Bytes, Meta, State};

/// Makes the medium optional in the persistent definition.
pub(super) fn optional(case: &Case<'_>) -> Remedy {
    let done = || -> Result<Remedy, String> {
        let name = &case.finding.subject;
        let guest = case.host.guests.iter().find(|g| &g.name == name);
        let guest = guest.ok_or_else(|| format!("{name} is no guest that was read"))?;
        let line = case.finding.evidence.first().and_then(|e| e.line);
        let disk = guest
            .disks
            .iter()
            .find(|disk| Some(disk.source_line) == line || Some(disk.line) == line)
            .ok_or("the finding names no drive of the definition")?;
        let old = case.text(&guest.file)?;
        let new = edit(&old, disk.source_line)?;
        if !case.runs("virsh") {
            return Ok(write(&guest.file, &old, new, true));
        }
        Ok(define(&guest.file, &old, &new))
    };
    done().unwrap_or_else(Remedy::Refused)
}

/// The definition with the attribute in the `<source>` that begins on a line.
fn edit(text: &str, line: u32) -> Result<String, String> {
    let nothing = || format!("line {line} holds no <source>");
    let index = usize::try_from(line).unwrap_or(0).checked_sub(1);
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let found = index.and_then(|i| lines.get_mut(i)).ok_or_else(nothing)?;
    let start = found.find("<source").ok_or_else(nothing)? + "<source".len();
    let (head, tag) = found.split_at(start);
    for quote in ['\'', '"'] {
        let key = format!("startupPolicy={quote}");
        if let Some((before, rest)) = tag.split_once(&key) {
            let (_, after) = rest.split_once(quote).ok_or_else(nothing)?;
            *found = format!("{head}{before}{key}optional{quote}{after}");
            return Ok(lines.join("\n"));
        }
    }
    *found = format!("{head} startupPolicy='optional'{tag}");
    Ok(lines.join("\n"))
}

/// Through libvirt, which keeps the definition in memory: `virsh define`, with the old definition
/// as the way back. The running guest does not notice.
fn define(file: &str, old: &str, new: &str) -> Remedy {
    let state = |text: &str| State::File {
        content: Bytes::from(text),
        meta: Meta::default(),
    };
    let command = |text: &str| Command {
        input: Some(text.to_owned()),
        ..Command::new(["virsh", "define", "/dev/stdin"])
    };
    let optional = "startupPolicy='optional'";
    let times = |more| Probe::Times {
        path: file.to_owned(),
        text: optional.to_owned(),
        times: old.matches(optional).count() + more,
    };
    let run = Run {
        command: command(new),
        shows: Some(show::change(file, &state(old), &state(new))),
        before: vec![times(0)],
        after: vec![times(1)],
        leaves: [(file.to_owned(), Bytes::from(new))].into(),
        undo: Again::By(vec![command(old)]),
        seconds: 30,
        ..Run::default()
    };
    Remedy::Do {
        acts: vec![Act::Run(run)],
        safe: true,
    }
}
