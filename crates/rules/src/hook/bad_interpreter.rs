//! `hook/bad-interpreter`: a hook script that the kernel cannot start.

use super::{executable, line_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::{HookScript, interpreter};
use facts::{Known, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/bad-interpreter",
    summary: "a hook script's first line names no interpreter that is there",
    needs: &[Source::Hooks],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An executable hook script that cannot be started: it has no `#!` line, its first line ends in a
carriage return (a file written on Windows), or the interpreter is not on the host or not
executable; also when it is looked up through `env`.

## Why it matters
libvirt runs the script with execve(2), which knows no shell to fall back on. The hook then counts
as failed, and a failed hook before the start makes the start fail: with a broken
`/etc/libvirt/hooks/qemu` no guest of the host starts any more, autostart included.

## Evidence
The script's first line, and which program is missing.

## Example
    #!/usr/bin/env bash^M
    /usr/bin/env: 'bash\\r': No such file or directory

## Remedy
Write the right first line (`#!/bin/bash`), or remove the carriage returns:
`sed -i 's/\\r$//' FILE`. A person decides: the script may have other faults of the same origin.

## When to ignore it
Never, while the file is executable.

## References
execve(2), \"Interpreter scripts\"; libvirt, \"Hooks for specific system management\" (a script that
fails aborts the operation).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        if !executable(script) || script.binary || script.text.is_none() {
            continue;
        }
        if let Known::Unreadable(reason) = &script.interpreter_present
            && script.interpreter.is_some()
            && !script.crlf
        {
            report.not_checked(host.name(), format!("{}: {reason}", script.path));
            continue;
        }
        if let Some((message, fix)) = defect(script) {
            report.find(
                Finding::new(Severity::Error, host.name(), &script.path, message)
                    .consequence(consequence(&script.hook))
                    .evidence(line_evidence(script, 1))
                    .fix(fix),
            );
        }
    }
}

fn defect(script: &HookScript) -> Option<(String, String)> {
    let path = &script.path;
    let Some(line) = script.interpreter.as_deref() else {
        return Some((
            format!("{path} has no `#!` line"),
            "begin the script with the line `#!/bin/sh` or `#!/bin/bash`".to_owned(),
        ));
    };
    if script.crlf {
        return Some((
            format!("the first line of {path} ends in a carriage return"),
            format!("sed -i 's/\\r$//' {path}"),
        ));
    }
    let Some(parsed) = interpreter::parse(line) else {
        return Some((
            format!("the `#!` line of {path} names no interpreter"),
            "begin the script with the line `#!/bin/sh` or `#!/bin/bash`".to_owned(),
        ));
    };
    if script.interpreter_present == Known::Known(false) {
        let wanted = parsed.through_env.as_ref().unwrap_or(&parsed.program);
        return Some((
            format!("the interpreter of {path}, {wanted}, is not on this host or not executable"),
            format!("install {wanted}, or name an interpreter that is there in the first line"),
        ));
    }
    None
}

fn consequence(hook: &str) -> &'static str {
    match hook {
        "network" => "libvirt cannot run it, so that no libvirt network starts",
        "daemon" => "libvirt cannot run it; it logs an error when it starts",
        _ => "libvirt cannot run it, and no guest starts while its hook fails",
    }
}
