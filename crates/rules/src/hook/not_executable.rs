//! `hook/not-executable`: a hook script without an execute bit, which libvirt passes over.

use super::{executable, mode_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/not-executable",
    summary: "a hook script has no execute bit, so libvirt passes it over",
    needs: &[Source::Hooks],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A file below `/etc/libvirt/hooks` under a name that libvirt runs, without any execute bit. It is
an error where the script sets the VLANs of guest ports, else a warning. Names of copies that
editors and packages leave (`~`, `.bak`, `.rpmsave`, `.dpkg-old`, …) are passed over.

## Why it matters
libvirt warns of it once in its log, when it starts, and then behaves as if there were no hook. The
guests start, and nothing that the hook should do is done: in the incident, guest ports came up
with PVID 1, and nothing was logged.

## Evidence
Mode and owner of the file.

## Example
    $ ls -l /etc/libvirt/hooks/qemu
    -rw-r--r--. 1 root root 2151 Apr 12 21:02 /etc/libvirt/hooks/qemu

## Remedy
`chmod 0755 FILE`, then `systemctl reload libvirtd` (or `virtqemud`): libvirt looks for hooks when
it starts or reloads. Safe: guests that run are not touched.

## When to ignore it
The script was switched off on purpose. Better move it out of the directory: the next person will
not see the missing bit.

## References
libvirt, \"Hooks for specific system management\"; `virHookCheck` in libvirt's `virhook.c`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        if executable(script) || super::is_copy(&script.path) {
            continue;
        }
        let severity = if script.sets_vlans {
            Severity::Error
        } else {
            Severity::Warning
        };
        let daemon = super::daemon(&host.snapshot.daemons, &script.hook)
            .map_or("libvirtd", |d| d.name.as_str());
        report.find(
            Finding::new(
                severity,
                host.name(),
                &script.path,
                format!("{} is not executable", script.path),
            )
            .consequence("libvirt passes it over without a word to anyone who starts a guest")
            .evidence(mode_evidence(script))
            .fix(format!(
                "chmod 0755 {} && systemctl reload {daemon}",
                script.path
            )),
        );
    }
}
