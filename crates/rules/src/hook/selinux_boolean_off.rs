//! `hook/selinux-boolean-off`: the policy knows hooks, and may not run them.

use super::{confined, executable, seconds};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::selinux;
use facts::{Evidence, Known, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/selinux-boolean-off",
    summary: "the SELinux boolean virt_hooks_unconfined is off, so confined daemons run no hook",
    needs: &[Source::Hooks, Source::Daemons],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
SELinux enforces, an executable hook script has the type `virt_hook_t`, the daemon that would run it
is confined (one of the modular daemons), the boolean `virt_hooks_unconfined` is off, and the journal
shows no run of the hook since the daemon started. An error where the script sets VLANs, else a warning.

## Why it matters
Policies since the middle of 2024 label hooks `virt_hook_t` and let the modular daemons execute that
type only while this boolean is on. It is off by default. After an update of the policy, or a change
to modular daemons, a hook that had run for years stops to run.

## Evidence
The boolean in `/sys/fs/selinux/booleans`, the script's label, and the daemon's own context where it
runs.

## Example
    $ getsebool virt_hooks_unconfined
    virt_hooks_unconfined --> off

## Remedy
`setsebool -P virt_hooks_unconfined on`, then prove with `nofail hook verify` that the hook fires. The
script then runs without confinement, which is why nofail does it only when asked. Some versions of the
policy wrote the rule for virtnetworkd only; where the hook still does not run, look for denials with
`ausearch -m avc -c rpc-virtqemud`.

## When to ignore it
A policy in which the daemon's domain is permissive (`semanage permissive -l`), as some releases
shipped it: the hook runs and denials are only logged.

## References
selinux-policy, pull requests 2195 and 2216; booleans(8); setsebool(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    if hooks.selinux.known().is_none_or(|mode| mode != "enforcing") {
        return;
    }
    match &hooks.virt_hooks_unconfined {
        Known::Known(false) => {}
        Known::Known(true) | Known::Absent => return,
        Known::Unreadable(reason) => {
            if !hooks.scripts.is_empty() {
                report.not_checked(host.name(), reason);
            }
            return;
        }
    }
    for script in hooks.scripts.iter().filter(|s| executable(s)) {
        let kind = script.label.known().and_then(|l| selinux::type_of(l));
        if kind != Some("virt_hook_t")
            || confined(&host.snapshot.daemons, &script.hook) != Some(true)
        {
            continue;
        }
        let daemon = super::daemon(&host.snapshot.daemons, &script.hook);
        let started = daemon.and_then(|d| d.started_at);
        let fired = started.is_some_and(|started| {
            hooks
                .traces
                .iter()
                .any(|t| seconds(&t.at).is_some_and(|at| at >= started))
        });
        if fired {
            continue;
        }
        let severity = if script.sets_vlans {
            Severity::Error
        } else {
            Severity::Warning
        };
        let name = daemon.map_or("the modular daemon", |d| d.name.as_str());
        report.find(
            Finding::new(
                severity,
                host.name(),
                &script.path,
                format!(
                    "virt_hooks_unconfined is off: SELinux keeps {name} from running {}",
                    script.path
                ),
            )
            .consequence("The hook does not run, and only the audit log says so")
            .evidence(Evidence::measured(
                "/sys/fs/selinux/booleans/virt_hooks_unconfined",
                "off",
            ))
            .evidence(Evidence::measured(
                &script.path,
                script.label.known().cloned().unwrap_or_default(),
            ))
            .evidence_if(daemon.and_then(|d| {
                let context = d.context.as_deref()?;
                Some(Evidence::measured(
                    format!("/proc/{}/attr/current", d.pid),
                    context,
                ))
            }))
            .fix("setsebool -P virt_hooks_unconfined on"),
        );
    }
}
