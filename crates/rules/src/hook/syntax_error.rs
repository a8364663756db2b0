//! `hook/syntax-error`: a hook script that its own shell refuses.

use super::{executable, line_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Known, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/syntax-error",
    summary: "a hook script breaks its shell's grammar",
    needs: &[Source::Hooks],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An executable shell script among the hooks that `bash -n` (or `sh -n`) refuses. The shell reads the
whole script and runs none of it.

## Why it matters
The shell ends with status 2 when it meets the fault. Before a guest's start that makes the start
fail; at `started` the guest is killed again. What stands before the fault has been done already.

## Evidence
The line that the shell names. A shell often names the line where it noticed, not the one with the
fault: look also for an unclosed quote or `if` above it.

## Example
    $ bash -n /etc/libvirt/hooks/qemu
    /etc/libvirt/hooks/qemu: line 31: syntax error: unexpected end of file

## Remedy
Mend the script and check it with `bash -n FILE` before the next guest starts.

## When to ignore it
Never.

## References
bash(1), option `-n`; libvirt, \"Hooks for specific system management\".
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        if !executable(script) {
            continue;
        }
        match &script.syntax_error {
            Known::Absent => {}
            Known::Unreadable(reason) => {
                report.not_checked(host.name(), format!("{}: {reason}", script.path));
            }
            Known::Known(error) => report.find(
                Finding::new(
                    Severity::Error,
                    host.name(),
                    &script.path,
                    format!(
                        "{} breaks its shell's grammar: {}",
                        script.path, error.message
                    ),
                )
                .consequence("The hook fails whenever it runs, and with it the start of a guest")
                .evidence(line_evidence(script, error.line))
                .fix(format!(
                    "mend the script, then check it: bash -n {}",
                    script.path
                )),
            ),
        }
    }
}
