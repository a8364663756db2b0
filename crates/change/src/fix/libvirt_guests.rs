//! libvirt-guests, which shuts guests down before the host goes: enabled, and told to shut down.

use super::{Case, Remedy};
use crate::plan::{Act, Again, Command, Probe, Run};
use crate::state::{Meta, State};

const UNIT: &str = "libvirt-guests.service";

/// Where its settings stand (Fedora, RHEL and SUSE; Debian and Ubuntu).
const FILES: [&str; 2] = [
    "/etc/sysconfig/libvirt-guests",
    "/etc/default/libvirt-guests",
];

/// Enabled, and not told to ignore the guests.
pub(super) fn on(case: &Case<'_>) -> Remedy {
    let mut acts = Vec::new();
    if case.host.daemons.guests_enabled == Some(false) {
        match enable(case) {
            Ok(act) => acts.push(act),
            Err(why) => return Remedy::Refused(why),
        }
    }
    let ignored = setting(case).is_some_and(|value| value == "ignore");
    if ignored {
        match settings(case) {
            Ok(act) => acts.push(act),
            Err(why) => return Remedy::Refused(why),
        }
    }
    Remedy::Do { acts, safe: true }
}

/// Shuts down instead of saving what does not fit. Asked for: a guest's memory is then not kept.
pub(super) fn shutdown(case: &Case<'_>) -> Remedy {
    match settings(case) {
        Ok(act) => Remedy::Do {
            acts: vec![act],
            safe: false,
        },
        Err(why) => Remedy::Refused(why),
    }
}

fn setting<'a>(case: &Case<'a>) -> Option<&'a str> {
    let settings = case.host.daemons.guests_settings.iter().rev();
    let mut named = settings.filter(|s| s.name == "ON_SHUTDOWN");
    named.next().map(|s| s.value.as_str())
}

/// `ON_SHUTDOWN=shutdown` in place of the line that counts, or behind the last one.
fn settings(case: &Case<'_>) -> Result<Act, String> {
    let there = case.host.daemons.guests_file.as_deref();
    let path = there
        .or_else(|| {
            FILES.into_iter().find(|f| {
                let folder = f.rsplit_once('/').map_or("/", |(folder, _)| folder);
                case.reader.stat(folder).is_ok()
            })
        })
        .ok_or("neither /etc/sysconfig nor /etc/default is there")?;
    let old = match there {
        Some(path) => case.text(path)?,
        None => String::new(),
    };
    let is_setting = |line: &&str| {
        let line = line.trim_start();
        line.strip_prefix("ON_SHUTDOWN")
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    let wanted = "ON_SHUTDOWN=shutdown".to_owned();
    match old
        .lines()
        .enumerate()
        .filter(|(_, line)| is_setting(line))
        .last()
    {
        Some((index, _)) => lines[index] = wanted,
        None => lines.push(wanted),
    }
    Ok(Act::Write {
        path: path.to_owned(),
        content: format!("{}\n", lines.join("\n")).into_bytes(),
        mode: 0o644,
    })
}

/// Enabled and started: only a started unit does something at shutdown. Starting it does nothing
/// to guests that run; the undo therefore disables and does not stop it.
fn enable(case: &Case<'_>) -> Result<Act, String> {
    let unit = ["/etc", "/usr/lib", "/lib"]
        .iter()
        .map(|place| format!("{place}/systemd/system/{UNIT}"))
        .find(|path| case.reader.stat(path).is_ok())
        .ok_or_else(|| format!("{UNIT} is not installed"))?;
    let text = case.text(&unit)?;
    let target = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("WantedBy="))
        .find_map(|targets| targets.split_ascii_whitespace().next())
        .unwrap_or("multi-user.target");
    let link = format!("/etc/systemd/system/{target}.wants/{UNIT}");
    if !case.runs("systemctl") {
        return Ok(Act::Link {
            path: link,
            target: unit,
        });
    }
    let after = State::Link {
        target: unit,
        meta: Meta::default(),
    };
    Ok(Act::Run(Run {
        command: Command::new(["systemctl", "enable", "--now", UNIT]),
        before: vec![Probe::Path {
            path: link.clone(),
            state: State::Absent,
        }],
        after: vec![Probe::Path {
            path: link,
            state: after,
        }],
        undo: Again::By(vec![Command::new(["systemctl", "disable", UNIT])]),
        seconds: 60,
        ..Run::default()
    }))
}
