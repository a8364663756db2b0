//! `resolver/all-servers-are-local-guests`: a hypervisor that asks its own guests for names.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::names::NameServer;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "resolver/all-servers-are-local-guests",
    summary: "every name server of this host is a guest of this site's own hypervisors",
    needs: &[Source::Names],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A host all of whose name servers are guests that site.toml knows (by their `addresses`). An error where
all of them run on this very host, a warning where they are spread over hosts of the site.

## Why it matters
While this host boots, its own guests do not run yet; after a power cut nobody's do. Whatever needs a
name then waits and fails: NFS mounts, time, licences, directories. In the incident the NAS was mounted
by a name that only bind-01 and bind-02 could tell, which lay on the two hosts that mounted it.

## Evidence
The `nameserver` lines (behind systemd-resolved's stub those that it asks), and the guests' addresses in
site.toml.

## Example
    # /etc/resolv.conf of kvm-01
    nameserver 10.50.1.53   # bind-01, a guest of kvm-01

## Remedy
Give the hypervisors one more server outside (the router's, the provider's) as the last, or keep the few
names that booting needs in `/etc/hosts`, or write addresses where a name is not needed.

## When to ignore it
Nothing on the hosts needs a name to boot and to start guests: `fstab/circular-name-resolution` finds
the worst case, but not every service's configuration.

## References
resolv.conf(5); systemd-resolved.service(8).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let servers = &host.snapshot.names.servers;
    // Without a site nobody can tell which address is a guest's.
    if host.estate.site.is_none() || servers.is_empty() {
        return;
    }
    let mut guests: Vec<(&NameServer, &str)> = Vec::new();
    for server in servers {
        match host.estate.guest_at(&server.address) {
            Some(guest) => guests.push((server, guest)),
            None => return,
        }
    }
    let here = guests
        .iter()
        .all(|(_, guest)| host.estate.host_of(guest) == Some(host.name()));
    let mut names: Vec<&str> = guests.iter().map(|(_, guest)| *guest).collect();
    names.dedup();
    let names = names.join(", ");
    let (severity, message) = if here {
        (
            Severity::Error,
            format!("every name server is a guest of this very host: {names}"),
        )
    } else {
        (
            Severity::Warning,
            format!("every name server is a guest of this site's own hosts: {names}"),
        )
    };
    let mut finding = Finding::new(severity, host.name(), "name servers", message)
        .consequence(if here {
            "While this host boots no name can be resolved"
        } else {
            "When the hosts start together, after a power cut, no name can be resolved until their guests run"
        })
        .fix("add a name server outside as the last one, or keep the names that booting needs in /etc/hosts");
    for (server, guest) in guests {
        finding = finding
            .evidence(Evidence::line(&server.file, server.line, &server.text).mark(&server.address))
            .evidence_if(
                host.estate
                    .site_evidence("guests", guest, Some("addresses")),
            );
    }
    report.find(finding);
}
