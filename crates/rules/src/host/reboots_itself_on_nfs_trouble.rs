//! `host/reboots-itself-on-nfs-trouble`: a dead NAS takes the host down by somebody's design.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::kernel::Rebooter;
use facts::unit::Setting;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "host/reboots-itself-on-nfs-trouble",
    summary: "the host reboots or panics when network storage does not answer",
    needs: &[Source::Kernel],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Something that takes the whole host down when a network mount or the NAS does not answer:

- CloudStack's agent, whose heartbeat reboots the host (its default),
- a script, cron line or unit that tests a mount or a ping and then reboots,
- watchdog.conf with a `file=` on a network mount, or a `ping=` to the NAS,
- cluster agents that fence on lost storage: SBD, sanlock for libvirt, a Pacemaker monitor with
  `on-fail=\"fence\"` (warnings: that is their purpose, but with a NAS it means all hosts at once),
- `kernel.hung_task_panic = 1` on a host with network mounts: processes that wait for a dead server
  for longer than `kernel.hung_task_timeout_secs` make the kernel panic.

## Why it matters
Guests with local disks would have lived on. One dead NAS becomes the loss of every guest of every
host that mounts it, and after the reboot the NAS is still dead.

## Evidence
The setting or line that does it, and what triggers it.

## Example
    * * * * * root mountpoint -q /mnt/nas/vms || /sbin/reboot -f

## Remedy
Test and report instead of rebooting (`nofail watch`). For CloudStack:
`reboot.host.and.alert.management.on.heartbeat.timeout=false`. For the kernel:
`sysctl kernel.hung_task_panic=0`, and the line in sysctl.d. A person decides: someone wanted this.

## When to ignore it
A cluster that fences on purpose, with every guest's disk on that storage.

## References
The kernel's Documentation/admin-guide/sysctl/kernel.rst; watchdog.conf(5); sbd(8); sanlock(8);
CloudStack issues 2657, 3082, 11586.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for rebooter in &host.snapshot.kernel.rebooters {
        if let Some(severity) = severity(host, rebooter) {
            tell(host, rebooter, severity, report);
        }
    }
    hung_task_panic(host, report);
}

/// How bad a rebooter is for storage trouble; `None` where it does not concern it.
fn severity(host: &Host<'_>, rebooter: &Rebooter) -> Option<Severity> {
    match rebooter.program.as_str() {
        "cloudstack-agent" | "script" => Some(Severity::Error),
        "sbd" | "sanlock" | "pacemaker" => Some(Severity::Warning),
        "watchdog" => {
            let (key, value) = rebooter.text.split_once('=')?;
            let value = value.trim();
            match key.trim() {
                "file" => on_network(host, value).then_some(Severity::Error),
                "ping" => {
                    let nas = host.estate.nas_of(value);
                    Some(if nas == value {
                        Severity::Warning
                    } else {
                        Severity::Error
                    })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Targets of network mounts, as configured and as mounted.
fn network_mounts<'a>(host: &Host<'a>) -> Vec<&'a str> {
    let configured = host.snapshot.fstab.iter().filter(|e| e.is_network());
    let mounted = host.snapshot.mounts.iter().filter(|m| m.is_network());
    let mut targets: Vec<&str> = configured
        .map(|e| e.target.as_str())
        .chain(mounted.map(|m| m.target.as_str()))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

fn on_network(host: &Host<'_>, path: &str) -> bool {
    network_mounts(host).iter().any(|target| {
        path == *target || path.starts_with(&format!("{}/", target.trim_end_matches('/')))
    })
}

fn tell(host: &Host<'_>, rebooter: &Rebooter, severity: Severity, report: &mut Report) {
    let evidence = if rebooter.line == 0 {
        Evidence::measured(&rebooter.file, &rebooter.text)
    } else {
        Evidence::line(&rebooter.file, rebooter.line, &rebooter.text)
    };
    report.find(
        Finding::new(
            severity,
            host.name(),
            &rebooter.file,
            format!(
                "{} takes the host down when {}",
                rebooter.program,
                condition(rebooter)
            ),
        )
        .consequence("A dead NAS then stops every guest of this host, those with local disks too")
        .evidence(evidence)
        .fix(match rebooter.program.as_str() {
            "cloudstack-agent" => format!(
                "set reboot.host.and.alert.management.on.heartbeat.timeout=false in {}",
                rebooter.file
            ),
            "script" => {
                "report instead of rebooting: remove the reboot, let nofail watch tell".to_owned()
            }
            "watchdog" => format!("remove this test from {}", rebooter.file),
            _ => "let it fence only for storage that every guest of the host lives on".to_owned(),
        }),
    );
}

fn condition(rebooter: &Rebooter) -> String {
    match rebooter.program.as_str() {
        "script" => format!("its test fails ({})", rebooter.trigger),
        _ => rebooter.trigger.clone(),
    }
}

fn hung_task_panic(host: &Host<'_>, report: &mut Report) {
    let set = |name: &str| {
        host.snapshot
            .kernel
            .sysctls
            .iter()
            .rfind(|s| s.name == name)
    };
    let value = |setting: Option<&Setting>| setting.and_then(|s| s.value.parse::<i64>().ok());
    let Some(panics) =
        set("kernel.hung_task_panic").filter(|s| value(Some(s)).is_some_and(|v| v > 0))
    else {
        return;
    };
    let timeout = value(set("kernel.hung_task_timeout_secs")).unwrap_or(120);
    let mounts = network_mounts(host);
    // A time-out of 0 switches the detector off.
    if timeout == 0 || mounts.is_empty() {
        return;
    }
    // kernel.panic: seconds until the reboot, 0 is never, below 0 at once.
    let after = match value(set("kernel.panic")) {
        Some(0) | None => "and then stands still, since kernel.panic is 0".to_owned(),
        Some(n) if n < 0 => "and reboots at once".to_owned(),
        Some(n) => format!("and reboots {n} seconds later"),
    };
    let evidence = if panics.line == 0 {
        Evidence::measured(&panics.file, format!("{} = {}", panics.name, panics.value))
    } else {
        let text = format!("{} = {}", panics.name, panics.value);
        Evidence::line(&panics.file, panics.line, text)
    };
    report.find(
        Finding::new(
            Severity::Error,
            host.name(),
            "kernel.hung_task_panic",
            "the kernel panics when a process waits too long, as one does for a dead NAS",
        )
        .consequence(format!(
            "Once {} does not answer for {timeout} seconds the host panics {after}",
            mounts.join(" or ")
        ))
        .evidence(evidence)
        .fix("sysctl kernel.hung_task_panic=0, and the same in sysctl.d"),
    );
}
