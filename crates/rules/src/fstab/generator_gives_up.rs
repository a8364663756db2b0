//! `fstab/generator-gives-up`: lines that systemd's generator begins and does not finish.

use super::planned::lines;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::plan::NoUnit;
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/generator-gives-up",
    summary: "systemd's generator aborts or gives up on a line, and mounts are silently lost",
    needs: &[Source::Fstab],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Lines that systemd-fstab-generator does not finish. A time-out option without a value
(`x-systemd.device-timeout` and no `=`) trips an assertion: the generator aborts, and *no line below
it is mounted at boot* (error). Others are given up alone (warning): `x-systemd.requires=` with
nothing after it, `x-systemd.makefs` without a type, on what is no device, or twice on one device,
`..` in a device's path.

## Why it matters
`mount -a` and `findmnt --verify` are content with such a file; only the next boot shows it: mounts
missing without a failed unit, since there is no unit.

## Evidence
The line of `/etc/fstab`, and the lines that are lost with it.

## Example
    /dev/sdb1  /data  ext4  nofail,x-systemd.device-timeout  0 2

## Remedy
Give the option a value, or take it out.

## When to ignore it
Never. Seen with systemd 252; the code is the same in 239 and 257.

## References
systemd-fstab-generator(8), systemd.mount(5).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let lines = lines(host);
    for line in &lines {
        let target = &line.entry.target;
        let finding = match &line.plan.no_unit {
            Some(NoUnit::Aborts(why)) => {
                let lost: Vec<&str> = lines
                    .iter()
                    .filter(|other| {
                        other.plan.no_unit
                            == Some(NoUnit::Aborted {
                                line: line.entry.line,
                            })
                    })
                    .map(|other| other.entry.target.as_str())
                    .collect();
                let also = if lost.is_empty() {
                    String::new()
                } else {
                    format!(", nor is any line below: {}", lost.join(", "))
                };
                Finding::new(
                    Severity::Error,
                    host.name(),
                    target,
                    format!("systemd's generator aborts at this line: {why}"),
                )
                .consequence(format!("It is not mounted at the next boot{also}"))
            }
            Some(NoUnit::GivesUp(why)) => Finding::new(
                Severity::Warning,
                host.name(),
                target,
                format!("systemd's generator gives up on this line: {why}"),
            )
            .consequence("Nothing mounts it at the next boot, and no unit fails"),
            _ => continue,
        };
        report.find(
            finding
                .evidence(line.evidence(&line.option_field()))
                .fix(format!(
                    "give the option a value or remove it, in line {} of /etc/fstab",
                    line.entry.line
                )),
        );
    }
}
