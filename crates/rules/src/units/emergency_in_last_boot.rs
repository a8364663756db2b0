//! `units/emergency-in-last-boot`: the host did not come up by itself.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "units/emergency-in-last-boot",
    summary: "this boot or the one before ended in emergency or rescue mode",
    needs: &[Source::Boots],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
In the journal, the start of `emergency.service`, `rescue.service` or their targets in the running boot
(an error) or in the one before it (a warning). Older boots are not reported.

## Why it matters
The host waited at a prompt on its console until a person came. If the cause was not mended, it will do
so again, and a host without a reachable console is then lost. In the incident one line of fstab did it.

## Evidence
The journal's message, and the boot's number for `journalctl -b`.

## Example
    $ journalctl -b -1 _PID=1 UNIT=emergency.service
    systemd[1]: Started emergency.service - Emergency Shell.

## Remedy
`journalctl -b NUMBER -p warning` shows what failed just before; the rules on fstab name the usual
causes. `nofail boot` tells how the next boot would end.

## When to ignore it
Somebody entered that mode on purpose, for maintenance.

## References
systemd.special(7), emergency.target and rescue.target; bootup(7). A boot is only known where the
journal is kept (`/var/log/journal`) and had been written before the mode was entered.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for boot in host.snapshot.boots.iter().filter(|b| b.offset >= -1) {
        let Some(mode) = &boot.mode else { continue };
        let (severity, which) = if boot.offset == 0 {
            (Severity::Error, "this boot")
        } else {
            (Severity::Warning, "the boot before this one")
        };
        let began = boot.began.as_deref().unwrap_or("an unknown time");
        report.find(
            Finding::new(
                severity,
                host.name(),
                format!("boot {}", boot.offset),
                format!("{which} (of {began}) entered {mode} mode"),
            )
            .consequence("The host waited on its console for a person; unless the cause is mended it will again")
            .evidence(Evidence::measured(
                format!("journal:{}", boot.id),
                boot.text.as_deref().unwrap_or(mode),
            ))
            .fix(format!("journalctl -b {} -p warning shows what failed just before", boot.offset)),
        );
    }
}
