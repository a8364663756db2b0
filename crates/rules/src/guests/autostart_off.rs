//! `guests/autostart-off`: a guest that runs now and would not come back.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::domain::Guest;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/autostart-off",
    summary: "a guest that is wanted does not start with its host",
    needs: &[Source::Guests],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A guest without libvirt's autostart mark that somebody relies on: the site says it is critical
(error) or a member of an HA group (error, since its twin is then alone after the next boot), or
it simply runs at this moment (warning).

## Why it matters
After the host's next boot, planned or not, the guest stays off until a person remembers it. On
the day of the incident two guests were found shut off in the morning; nothing would have brought
them back.

## Evidence
The guest's definition `/etc/libvirt/qemu/NAME.xml` and the absence of the link
`/etc/libvirt/qemu/autostart/NAME.xml`.

## Example
    $ virsh dominfo bind-02 | grep Autostart
    Autostart:      disable

## Remedy
`virsh autostart GUEST`. Safe: it changes nothing until the next boot of the host.

## When to ignore it
A guest that another program starts (a cluster manager such as Pacemaker, oVirt), or one that is
started by hand on purpose: leave it out of site.toml's critical guests and groups.

## References
virsh(1), autostart; libvirt marks autostart as done once per boot in
`/run/libvirt/qemu/autostarted`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in &host.snapshot.guests {
        // A transient guest cannot autostart at all: guests/transient-definition tells that.
        if guest.autostart == Some(false) && guest.persistent {
            report_guest(host, guest, report);
        }
    }
}

fn report_guest(host: &Host<'_>, guest: &Guest, report: &mut Report) {
    let name = &guest.name;
    let group = host.estate.group_of(name);
    let (severity, who) = if host.estate.is_critical(name) {
        (Severity::Error, "is critical".to_owned())
    } else if let Some((group, _)) = &group {
        (Severity::Error, format!("belongs to the HA group {group}"))
    } else if guest.state.as_deref() == Some("running") {
        (Severity::Warning, "is running now".to_owned())
    } else {
        return;
    };
    let missing = Evidence::measured(
        format!("/etc/libvirt/qemu/autostart/{name}.xml"),
        "no such link: autostart is off",
    );
    report.find(
        Finding::new(
            severity,
            host.name(),
            name,
            format!("{name} {who} and does not start with its host"),
        )
        .consequence("After the next boot of the host it stays off until a person starts it")
        .evidence(missing)
        .evidence_if(
            host.estate
                .site_evidence("guests", name, None)
                .filter(|_| host.estate.intent(name).is_some()),
        )
        .fix(format!("virsh autostart {name}")),
    );
}
