//! `units/failed-unit`: a service that guests live on has failed.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "units/failed-unit",
    summary: "a service that guests need is in state failed",
    needs: &[Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
In state failed: a unit of libvirt (an error for the daemons and their sockets), of the network
service, or of shared storage (NFS, iSCSI, multipath, LVM). Mounts have a rule of their own.

## Why it matters
Guests run on without libvirtd, so that nobody notices; but none can be started, moved or asked, and
after a boot none is started at all. A failed `libvirt-guests` means that guests are cut off, not shut
down, when the host goes down.

## Evidence
The unit's name and result from systemd.

## Example
    $ systemctl --failed
    virtqemud.service loaded failed failed libvirt QEMU daemon

## Remedy
`journalctl -b -u UNIT` tells why. After mending: `systemctl reset-failed UNIT; systemctl start UNIT`.

## When to ignore it
A service that this host does not need: disable it, so that it no longer fails.

## References
systemctl(1), `--failed`; libvirt's page on its daemons.
";

/// Units, by the beginning of their names, how bad it is, and what follows.
const WATCHED: &[(&str, Severity, &str)] = &[
    (
        "libvirt-guests.",
        Severity::Warning,
        "Guests are not shut down in order when the host goes down",
    ),
    (
        "libvirtd",
        Severity::Error,
        "No guest can be started, stopped or asked, and none starts at the next boot",
    ),
    (
        "virtqemud",
        Severity::Error,
        "No guest can be started, stopped or asked, and none starts at the next boot",
    ),
    (
        "virtnetworkd",
        Severity::Error,
        "Guests on libvirt's networks cannot start",
    ),
    (
        "virtstoraged",
        Severity::Warning,
        "Guests whose disks are volumes of a pool cannot start",
    ),
    (
        "virtlogd",
        Severity::Error,
        "Guests whose console is logged (the default) cannot start",
    ),
    (
        "virtlockd",
        Severity::Error,
        "Where disks are locked, no guest can start",
    ),
    ("virt", Severity::Warning, "Part of libvirt does not answer"),
    (
        "NetworkManager.",
        Severity::Error,
        "At the next boot the bridge may not come up",
    ),
    (
        "NetworkManager-wait-online.",
        Severity::Warning,
        "Network mounts and guests may start before the network is there",
    ),
    (
        "systemd-networkd-wait-online.",
        Severity::Warning,
        "Network mounts and guests may start before the network is there",
    ),
    (
        "systemd-networkd.",
        Severity::Error,
        "At the next boot the bridge may not come up",
    ),
    (
        "openvswitch",
        Severity::Error,
        "Guests on Open vSwitch have no network",
    ),
    (
        "rpc-statd",
        Severity::Warning,
        "NFS version 3 mounts have no locks",
    ),
    ("nfs-", Severity::Warning, "NFS does not work as it should"),
    ("iscsi", Severity::Warning, "Disks on iSCSI may be missing"),
    (
        "multipathd",
        Severity::Warning,
        "Disks behind multipath may be missing or have one path",
    ),
    ("lvm2-", Severity::Warning, "Logical volumes may be missing"),
];

fn check(host: &Host<'_>, report: &mut Report) {
    for unit in &host.snapshot.units.failed {
        let name = &unit.name;
        if !name.ends_with(".service") && !name.ends_with(".socket") {
            continue;
        }
        let Some((_, severity, consequence)) =
            WATCHED.iter().find(|(prefix, ..)| name.starts_with(prefix))
        else {
            continue;
        };
        let result = unit.result.as_deref().unwrap_or("failed");
        report.find(
            Finding::new(
                *severity,
                host.name(),
                name,
                format!("{name} is in state failed ({result})"),
            )
            .consequence(*consequence)
            .evidence(Evidence::measured(
                format!("systemd:{name}"),
                format!("failed, result {result}"),
            ))
            .fix(format!("journalctl -b -u {name} tells why")),
        );
    }
}
