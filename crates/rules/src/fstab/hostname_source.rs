//! `fstab/hostname-source`: a mount that works only while a name server answers.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/hostname-source",
    summary: "a file server is named, and only a name server knows its address",
    needs: &[Source::Fstab, Source::Names],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A network mount whose server is given by a name that this host can resolve only by asking a name
server.

## Why it matters
The mount then has two things that can fail instead of one, and at the worst moment: after a power
cut the name server is often a guest that is not up yet (see fstab/circular-name-resolution). The
mount fails although the file server is there.

## Evidence
The line; `/etc/hosts`, `/etc/nsswitch.conf` and the name servers of `/etc/resolv.conf`.

## Example
    nas-01:/volume1/vms  /mnt/nas/vms  nfs  nofail  0 0

## Remedy
Write the address, or put the name into `/etc/hosts`. Not done unasked: Kerberos (`sec=krb5`) and TLS
need the name; for these `/etc/hosts` is the way.

## When to ignore it
Where the name server runs on machines that do not depend on this host, and a mount that waits is
no loss.

## References
nfs(5), mount.cifs(8) `ip=`, hosts(5), nsswitch.conf(5), systemd-resolved.service(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for entry in &host.snapshot.fstab {
        let names = line::names_to_look_up(entry, &host.snapshot.names);
        let Some(name) = names.first() else { continue };
        let kerberos = entry.option("sec").is_some_and(|s| s.starts_with("krb5"))
            || entry.has_option("xprtsec");
        let address = address_of(host, name);
        let fix = match (&address, kerberos) {
            (Some(address), false) => format!("write {address} instead of {name}"),
            (Some(address), true) => format!(
                "echo '{address} {name}' >> /etc/hosts (the security of this mount needs the name)"
            ),
            (None, false) => format!(
                "write the address of {name} (`getent ahosts {name}`), or add it to /etc/hosts"
            ),
            (None, true) => {
                format!("add {name} to /etc/hosts (the security of this mount needs the name)")
            }
        };
        let mut finding = Finding::new(
            Severity::Warning,
            host.name(),
            line::subject(entry),
            format!(
                "{} needs a name server to find {}",
                entry.source,
                names.join(", ")
            ),
        )
        .consequence("Without an answer the mount fails, even while the file server is up")
        .evidence(line::evidence(entry).mark(name))
        .fix(fix);
        for server in host.snapshot.names.servers.iter().take(3) {
            let place = facts::Evidence::line(&server.file, server.line, &server.text);
            finding = finding.evidence(place.mark(&server.address));
        }
        report.find(finding);
    }
}

/// The address that the site, or a line of `/etc/hosts` that is asked too late, gives a name.
fn address_of(host: &Host<'_>, name: &str) -> Option<String> {
    let site = host.estate.site.as_ref();
    let nas = host.estate.nas_of(name);
    site.and_then(|s| s.nas.get(nas)?.addresses.first().cloned())
        .or_else(|| {
            facts::names::lookup_in_hosts(&host.snapshot.names, name).map(|e| e.address.clone())
        })
}
