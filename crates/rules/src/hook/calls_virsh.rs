//! `hook/calls-virsh`: a hook that asks the daemon that waits for it.

use super::{executable, line_evidence};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/calls-virsh",
    summary: "a hook calls libvirt, which waits for the hook",
    needs: &[Source::Hooks],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hook script that runs `virsh` or another client of libvirt (`virt-install`, `virt-xml`, …), or
imports libvirt's Python or Perl module. Comments, text that is only printed, `systemd-run`, and
children in the background that have let go of their output do not count.

## Why it matters
libvirt waits for the hook to end, and holds the guest's lock meanwhile. A call back into libvirt
waits for libvirt: both stand still. From then on `virsh` hangs for that guest, often for all of
them, and only killing the script helps. It may go well for months, until two guests start at once.

## Evidence
The lines of the script that call libvirt.

## Example
    port=$(virsh domiflist \"$1\" | awk '/br-mgmt/ {print $1}')

## Remedy
Do not ask: libvirt hands the script the guest's whole XML on standard input, and at `started` it
names each `<target dev='vnetN'/>` already. `nofail hook install` does just that. What must talk to
libvirt runs later and elsewhere: `systemd-run --no-block …`.

## When to ignore it
A script that never runs for a guest of this host.

## References
libvirt, \"Hooks for specific system management\", section \"Calling libvirt functions from within a
hook script\": don't.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for script in &host.snapshot.hooks.scripts {
        if !executable(script) || script.calls_libvirt.is_empty() {
            continue;
        }
        let mut finding = Finding::new(
            Severity::Error,
            host.name(),
            &script.path,
            format!("{} calls libvirt, which waits for it", script.path),
        )
        .consequence("Hook and daemon wait for each other: starting or stopping a guest can hang for ever")
        .fix("read the guest's XML from standard input instead; what must call virsh starts with systemd-run --no-block");
        for line in script.calls_libvirt.iter().take(5) {
            finding = finding.evidence(line_evidence(script, *line).mark("virsh"));
        }
        report.find(finding);
    }
}
