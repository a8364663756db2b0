//! `fstab/duplicate-target`: two lines for one mount point, or one swap area twice.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::fstab::Entry;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/duplicate-target",
    summary: "two lines of fstab name one mount point",
    needs: &[Source::Fstab],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Two or more lines with one mount point (written alike or not: `/data` and `/data/`), or the same
swap source twice.

## Why it matters
systemd names a mount's unit after its mount point: of two lines one is dropped with a message in
the journal, and it is the first that counts. `mount -a` mounts both, the last on top. So the host
shows other files after a boot than after a `mount -a`, and options such as `nofail` of one line do
nothing for the other.

## Evidence
Both lines.

## Example
    UUID=aa…        /data  xfs   defaults         0 2
    nas-01:/data    /data/ nfs   nofail,_netdev   0 0

## Remedy
Keep one of them.

## When to ignore it
Lines that are all `noauto` (several sources for one place, mounted by hand) are not reported.

## References
systemd-fstab-generator(8); systemd.mount(5): one unit per mount point; mount(8), `-a`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let mut by_target: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for entry in &host.snapshot.fstab {
        let key = if entry.is_swap() {
            format!("swap {}", entry.source)
        } else if entry.target.starts_with('/') {
            entry.mount_point()
        } else {
            continue;
        };
        by_target.entry(key).or_default().push(entry);
    }
    for entries in by_target.into_values() {
        let [first, others @ ..] = entries.as_slice() else {
            continue;
        };
        if others.is_empty() || entries.iter().all(|e| e.noauto()) {
            continue;
        }
        let lines: Vec<String> = entries.iter().map(|e| e.line.to_string()).collect();
        let subject = line::subject(first);
        let field = if first.is_swap() { 1 } else { 2 };
        let mut finding = Finding::new(
            Severity::Warning,
            host.name(),
            &subject,
            format!("{subject} stands in lines {} of fstab", lines.join(" and ")),
        )
        .consequence(format!(
            "systemd uses line {} and drops the rest, `mount -a` uses them all",
            first.line
        ))
        .fix("keep one of the lines");
        for entry in others.iter().chain(std::iter::once(first)) {
            finding = finding.evidence(line::mark_field(entry, field));
        }
        report.find(finding);
    }
}
