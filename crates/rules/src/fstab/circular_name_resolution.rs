//! `fstab/circular-name-resolution`: the name servers are guests that need the mount, or the host.

use super::line;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::fstab::Entry;
use facts::names::NameServer;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/circular-name-resolution",
    summary: "a mount's name is resolved by guests that need the mount or run on these hosts",
    needs: &[Source::Fstab, Source::Names],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A network mount given by a name, where every name server that this host asks is a guest of the
site's own hypervisors (or a hypervisor itself).

## Why it matters
It is a circle: the mount waits for the name, the name for the guest, the guest for its host, or
even for its disk on that very mount. While one host is up it does not show. After a power cut, or
when both hosts are down as in the incident, nothing breaks the circle: each waits for the other.

## Evidence
The fstab line, the name servers in resolv.conf, and the guests that have their addresses
(`guests.NAME.addresses` in site.toml), with those disks that lie on the mount.

## Example
    nas-01:/volume1/vms  /mnt/nas/vms  nfs  defaults  0 0
    nameserver 10.50.1.53      # bind-01, a guest of kvm-01

## Remedy
Write the address in fstab, or the name into `/etc/hosts`. A third name server outside the
hypervisors also ends the circle. Not done unasked: Kerberos and TLS mounts need the name.

## When to ignore it
Never where guests must come back by themselves after a power cut.

## References
nfs(5), hosts(5), nsswitch.conf(5), resolv.conf(5).
";

/// Where a name server runs.
struct Placed<'a> {
    server: &'a NameServer,
    what: String,
    guest: Option<&'a str>,
}

fn check(host: &Host<'_>, report: &mut Report) {
    let servers = &host.snapshot.names.servers;
    // All of them must be inside the circle: one server elsewhere opens it.
    let Some(placed) = servers
        .iter()
        .map(|s| place(host, s))
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    if placed.is_empty() {
        return;
    }
    for entry in host.snapshot.fstab.iter().filter(|e| !e.noauto()) {
        let names = line::names_to_look_up(entry, &host.snapshot.names);
        if let Some(name) = names.first() {
            report_line(host, entry, name, &placed, report);
        }
    }
}

/// Who a name server is, where it is one of the site's own guests or hosts.
fn place<'a>(host: &Host<'a>, server: &'a NameServer) -> Option<Placed<'a>> {
    let site = host.estate.site.as_ref()?;
    if let Some(guest) = host.estate.guest_at(&server.address) {
        let on = host.estate.host_of(guest)?;
        // A guest on a machine that nofail does not look after is outside the circle.
        if !site.hosts.contains_key(on) && host.estate.host(on).is_none() {
            return None;
        }
        return Some(Placed {
            server,
            what: format!("{guest} (a guest of {on})"),
            guest: Some(guest),
        });
    }
    let (name, _) = site.hosts.iter().find(|(_, h)| {
        h.addresses.contains(&server.address) || h.address.as_deref() == Some(&server.address)
    })?;
    Some(Placed {
        server,
        what: format!("{name} itself"),
        guest: None,
    })
}

fn report_line(
    host: &Host<'_>,
    entry: &Entry,
    name: &str,
    placed: &[Placed<'_>],
    report: &mut Report,
) {
    let target = entry.mount_point();
    let on_mount = line::guests_below(host.snapshot, &target);
    let needing: Vec<&str> = placed
        .iter()
        .filter_map(|p| p.guest)
        .filter(|g| on_mount.contains(g))
        .collect();
    let who: Vec<&str> = placed.iter().map(|p| p.what.as_str()).collect();
    let consequence = if needing.is_empty() {
        "When these hosts start together, the mount waits for guests that are not up yet".to_owned()
    } else {
        format!(
            "The disk of {} lies on this very mount: without the name no mount, without the mount no name",
            needing.join(", ")
        )
    };
    let address = host.estate.site.as_ref().and_then(|site| {
        site.nas
            .get(host.estate.nas_of(name))?
            .addresses
            .first()
            .cloned()
    });
    let fix = match address {
        Some(address) => format!("write {address} instead of {name} in line {}", entry.line),
        None => format!(
            "write the address of {name} in line {}, or add it to /etc/hosts",
            entry.line
        ),
    };
    let mut finding = Finding::new(
        Severity::Error,
        host.name(),
        &target,
        format!(
            "only {} can tell the address of {name}, which {target} needs",
            who.join(" and ")
        ),
    )
    .consequence(consequence)
    .evidence(line::evidence(entry).mark(name))
    .fix(fix);
    for placed in placed {
        let server = placed.server;
        finding = finding.evidence(
            Evidence::line(&server.file, server.line, &server.text).mark(&server.address),
        );
        if let Some(guest) = placed.guest {
            finding = finding.evidence_if(host.estate.site_evidence(
                "guests",
                guest,
                Some("addresses"),
            ));
        }
    }
    report.find(finding);
}
