//! `hook/newer-than-daemon`: a hook that appeared after libvirt had looked for hooks.

use super::{daemon, executable, seconds, time};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::HookScript;
use facts::{Evidence, Source};
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/newer-than-daemon",
    summary: "a hook appeared after the daemon that would run it had started",
    needs: &[Source::Hooks, Source::Daemons],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hook all of whose scripts changed (came into being, were renamed, got their execute bit, were
written) after the daemon had started that runs them, and that has left no trace since. With modular
daemons the start of *virtqemud* counts for the `qemu` hook, that of *virtnetworkd* for `network`.

## Why it matters
libvirt looks for hooks when a daemon starts or reloads. If it found none then, it runs none, however
right the script is now. Restarting `libvirtd` on a host whose guests are run by `virtqemud` changes
nothing either.

## Evidence
The script's change time (ctime) and the start time of the daemon's process. Writing to a script that
was there before changes its ctime as well and does no harm: nofail cannot tell these two apart, which
is why this is a warning.

## Example
    $ stat -c %z /etc/libvirt/hooks/qemu;  ps -o lstart= -C virtqemud
    2026-04-12 21:02:11
    Tue Mar  3 04:10:52 2026

## Remedy
`systemctl reload virtqemud` (or `libvirtd`). Safe: it does not touch guests.

## When to ignore it
You only edited a script that had been there when the daemon started.

## References
libvirt, \"Hooks for specific system management\"; `virHookInitialize` in libvirt's `virhook.c`, which
the daemon calls when it starts and on SIGHUP.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    let mut by_hook: BTreeMap<&str, Vec<&HookScript>> = BTreeMap::new();
    for script in hooks.scripts.iter().filter(|s| executable(s)) {
        by_hook.entry(&script.hook).or_default().push(script);
    }
    for (hook, scripts) in by_hook {
        // The daemon hook runs when the daemon starts: the question does not arise.
        let Some(daemon) = daemon(&host.snapshot.daemons, hook).filter(|_| hook != "daemon") else {
            continue;
        };
        let Some(started) = daemon.started_at else {
            report.not_checked(
                host.name(),
                format!("it is not known when {} started", daemon.name),
            );
            continue;
        };
        let changed: Option<Vec<i64>> = scripts.iter().map(|s| s.changed_at).collect();
        let Some(first) = changed.and_then(|times| times.into_iter().min()) else {
            report.not_checked(
                host.name(),
                format!("it is not known when the {hook} hook appeared"),
            );
            continue;
        };
        let fired = hooks
            .traces
            .iter()
            .any(|t| seconds(&t.at).is_some_and(|at| at >= started));
        if first <= started || fired {
            continue;
        }
        let path = &scripts[0].path;
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                path,
                format!("{path} changed after {} had started", daemon.name),
            )
            .consequence(
                "libvirt looks for hooks when it starts: if this one is new, it does not run",
            )
            .evidence(Evidence::measured(path, format!("changed {}", time(first))))
            .evidence(Evidence::measured(
                format!("/proc/{}/stat", daemon.pid),
                format!("{} started {}", daemon.name, time(started)),
            ))
            .fix(format!("systemctl reload {}", daemon.name)),
        );
    }
}
