//! `guests/transient-definition`: a guest that is gone once it stops.

use crate::storage::support::severity;
use crate::{Check, Finding, Host, Remedy, Report, Rule};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/transient-definition",
    summary: "a guest runs without a persistent definition",
    needs: &[Source::Guests, Source::GuestState],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A running guest that libvirt has no persistent definition of. Error where it is critical or a member
of an HA group, else warning.

## Why it matters
A transient guest cannot autostart, and when it stops, for whatever reason, libvirt forgets it:
there is nothing left to start. It comes from `virsh create`, from `virsh undefine` of a running
guest, or from `virsh migrate` without `--persistent`.

## Evidence
A status file `/run/libvirt/qemu/NAME.xml` of a living QEMU process, and no definition
`/etc/libvirt/qemu/NAME.xml`.

## Example
    $ virsh dominfo g | grep Persistent
    Persistent:     no

## Remedy
`virsh dumpxml GUEST >g.xml && virsh define g.xml`. Safe: the running guest does not notice.

## When to ignore it
Guests of a manager that keeps the definitions itself (oVirt, OpenStack Nova, KubeVirt).

## References
libvirt, \"Domain states\", transient domains; virsh(1), create, define.
";

fn check(host: &Host<'_>, report: &mut Report) {
    // A definition that was there and could not be read is none of these.
    let unread = |name: &str| {
        let file = format!("/etc/libvirt/qemu/{name}.xml");
        let mut unread = host.snapshot.unread.iter();
        unread.any(|u| u.source == Source::Guests && u.item.as_deref() == Some(&file))
    };
    for guest in &host.snapshot.guests {
        let stopped = guest.state.as_deref() == Some("shut-off");
        if guest.persistent || stopped || unread(&guest.name) {
            continue;
        }
        let name = &guest.name;
        let status = guest
            .status_file
            .clone()
            .unwrap_or_else(|| format!("/run/libvirt/qemu/{name}.xml"));
        report.find(
            Finding::new(
                severity(host.estate, name),
                host.name(),
                name,
                format!("{name} runs without a persistent definition"),
            )
            .consequence("Once it stops, libvirt knows nothing of it, and nothing starts it again")
            .evidence(Evidence::measured(status, format!("live status of {name}")))
            .evidence(Evidence::measured(
                format!("/etc/libvirt/qemu/{name}.xml"),
                "no such file",
            ))
            .fix(format!(
                "virsh dumpxml {name} >/root/{name}.xml && virsh define /root/{name}.xml"
            )),
        );
    }
}
