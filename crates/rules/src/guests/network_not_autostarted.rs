//! `guests/network-not-autostarted`: a guest waits for a network that nobody starts.

use crate::storage::support::{autostarted, definition, not_started};
use crate::{Check, Host, Remedy, Report, Rule};
use facts::domain::{Guest, Interface};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/network-not-autostarted",
    summary: "a guest that starts with its host needs a libvirt network that does not",
    needs: &[Source::Guests, Source::Networks],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A guest with autostart that has an interface of type `network` whose libvirt network has no
autostart, or does not exist. Error where the guest is critical or a member of an HA group, else
warning.

## Why it matters
libvirt does not start a network because a guest needs it: after a reboot the guest's start fails
with `network 'X' is not active`, and autostart is tried only once per boot. As long as nobody
reboots, the network that somebody started by hand hides it.

## Evidence
The interface in the guest's definition; no link to the network's definition in
`/etc/libvirt/qemu/networks/autostart/`.

## Example
    <interface type='network'><source network='trunk'/>
    $ virsh net-info trunk | grep Autostart
    Autostart:      no

## Remedy
`virsh net-autostart NETWORK`. Safe: it changes nothing until libvirt's daemon starts next.

## When to ignore it
A network that another service defines or starts before the guests.

## References
virsh(1), net-autostart; tried with libvirt 9.0.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in autostarted(host.snapshot) {
        let interfaces = guest.interfaces.iter();
        for interface in interfaces.filter(|i| i.kind == "network" && !i.live_only) {
            check_interface(host, guest, interface, report);
        }
    }
}

fn check_interface(host: &Host<'_>, guest: &Guest, interface: &Interface, report: &mut Report) {
    let Some(name) = interface.source.as_deref() else {
        return;
    };
    let networks = &host.snapshot.networks;
    let (what, fix) = match networks.iter().find(|network| network.name == name) {
        Some(network) if network.autostart == Some(false) => (
            "does not start with the host",
            format!("virsh net-autostart {name}"),
        ),
        Some(_) => return,
        None => {
            // A definition that could not be read may be the one.
            if host
                .snapshot
                .unread
                .iter()
                .any(|u| u.source == Source::Networks)
            {
                return;
            }
            (
                "is not defined",
                format!("define it: virsh net-define FILE; virsh net-autostart {name}"),
            )
        }
    };
    let guest_name = &guest.name;
    let evidence = if interface.line > 0 && !interface.text.is_empty() {
        Evidence::line(definition(guest), interface.line, &interface.text)
    } else {
        Evidence::measured(definition(guest), format!("interface of network {name}"))
    };
    let message = format!("{guest_name} starts with its host, but its network {name} {what}");
    let link = Evidence::measured(
        format!("/etc/libvirt/qemu/networks/autostart/{name}.xml"),
        "no such link",
    );
    report.find(not_started(
        host,
        guest,
        "network",
        message,
        [evidence, link],
        fix,
    ));
}
