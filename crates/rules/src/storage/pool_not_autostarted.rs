//! `storage/pool-not-autostarted`: a guest waits for a pool that nobody starts.

use super::support::{autostarted, defined_disks, disk_evidence, not_started};
use crate::{Check, Host, Remedy, Report, Rule};
use facts::domain::{Disk, Guest};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/pool-not-autostarted",
    summary: "a guest that starts with its host has a disk in a pool that does not",
    needs: &[Source::Guests, Source::Pools],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A guest with autostart whose disk is a `volume` of a storage pool without autostart. Error where the
guest is critical or a member of an HA group, else warning.

## Why it matters
libvirt does not start a pool because a guest needs it. After a reboot the guest's start fails with
`storage pool 'vms' containing volume 'x' is not active`, and autostart is tried only once per boot.

## Evidence
The disk in the guest's definition; no link to the pool's definition in
`/etc/libvirt/storage/autostart/`.

## Example
    <source pool='vms' volume='bind-02.qcow2'/>
    $ virsh pool-info vms | grep Autostart
    Autostart:      no

## Remedy
`virsh pool-autostart POOL`. Safe: it changes nothing until libvirt's daemon starts next.

## When to ignore it
A pool that another service starts before the guests (a cluster manager).

## References
virsh(1), pool-autostart; tried with libvirt 9.0.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for guest in autostarted(host.snapshot) {
        let volumes = defined_disks(guest).filter(|disk| disk.kind == "volume");
        for disk in volumes {
            check_disk(host, guest, disk, report);
        }
    }
}

fn check_disk(host: &Host<'_>, guest: &Guest, disk: &Disk, report: &mut Report) {
    let source = disk.source.as_deref().unwrap_or_default();
    let name = source.split('/').next().unwrap_or_default();
    let mut pools = host.snapshot.pools.iter();
    if !pools.any(|pool| pool.name == name && pool.autostart == Some(false)) {
        return;
    }
    let message = format!(
        "{} starts with its host, but the pool {name} of its disk {} does not",
        guest.name, disk.target
    );
    let link = Evidence::measured(
        format!("/etc/libvirt/storage/autostart/{name}.xml"),
        format!("no such link: autostart of {name} is off"),
    );
    let evidence = [disk_evidence(guest, disk), link];
    let fix = format!("virsh pool-autostart {name}");
    report.find(not_started(host, guest, "pool", message, evidence, fix));
}
