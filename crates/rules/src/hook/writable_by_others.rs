//! `hook/writable-by-others`: whoever may write it is root.

use super::mode_evidence;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/writable-by-others",
    summary: "somebody other than root may change what libvirt runs as root",
    needs: &[Source::Hooks],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hook script that belongs to a user other than root, or that its group (other than root's) or
everyone may write.

## Why it matters
libvirt runs hooks as root at each start and stop of a guest. Whoever may write the script is root on
this host, and a slip of theirs stops every guest's start.

## Evidence
Mode, owner and group of the file.

## Example
    -rwxrwxrwx 1 admin admin 2151 /etc/libvirt/hooks/qemu

## Remedy
`chown root:root FILE && chmod 0755 FILE`. Asked for first: a program that updates the script may need
its rights.

## When to ignore it
A group that holds only administrators, on purpose.

## References
libvirt, \"Hooks for specific system management\".
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        let who = if script.mode & 0o002 != 0 {
            "everyone may write it".to_owned()
        } else if script.uid != 0 {
            format!("it belongs to user {}", script.uid)
        } else if script.mode & 0o020 != 0 && script.gid != 0 {
            format!("group {} may write it", script.gid)
        } else {
            continue;
        };
        let path = &script.path;
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                path,
                format!("{path} is not root's alone: {who}"),
            )
            .consequence("libvirt runs it as root at each start and stop of a guest")
            .evidence(mode_evidence(script))
            .fix(format!("chown root:root {path} && chmod 0755 {path}")),
        );
    }
}
