//! `fstab/syntax`: lines that mount(8) drops, or that systemd reads differently.

use super::line::{self, PATH};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::fstab::remarks;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/syntax",
    summary: "a line of fstab that is dropped, or read in two ways",
    needs: &[Source::Fstab],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Lines of `/etc/fstab` that break its grammar, and lines that the two programs that read this file
understand differently: mount(8) through libmount, systemd's generator through getmntent(3).

## Why it matters
mount(8) ignores a line that it cannot read, with a warning that nobody sees at boot. systemd is
more lenient and may make a mount unit of the same line, with an automatic type and without the
options that stood behind the mistake: `nofail` among them. Then the boot does something that
`mount -a` never showed.

## Evidence
The line, with the place where it breaks.

## Example
    /dev/sdb1 /data ext4 defaults # scratch disk
A comment behind the fields: mount(8) drops the line (\"#\" is no number for the fifth field);
systemd mounts /data.

## Remedy
Correct the line: comments on lines of their own, blanks in names as `\\040`, at least source,
mount point and type. Check with `findmnt --verify`.

## When to ignore it
Never for a dropped line. A remark on how systemd reads a line may be ignored on a host that boots
without systemd.

## References
fstab(5), getmntent(3), systemd-fstab-generator(8); util-linux, libmount/src/tab_parse.c.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for error in &host.snapshot.fstab_errors {
        let mut place = Evidence::line(PATH, error.line, "").at(error.column, 1);
        place.text = host.snapshot.fstab_bad_lines.get(&error.line).cloned();
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                format!("line {}", error.line),
                format!("line {} of fstab cannot be read: {}", error.line, error.message),
            )
            .consequence("mount(8) ignores it, so what stands there is mounted only where systemd is more lenient")
            .evidence(place)
            .fix("correct the line, then `findmnt --verify`"),
        );
    }
    for entry in &host.snapshot.fstab {
        for remark in remarks(&entry.text, entry.line) {
            report.find(
                Finding::new(
                    Severity::Warning,
                    host.name(),
                    line::subject(entry),
                    format!("line {} of fstab: {}", entry.line, remark.message),
                )
                .consequence("What mounts after a boot is not what `mount -a` mounts")
                .evidence(line::evidence(entry).at(remark.column, 1))
                .fix("write the line so that both read it alike"),
            );
        }
    }
}
