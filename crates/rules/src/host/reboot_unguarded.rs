//! `host/reboot-unguarded`: a reboot asks nobody.

use super::is_hypervisor;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "host/reboot-unguarded",
    summary: "nothing asks before the hypervisor goes down",
    needs: &[Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hypervisor on which `reboot` goes through without a word: no `nofail guard`, and no molly-guard.

## Why it matters
On the incident's night a hypervisor was rebooted to cure one guest. Seven healthy ones died with it,
and the host did not come back. One line before the reboot, with the names of the seven and the boot's
prediction, would have been enough.

## Evidence
The files by which a guard shows.

## Example
    $ reboot
    7 healthy guests would die to cure 1; try: nofail triage ipsk-mgr-01

## Remedy
`nofail guard install`; `docs/guard.md` tells what it stops, what it only delays, and what nobody can
stop. molly-guard asks for the host's name over SSH and knows nothing of guests; it is better than nothing.

## When to ignore it
A cluster whose manager moves guests away before each reboot.

## References
molly-guard(8); systemd-inhibit(1).
";

fn check(host: &Host<'_>, report: &mut Report) {
    if !is_hypervisor(host.snapshot) {
        return;
    }
    let Some(guards) = &host.snapshot.units.guards else {
        report.not_checked(
            host.name(),
            "nobody looked for a guard before the reboot: a tree without /usr, or an older snapshot",
        );
        return;
    };
    if !guards.is_empty() {
        return;
    }
    report.find(
        Finding::new(
            Severity::Info,
            host.name(),
            host.name(),
            "nothing asks before this hypervisor goes down",
        )
        .consequence(
            "A reboot meant to cure one guest takes every other with it, and nobody is told",
        )
        .evidence(Evidence::measured(
            "/usr/local/lib/nofail/guard",
            "absent, as is molly-guard",
        ))
        .fix("nofail guard install"),
    );
}
