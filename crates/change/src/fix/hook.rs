//! libvirt's hook scripts: mode, owner, label, first line. The daemon is told to look again.

use super::{Case, Remedy, write};
use crate::plan::{Act, Again, Command, Run};
use facts::hook::{HookScript, interpreter};
use rules::hook::misplaced;

fn script<'a>(case: &Case<'a>) -> Result<&'a HookScript, Remedy> {
    let path = &case.finding.subject;
    case.host
        .hooks
        .scripts
        .iter()
        .find(|script| &script.path == path)
        .ok_or_else(|| Remedy::Refused(format!("{path} is no hook that was read")))
}

/// Has the running daemons look for hooks again: they do so only when they start or reload
/// (libvirt's "Hooks for specific system management"). Guests are not touched.
fn reloaded(case: &Case<'_>, mut acts: Vec<Act>) -> Vec<Act> {
    if !case.runs("systemctl") {
        return acts;
    }
    let daemons = &case.host.daemons.running;
    for name in ["libvirtd", "virtqemud"] {
        if daemons.iter().any(|daemon| daemon.name == name) {
            acts.push(Act::Run(Run {
                command: Command::new(["systemctl", "reload", name]),
                undo: Again::Last,
                seconds: 30,
                ..Run::default()
            }));
        }
    }
    acts
}

fn attributes(
    case: &Case<'_>,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
    label: Option<String>,
    safe: bool,
) -> Remedy {
    let path = case.finding.subject.clone();
    let acts = vec![Act::Attributes {
        path,
        mode,
        owner,
        label,
    }];
    let acts = reloaded(case, acts);
    Remedy::Do { acts, safe }
}

/// To where this host's libvirt runs it. Asked for: it never ran, and would at the next start.
pub(super) fn moved(case: &Case<'_>) -> Remedy {
    let path = &case.finding.subject;
    let hooks = &case.host.hooks;
    let mut all = hooks.misplaced.iter().chain(&hooks.scripts);
    let Some(script) = all.find(|script| &script.path == path) else {
        return Remedy::Refused(format!("{path} is no hook that was read"));
    };
    let Some(place) = misplaced::place(case.host, script) else {
        return super::by_hand(case.finding);
    };
    let content = match case.reader.read(path) {
        Ok(content) => content,
        Err(error) => return Remedy::Refused(format!("{path} cannot be read: {error}")),
    };
    let mut acts = vec![Act::Write {
        path: place,
        content,
        mode: 0o755,
    }];
    // A package's own file stays.
    if !path.starts_with("/usr/share/") && !path.starts_with("/usr/lib") {
        acts.push(Act::Remove { path: path.clone() });
    }
    Remedy::Do {
        acts: reloaded(case, acts),
        safe: false,
    }
}

/// 0755, as libvirt's own documentation has it; rights to write of others do not grow.
pub(super) fn executable(case: &Case<'_>) -> Remedy {
    match script(case) {
        Ok(script) => attributes(case, Some(script.mode | 0o755), None, None, true),
        Err(refused) => refused,
    }
}

/// Root's alone.
pub(super) fn owner(case: &Case<'_>) -> Remedy {
    let directories = &case.host.hooks.directories;
    if directories.iter().any(|d| d.path == case.finding.subject) {
        // More than hooks may hang on a directory's rights.
        return Remedy::ByHand(case.finding.fix.iter().cloned().collect());
    }
    match script(case) {
        Ok(script) => attributes(case, Some(script.mode & !0o022), Some((0, 0)), None, false),
        Err(refused) => refused,
    }
}

/// The type that the policy gives to hooks; user, role and level stay.
pub(super) fn label(case: &Case<'_>) -> Remedy {
    let script = match script(case) {
        Ok(script) => script,
        Err(refused) => return refused,
    };
    let hooks = &case.host.hooks;
    let wanted = hooks
        .policy_type
        .known()
        .map_or("virt_hook_t", String::as_str);
    let label = match script
        .label
        .known()
        .map(|l| l.splitn(4, ':').collect::<Vec<_>>())
    {
        Some(parts) if parts.len() >= 3 => {
            let level = parts.get(3).map_or(String::new(), |l| format!(":{l}"));
            format!("{}:{}:{wanted}{level}", parts[0], parts[1])
        }
        _ => format!("system_u:object_r:{wanted}:s0"),
    };
    attributes(case, None, None, Some(label), true)
}

/// The first line: carriage returns out, an interpreter of the same name that is there, or
/// `#!/bin/sh`. Asked for: the script may have other faults of the same origin.
pub(super) fn interpreter(case: &Case<'_>) -> Remedy {
    let script = match script(case) {
        Ok(script) => script,
        Err(refused) => return refused,
    };
    let old = match case.text(&script.path) {
        Ok(text) => text,
        Err(why) => return Remedy::Refused(why),
    };
    let new = if script.crlf {
        old.replace("\r\n", "\n")
    } else {
        let first = old.lines().next().unwrap_or_default();
        match interpreter::parse(first) {
            _ if !first.starts_with("#!") => format!("#!/bin/sh\n{old}"),
            Some(parsed) if parsed.through_env.is_none() => {
                let base = parsed.program.rsplit('/').next().unwrap_or_default();
                let there = ["/bin", "/usr/bin", "/usr/local/bin"]
                    .iter()
                    .map(|place| format!("{place}/{base}"))
                    .find(|path| case.reader.stat(path).is_ok_and(|s| s.mode & 0o111 != 0));
                let Some(there) = there else {
                    return super::by_hand(case.finding);
                };
                old.replacen(&parsed.program, &there, 1)
            }
            _ => return super::by_hand(case.finding),
        }
    };
    match write(&script.path, &old, new, false) {
        Remedy::Do { acts, safe } => Remedy::Do {
            acts: reloaded(case, acts),
            safe,
        },
        other => other,
    }
}
