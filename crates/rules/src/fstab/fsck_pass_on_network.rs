//! `fstab/fsck-pass-on-network`: a file system check is asked for what no fsck can check.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::fstab::SourceKind;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/fsck-pass-on-network",
    summary: "a fsck pass number on a file server's export",
    needs: &[Source::Fstab],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
An NFS, SMB, sshfs, ceph, glusterfs or WebDAV line whose sixth field is not 0.

## Why it matters
No fsck exists for it: systemd says so at every boot and goes on; `fsck -A` on a host without
systemd ends with an error. It mostly shows that the line was copied from a local one, and then
other things in it deserve a look too.

## Evidence
The line.

## Example
    nas-01:/volume1/isos  /mnt/nas/isos  nfs  ro  0 2

## Remedy
Write 0. Safe: nothing was checked before either.

## When to ignore it
It is harmless under systemd. A network *block* device (iSCSI) does have a local file system to
check and is not reported.

## References
fstab(5), the sixth field; fsck(8), `-A`; systemd-fsck@.service(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        let kind = entry.kind();
        if entry.pass == 0 || !kind.is_remote() || matches!(kind, SourceKind::Iscsi { .. }) {
            continue;
        }
        report.find(
            Finding::new(
                Severity::Info,
                host.name(),
                line::subject(entry),
                format!(
                    "fsck pass {} for {}, which no fsck can check",
                    entry.pass, entry.source
                ),
            )
            .consequence("systemd ignores it with a message at every boot")
            .evidence(line::mark_field(entry, 6))
            .fix(format!("write 0 as the sixth field of line {}", entry.line)),
        );
    }
}
