//! `fstab/device-timeout-ignored`: a limit on a device that does not exist.

use super::planned::lines;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/device-timeout-ignored",
    summary: "x-systemd.device-timeout= on a source that is no device has no effect",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
`x-systemd.device-timeout=` on a line whose source is not below /dev (nor a UUID, a label, …): NFS,
CIFS, a bind, an image file.

## Why it matters
The option bounds the wait for a device unit. A network source has none, so systemd ignores it, and
who wrote it believes that the wait is bounded. It is not: the default of 90 s holds.

## Evidence
The line of `/etc/fstab`. At boot the generator says `x-systemd.device-timeout ignored`.

## Example
    nas-01:/volume1/vms  /mnt/nas/vms  nfs  nofail,x-systemd.device-timeout=10s  0 0

## Remedy
`x-systemd.mount-timeout=` with the same value. Safe: it does what was meant.

## When to ignore it
Where the line has `x-systemd.mount-timeout=` as well it is only clutter.

## References
systemd.mount(5), x-systemd.device-timeout= and x-systemd.mount-timeout=.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for line in lines(host)
        .iter()
        .filter(|line| line.plan.device_timeout_ignored)
    {
        let option = line
            .entry
            .options
            .iter()
            .find(|o| o.contains("systemd.device-timeout"))
            .cloned()
            .unwrap_or_default();
        let target = &line.entry.target;
        let (severity, consequence, fix) = if line.plan.timeout.is_some() {
            (
                Severity::Info,
                "x-systemd.mount-timeout= on the same line is what bounds the wait".to_owned(),
                format!(
                    "take {option} out of line {} of /etc/fstab",
                    line.entry.line
                ),
            )
        } else {
            let value = option
                .split_once("timeout=")
                .map_or("30s", |(_, value)| value);
            (
                Severity::Warning,
                "The wait is not bounded as meant: the default of 90 s holds".to_owned(),
                format!(
                    "in /etc/fstab, line {}, replace {option} by x-systemd.mount-timeout={value}",
                    line.entry.line
                ),
            )
        };
        report.find(
            Finding::new(
                severity,
                host.name(),
                target,
                format!(
                    "systemd ignores {option}: {} is no device",
                    line.entry.source
                ),
            )
            .consequence(consequence)
            .evidence(line.evidence(&option))
            .fix(fix),
        );
    }
}
