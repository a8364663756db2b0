//! `fstab/missing-nofail`: a mount that the boot insists on.

use super::planned::{Planned, lines};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::fstype;
use analysis::boot::plan::{Kind, REMOTE_FS};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/missing-nofail",
    summary: "a mount without nofail that the boot can do without",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A line without `nofail` whose mount the system does not need to come up. Error where
`local-fs.target` requires the unit: when it fails, the boot ends in emergency mode. Warning where
`remote-fs.target` does: the boot waits for it, then goes on without it, degraded.

Under which target a line stands is what systemd's generator would decide: by the type and
`_netdev`, not by where the data lies. So a NAS given with the type `ext4` is an error here, an
NFS line never is.

## Why it matters
On the day of the incident one scratch disk with the wrong type kept a hypervisor and seven
healthy guests down until somebody stood at its console. The NFS lines on the same host, just as
dead, would only have cost a minute and a half.

## Evidence
The line of `/etc/fstab`.

## Example
    /dev/sdb1  /srv/scratch  xfs  defaults  0 0

## Remedy
Add `nofail`. Safe for any line but the root, /usr, /boot and /var: the mount is still tried, the
boot only stops insisting. What must not run without the mount should say so itself
(`RequiresMountsFor=` on that one service). `nofail` also drops the order before the target:
see `fstab/nofail-loses-ordering`.

## When to ignore it
The host is of no use without the mount, and a person at the console is what you want. The parts
of the system itself (/, /usr, /boot, /boot/efi, /etc, /var, /var/log, /var/log/audit, /var/tmp,
/tmp, /home, /opt) are never reported, nor are tmpfs and its like, binds, and automounts.

## References
systemd.mount(5), fstab and nofail; systemd.special(7), local-fs.target, whose unit file says
`OnFailure=emergency.target`; bootup(7).
";

/// Parts of the system itself: what is lost with them is not helped by `nofail`.
const SYSTEM: [&str; 14] = [
    "/",
    "/usr",
    "/boot",
    "/boot/efi",
    "/efi",
    "/etc",
    "/var",
    "/var/log",
    "/var/log/audit",
    "/var/tmp",
    "/tmp",
    "/home",
    "/opt",
    "/root",
];

fn check(host: &Host<'_>, report: &mut Report) {
    for line in lines(host) {
        let plan = &line.plan;
        if plan.kind == Kind::Swap
            || plan.bind
            || SYSTEM.contains(&plan.mount_point.as_str())
            || fstype::is_virtual(&plan.fstype)
        {
            continue;
        }
        if line.stops_boot() {
            report.find(local(host, &line));
        } else if line.required_by(REMOTE_FS) {
            report.find(remote(host, &line));
        }
    }
}

fn local(host: &Host<'_>, line: &Planned<'_>) -> Finding {
    let target = &line.entry.target;
    Finding::new(
        Severity::Error,
        host.name(),
        target,
        format!("{target} has no nofail: local-fs.target requires it"),
    )
    .consequence(format!(
        "If {} is missing or does not mount, the next boot stops in emergency mode",
        line.entry.source
    ))
    .evidence(line.evidence(&line.option_field()))
    .fix(line.edit(&["nofail"]))
}

fn remote(host: &Host<'_>, line: &Planned<'_>) -> Finding {
    let target = &line.entry.target;
    let wait = match line.plan.timeout {
        None => "for 90 s".to_owned(),
        Some(limit) => limit
            .seconds()
            .map_or("without end".to_owned(), |s| format!("for {s} s")),
    };
    Finding::new(
        Severity::Warning,
        host.name(),
        target,
        format!("{target} has no nofail: remote-fs.target requires it"),
    )
    .consequence(format!(
        "If {} does not answer, the boot waits {wait}, then goes on degraded",
        line.entry.source
    ))
    .evidence(line.evidence(&line.option_field()))
    .fix(line.edit(&["nofail"]))
}
