//! `fstab/nofail-loses-ordering`: libvirt may start before the mount that its guests lie on.

use super::planned::{Planned, lines};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::plan::Kind;
use facts::Source;
use facts::domain::Guest;
use facts::path;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/nofail-loses-ordering",
    summary: "guests lie on a nofail mount that libvirt does not wait for",
    needs: &[Source::Fstab, Source::Guests],
    remedy: Remedy::Safe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A mount with `nofail` on which autostarted guests or a storage pool lie, and that nothing orders
before libvirt's daemon.

## Why it matters
`nofail` drops more than the requirement: the unit is no longer ordered before remote-fs.target or
local-fs.target, which libvirt waits for. libvirt then may look for the disks before they are
mounted: the guest does not start and, autostart being tried once per boot, stays down; or a pool or
QEMU writes into the empty mount point, under what will cover it a second later.

## Evidence
The line of `/etc/fstab`, and what lies on the mount.

## Example
    10.50.1.70:/volume1/vms  /mnt/nas/vms  nfs  nofail  0 0

## Remedy
`x-systemd.before=libvirtd.service` (with the modular daemons `x-systemd.before=virtqemud.service`
and `x-systemd.before=virtstoraged.service`), together with `x-systemd.mount-timeout=`, so that a
dead server holds libvirt up for that long only. It orders and does not require: when the mount
fails, libvirt starts all the same. Since systemd 256 `WantsMountsFor=` in a drop-in of the daemon
does it too. `RequiresMountsFor=` there is a mistake: see `fstab/libvirt-requires-network-mount`.

## When to ignore it
Guests that you start by hand.

## References
systemd.mount(5), nofail and x-systemd.before=; systemd.unit(5), WantsMountsFor=.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let modular = host.snapshot.daemons.mode.as_deref() == Some("modular");
    let lines = lines(host);
    let mounts = || {
        lines
            .iter()
            .filter(|l| l.plan.kind == Kind::Mount && l.plan.unit.is_some())
    };
    let points: Vec<&str> = mounts().map(|l| l.plan.mount_point.as_str()).collect();
    let users = users(host, &points);
    for line in mounts() {
        let plan = &line.plan;
        if !plan.nofail
            || plan.automount.is_some()
            || plan.pulled_in_by.is_empty()
            || ordered(host, line)
        {
            continue;
        }
        let Some(users) = users.get(plan.mount_point.as_str()) else {
            continue;
        };
        let added: &[&str] = if modular {
            &[
                "x-systemd.before=virtqemud.service",
                "x-systemd.before=virtstoraged.service",
            ]
        } else {
            &["x-systemd.before=libvirtd.service"]
        };
        let mut added = added.to_vec();
        if plan.timeout.is_none() && plan.network {
            added.push("x-systemd.mount-timeout=30s");
        }
        let target = &line.entry.target;
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                target,
                format!(
                    "nothing makes libvirt wait for {target}, where {} lie",
                    users.join(", ")
                ),
            )
            .consequence("libvirt may start first: the guests stay down, or write under the mount")
            .evidence(line.evidence("nofail"))
            .fix(line.edit(&added)),
        );
    }
}

/// Whether something orders the mount before libvirt.
fn ordered(host: &Host<'_>, line: &Planned<'_>) -> bool {
    let before = line.plan.before.iter().any(|unit| {
        [
            "libvirtd",
            "virtqemud",
            "remote-fs.target",
            "local-fs.target",
            "basic.target",
        ]
        .iter()
        .any(|name| unit.starts_with(name))
    });
    let unit = line.plan.unit.as_deref().unwrap_or("");
    before
        || host.snapshot.units.files.iter().any(|file| {
            (file.unit.starts_with("libvirtd.") || file.unit.starts_with("virtqemud."))
                && file.text.as_deref().unwrap_or("").lines().any(|text| {
                    text.split_once('=')
                        .is_some_and(|(key, value)| match key.trim() {
                            "After" => value.split_ascii_whitespace().any(|word| word == unit),
                            "RequiresMountsFor" | "WantsMountsFor" => value
                                .split_ascii_whitespace()
                                .any(|path| path::is_below(path, &line.plan.mount_point)),
                            _ => false,
                        })
                })
        })
}

/// For each mount point that has some: guests that autostart from there, and pools that lie there.
/// One pass over the guests, however many mounts there are.
fn users<'m>(host: &Host<'_>, points: &[&'m str]) -> BTreeMap<&'m str, Vec<String>> {
    // The nearest mount above a path is the one that it lies on.
    let points: HashSet<&str> = points.iter().copied().collect();
    let below = |path: &str| {
        let path = path::simplify(path);
        path::ancestors(&path).find_map(|point| points.get(point).copied())
    };
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let autostarted = |guest: &&Guest| guest.autostart == Some(true);
    for guest in host.snapshot.guests.iter().filter(autostarted) {
        let paths = guest.disks.iter().flat_map(|disk| {
            let own = disk.source.iter().chain(&disk.resolved);
            own.chain(disk.backing.iter().map(|backing| &backing.source))
        });
        let at: BTreeSet<&str> = paths.filter_map(|path| below(path)).collect();
        for point in at {
            users.entry(point).or_default().push(guest.name.clone());
        }
    }
    for pool in &host.snapshot.pools {
        let target = pool
            .target
            .as_deref()
            .filter(|_| pool.autostart == Some(true));
        if let Some(point) = target.and_then(below) {
            let name = format!("pool {}", pool.name);
            users.entry(point).or_default().push(name);
        }
    }
    users
}
