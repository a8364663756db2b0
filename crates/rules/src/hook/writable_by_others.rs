//! `hook/writable-by-others`: whoever may write it is root.

use super::mode_evidence;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

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
everyone may write; and a directory above it of which that is true, also above what it is a link to.

## Why it matters
libvirt runs hooks as root at each start and stop of a guest. Whoever may write the script is root on
this host, and a slip of theirs stops every guest's start.

## Evidence
Mode, owner and group of the file or directory.

## Example
    -rwxrwxrwx 1 admin admin 2151 /etc/libvirt/hooks/qemu

## Remedy
`chown root:root FILE && chmod 0755 FILE`, for a directory `chmod go-w`. Asked for first: a program that updates the script may need
its rights.

## When to ignore it
A group that holds only administrators, on purpose.

## References
libvirt, \"Hooks for specific system management\".
";

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    for script in &hooks.scripts {
        let Some(who) = others(script.mode, script.uid, script.gid) else {
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
    for directory in &hooks.directories {
        let path = &directory.path;
        let Some(who) = others(directory.mode, directory.uid, directory.gid) else {
            continue;
        };
        // With the sticky bit others add files and replace none. That is enough where libvirt runs
        // whatever lies there.
        let read_by_libvirt = path.starts_with("/etc/libvirt/hooks");
        if directory.mode & 0o1000 != 0 && directory.uid == 0 && !read_by_libvirt {
            continue;
        }
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                path,
                format!("{path}, above a hook, is not root's alone: {who}"),
            )
            .consequence(
                "Who may write it may put another hook in a hook's place; libvirt runs it as root",
            )
            .evidence(Evidence::measured(
                path,
                format!(
                    "mode {:04o}, owner {}, group {}",
                    directory.mode, directory.uid, directory.gid
                ),
            ))
            .fix(if path.starts_with("/etc") {
                format!("chown root:root {path} && chmod go-w {path}")
            } else {
                "put a copy that is root's in the place of the link that leads there".to_owned()
            }),
        );
    }
}

/// Who besides root may write something.
fn others(mode: u32, uid: u32, gid: u32) -> Option<String> {
    if mode & 0o002 != 0 {
        Some("everyone may write it".to_owned())
    } else if uid != 0 {
        Some(format!("it belongs to user {uid}"))
    } else if mode & 0o020 != 0 && gid != 0 {
        Some(format!("group {gid} may write it"))
    } else {
        None
    }
}
