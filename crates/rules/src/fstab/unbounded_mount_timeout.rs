//! `fstab/unbounded-mount-timeout`: a wait that nobody limited.

use super::planned::{Planned, lines};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::plan::Requirement;
use analysis::boot::timespan::Limit;
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/unbounded-mount-timeout",
    summary: "a network mount without a limit of its own, or a wait without end",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A network mount without `x-systemd.mount-timeout=` (warning where the boot waits for it, info where
`nofail` or an automount keeps it out of the way), and any mount whose limit is 0 or `infinity`, as
well as `x-systemd.device-timeout=0` or `infinity` (error where the boot waits for it).

## Why it matters
mount.nfs tries for two minutes, for a silent server as for a name that cannot be resolved; systemd
ends it after its default of 90 s. So a dead NAS costs every boot a minute and a half, and an
automount or a guest start as long. A wait of 0 means no limit: the boot never ends.

## Evidence
The line of `/etc/fstab`.

## Example
    10.50.1.70:/volume1/vms  /mnt/nas/vms  nfs  nofail  0 0

## Remedy
`x-systemd.mount-timeout=30s`. Safe: a server that answers does so within a second.

## When to ignore it
`bg` mounts: systemd gives these no limit on purpose and waits for none of them (not reported).

## References
systemd.mount(5), x-systemd.mount-timeout=; systemd-system.conf(5), DefaultTimeoutStartSec=; nfs(5),
retry=.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for line in lines(host) {
        let plan = &line.plan;
        if plan.unit.is_none() || plan.no_unit.is_some() || plan.pulled_in_by.is_empty() {
            continue;
        }
        // bg becomes a want with its own, endless limit.
        let background = plan
            .options
            .starts_with("x-systemd.mount-timeout=infinity,retry=10000");
        if plan.timeout == Some(Limit::Infinite) && !background {
            report.find(endless(host, &line, "x-systemd.mount-timeout"));
        } else if plan.device_timeout == Some(Limit::Infinite) {
            report.find(endless(host, &line, "x-systemd.device-timeout"));
        } else if plan.network && plan.timeout.is_none() && plan.device.is_none() {
            report.find(default(host, &line));
        }
    }
}

fn waits(line: &Planned<'_>) -> bool {
    line.plan.automount.is_none()
        && line
            .plan
            .pulled_in_by
            .iter()
            .any(|link| link.requirement == Requirement::Requires)
}

fn endless(host: &Host<'_>, line: &Planned<'_>, option: &str) -> Finding {
    let target = &line.entry.target;
    let (severity, consequence) = if waits(line) {
        (
            Severity::Error,
            "If the source does not answer or appear, the boot never ends",
        )
    } else {
        (Severity::Warning, "Whatever waits for it waits for ever")
    };
    Finding::new(
        severity,
        host.name(),
        target,
        format!("the wait for {target} has no end"),
    )
    .consequence(consequence)
    .evidence(line.evidence(option))
    .fix(format!(
        "give {option}= a value, such as 30s, in line {} of /etc/fstab",
        line.entry.line
    ))
}

fn default(host: &Host<'_>, line: &Planned<'_>) -> Finding {
    let target = &line.entry.target;
    let (severity, consequence) = if waits(line) {
        (
            Severity::Warning,
            "While the server does not answer, each boot waits 90 s for it",
        )
    } else {
        (
            Severity::Info,
            "Whoever waits for it waits 90 s while the server does not answer",
        )
    };
    Finding::new(
        severity,
        host.name(),
        target,
        format!("{target} has no x-systemd.mount-timeout="),
    )
    .consequence(consequence)
    .evidence(line.evidence(&line.option_field()))
    .fix(line.edit(&["x-systemd.mount-timeout=30s"]))
}
