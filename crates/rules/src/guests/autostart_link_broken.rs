//! `guests/autostart-link-broken`: autostart that looks on and is off.

use crate::storage::support::severity;
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/autostart-link-broken",
    summary: "an entry in the autostart directory does not lead to the guest's definition",
    needs: &[Source::Guests],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A file `/etc/libvirt/qemu/autostart/NAME.xml` that libvirt ignores: it is a copy and no symbolic
link, or a link that leads elsewhere or nowhere. Error where the guest is critical or a member of an
HA group, else warning.

## Why it matters
libvirt counts a guest as autostarted only where the link leads to the very definition that it
loaded. After a restore from a backup that follows links, or a move of `/etc`, everything looks
right to the eye and nothing starts.

## Evidence
The entry, and what it leads to.

## Example
    /etc/libvirt/qemu/autostart/bind-02.xml -> /etc/libvirt/qemu/bind-2.xml

## Remedy
`virsh autostart --disable GUEST; virsh autostart GUEST` makes the link anew. Safe: it changes
nothing until the host's next boot.

## When to ignore it
Never; remove what is not wanted.

## References
libvirt, src/util/virfile.c, `virFileLinksTo`; virsh(1), autostart.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in &host.snapshot.guests {
        let Some(why) = &guest.autostart_broken else {
            continue;
        };
        let name = &guest.name;
        let link = format!("/etc/libvirt/qemu/autostart/{name}.xml");
        report.find(
            Finding::new(
                severity(host.estate, name),
                host.name(),
                name,
                format!("autostart of {name} looks on, but libvirt ignores it: {why}"),
            )
            .consequence("After the next boot of the host the guest stays off")
            .evidence(Evidence::measured(link.clone(), why.clone()))
            .fix(format!("rm {link}; virsh autostart {name}")),
        );
    }
}
