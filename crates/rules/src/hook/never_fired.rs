//! `hook/never-fired`: guests were started, and the hook that logs left no trace.

use super::{daemon, executable, seconds, time};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::hook::{HookScript, selinux};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/never-fired",
    summary: "guests were started and the hook left no trace in the journal",
    needs: &[Source::Hooks, Source::HookTraces],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A `qemu` hook that logs (`logger -t TAG`, or nofail's own), and guests that were started after the
script was last changed, while the journal holds everything since and no trace of the hook for them.
An error where the script sets VLANs, else a warning.

## Why it matters
This is how the incident went unseen: the script was there, looked right, and had not run. Guest ports
came up with PVID 1, and the guests were cut off.

## Evidence
The script, the guests with the times of their starts, and what nofail read that explains it: no execute
bit, the SELinux label or boolean, a daemon older than the hook, a phase that is not handled.

## Example
    $ journalctl -t libvirt-hook -b
    -- No entries --

## Remedy
Mend the cause that the evidence names; then prove that the hook fires: `nofail hook verify`, or start
a guest without importance and look for its trace.

## When to ignore it
The script logs only in cases that did not occur.

## References
libvirt, \"Hooks for specific system management\"; logger(1); journalctl(1), option `-t`.
";

/// A trace may be a little older than the start that the kernel tells: the hook's phases before
/// QEMU runs come first.
const SLACK: i64 = 120;

fn check(host: &Host<'_>, report: &mut Report) {
    let hooks = &host.snapshot.hooks;
    for script in &hooks.scripts {
        let logs = !script.log_tags.is_empty() || script.is_nofail;
        if script.hook != "qemu" || !logs {
            continue;
        }
        let Some(since) = hooks.traces_since else {
            // Told by the collector: the journal does not reach back.
            continue;
        };
        let changed = script.changed_at.unwrap_or(i64::MAX);
        let silent: Vec<_> = hooks
            .guest_starts
            .iter()
            .filter(|start| start.started_at > changed && start.started_at >= since)
            .filter(|start| {
                !hooks.traces.iter().any(|trace| {
                    // A trace that names no guest may be anyone's.
                    (trace.guest.is_empty() || trace.guest == start.guest)
                        && seconds(&trace.at).is_some_and(|at| at >= start.started_at - SLACK)
                })
            })
            .collect();
        if silent.is_empty() {
            continue;
        }
        let severity = if script.sets_vlans {
            Severity::Error
        } else {
            Severity::Warning
        };
        let names: Vec<&str> = silent.iter().map(|s| s.guest.as_str()).collect();
        let mut finding = Finding::new(
            severity,
            host.name(),
            &script.path,
            format!("{} did not run for {}", script.path, list(&names)),
        )
        .consequence(if script.sets_vlans {
            "Their ports have the bridge's default PVID unless somebody set them by hand"
        } else {
            "What the hook should do was not done"
        })
        .evidence(Evidence::measured(
            "journal",
            match script.log_tags.first() {
                Some(tag) => format!("no entry with the tag {tag}"),
                None => "no entry with the tag nofail-hook".to_owned(),
            },
        ))
        .fix("mend the cause named below, then prove it: nofail hook verify");
        for start in silent.iter().take(5) {
            let text = format!("started {}", time(start.started_at));
            finding = finding.evidence(Evidence::measured(&start.guest, text));
        }
        for cause in causes(host, script) {
            finding = finding.evidence(cause);
        }
        report.find(finding);
    }
}

/// A few names, and how many more.
fn list(names: &[&str]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{} and {} more", names[..3].join(", "), n - 3),
    }
}

/// What was read that may explain it, the likeliest first.
fn causes(host: &Host<'_>, script: &HookScript) -> Vec<Evidence> {
    let hooks = &host.snapshot.hooks;
    let mut found = Vec::new();
    let mut likely = |text: String| found.push(Evidence::measured(&script.path, text));
    if !executable(script) {
        likely(format!(
            "likely cause: not executable (mode {:04o})",
            script.mode
        ));
    }
    if script.crlf {
        likely("likely cause: the first line ends in a carriage return".to_owned());
    }
    let enforcing = hooks.selinux.known().is_some_and(|m| m == "enforcing");
    let kind = script.label.known().and_then(|l| selinux::type_of(l));
    if enforcing && let Some(kind) = kind {
        let policy = hooks
            .policy_type
            .known()
            .map_or("virt_hook_t", String::as_str);
        if kind != policy && kind != "bin_t" {
            likely(format!(
                "likely cause: SELinux type {kind} instead of {policy}"
            ));
        }
        if hooks.virt_hooks_unconfined.known() == Some(&false) {
            likely("likely cause: the SELinux boolean virt_hooks_unconfined is off".to_owned());
        }
    }
    if let (Some(daemon), Some(changed)) = (
        daemon(&host.snapshot.daemons, &script.hook),
        script.changed_at,
    ) && daemon.started_at.is_some_and(|started| changed > started)
    {
        likely(format!(
            "likely cause: it changed after {} had started",
            daemon.name
        ));
    }
    let acts = script.phases.iter().any(|p| p == "start" || p == "started");
    if !script.phases.is_empty() && !acts {
        likely(format!(
            "likely cause: it acts only at {}",
            script.phases.join(", ")
        ));
    }
    found
}
