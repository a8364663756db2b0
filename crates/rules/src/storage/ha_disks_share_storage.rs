//! `storage/ha-disks-share-storage`: twins that fall together with one file server or disk.

use super::place::{self, Place};
use super::support::{defined_disks, definitions, disk_evidence, path, removable};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::domain::{Disk, Guest};
use facts::{Evidence, Snapshot, Source};
use model::Estate;
use std::collections::{BTreeMap, BTreeSet};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "storage/ha-disks-share-storage",
    summary: "members of one HA group have their disks on the same storage",
    needs: &[Source::Guests],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
An HA group of site.toml of whose members so many have a disk, or a backing file, on one and the
same storage that the group is lost with it: a file server (whatever the export), a cluster of
network disks, or one and the same device that two hosts reach. Error where the members that are
left are fewer than the group needs (`need`, 1 where not said), warning where some share but enough
are left.

## Why it matters
The group was made so that one failure takes one member. A shared file server makes it one failure
for all of them, and it hits them at the same second: nothing fails over.

## Evidence
Each member's disk in its definition, the mount that its path lies on (mount table, fstab, units,
pools) and the server behind it. `nas-01` and `10.50.1.70` are one server where site.toml's
`[nas.NAME]` or the host's /etc/hosts says so. Members that share one host's local disks are told by
`guests/ha-members-on-one-host`.

## Example
    kvm-01  9800-WLC-01  /mnt/nas/vms/9800-WLC-01.qcow2   nas-01:/volume1/vms
    kvm-02  9800-WLC-02  /mnt/nas/vms/9800-WLC-02.qcow2   10.50.1.70:/volume1/vms

## Remedy
Move the members' disks to their hosts' local storage, or to two independent servers. Unsafe for a
machine to do unasked: each guest is down while its disk moves.

## When to ignore it
Storage that is itself redundant beyond the hosts (a Ceph cluster over three racks) is one failure
domain by name only: state the members' real needs in site.toml, or allow the export there.

## References
INCIDENT action item 17; libvirt, formatdomain.
";

/// One thing that fails as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Domain {
    Server(String),
    Cluster(String),
    Device(String),
}

impl Domain {
    fn words(&self) -> String {
        match self {
            Self::Server(name) => format!("the file server {name}"),
            Self::Cluster(name) => format!("the storage {name}"),
            Self::Device(name) => format!("the device {name}"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Server(name) | Self::Cluster(name) | Self::Device(name) => name,
        }
    }
}

fn check(estate: &Estate, hosts: &[&Snapshot], report: &mut Report) {
    let Some(site) = &estate.site else { return };
    let defined = definitions(hosts);
    for (group, members) in site.all_groups() {
        if members.len() < 2 {
            continue;
        }
        let mut users: BTreeMap<Domain, BTreeSet<&str>> = BTreeMap::new();
        let mut evidence: BTreeMap<Domain, Vec<Evidence>> = BTreeMap::new();
        for &member in &members {
            for &(host, guest) in defined.get(member).into_iter().flatten() {
                if let Some(reason) = place::unknown(host) {
                    report.not_checked(&host.host, format!("{member}: {reason}"));
                    continue;
                }
                for (domain, proof) in domains(estate, host, guest) {
                    if users.entry(domain.clone()).or_default().insert(member) {
                        evidence.entry(domain).or_default().extend(proof);
                    }
                }
            }
        }
        let need = site.groups.get(group).and_then(|g| g.need).unwrap_or(1);
        for (domain, sharing) in users.into_iter().filter(|(_, sharing)| sharing.len() > 1) {
            let proof = evidence.remove(&domain).unwrap_or_default();
            let left = members.len() - sharing.len();
            let (severity, consequence) = if left < need {
                (
                    Severity::Error,
                    format!("When it fails, all of {group} is lost at once"),
                )
            } else {
                (
                    Severity::Warning,
                    format!(
                        "When it fails, {left} of {} members are left",
                        members.len()
                    ),
                )
            };
            let names: Vec<&str> = sharing.into_iter().collect();
            let mut finding = Finding::new(
                severity,
                group,
                names.join(", "),
                format!(
                    "{} have their disks on {}",
                    names.join(" and "),
                    domain.words()
                ),
            )
            .consequence(consequence)
            .fix(format!(
                "move the disks of all but one of them off {}",
                domain.name()
            ));
            finding.evidence = proof;
            report.find(finding);
        }
    }
}

/// What a guest's disks fail with, beyond its own host.
fn domains(estate: &Estate, host: &Snapshot, guest: &Guest) -> Vec<(Domain, Vec<Evidence>)> {
    let mut found: Vec<(Domain, Vec<Evidence>)> = Vec::new();
    for disk in defined_disks(guest).filter(|disk| !removable(disk)) {
        let links = disk
            .backing
            .iter()
            .filter(|b| matches!(b.kind.as_str(), "file" | "block"));
        let paths = path(disk)
            .into_iter()
            .chain(links.map(|b| b.source.as_str()))
            .chain(disk.data_file.as_deref());
        for path in paths {
            let proof = || vec![disk_evidence(guest, disk)];
            match place::of_path(host, path) {
                Some(place) if !place.allowed(estate, host) => {
                    let mut proof = proof();
                    proof.push(place.evidence.clone());
                    found.push((server(estate, host, &place), proof));
                }
                Some(_) => {}
                // The same name of a device on two hosts is the same device only where the name
                // comes from the device itself.
                None if path.starts_with("/dev/disk/by-id/wwn-")
                    || path.starts_with("/dev/disk/by-id/nvme-eui.")
                    || path.starts_with("/dev/disk/by-id/scsi-3")
                    || path.starts_with("/dev/mapper/3600") =>
                {
                    found.push((Domain::Device(path.to_owned()), proof()));
                }
                None => {}
            }
        }
        found.extend(network_disk(estate, host, guest, disk));
    }
    found
}

fn server(estate: &Estate, host: &Snapshot, place: &Place) -> Domain {
    Domain::Server(place.server_identity(estate, host))
}

fn network_disk(
    estate: &Estate,
    host: &Snapshot,
    guest: &Guest,
    disk: &Disk,
) -> Option<(Domain, Vec<Evidence>)> {
    if disk.kind != "network" {
        return None;
    }
    let proof = vec![disk_evidence(guest, disk)];
    let nas = disk
        .hosts
        .iter()
        .find_map(|h| place::known_nas(estate, host, place::host_name(h)));
    if let Some(nas) = nas {
        return Some((Domain::Server(nas.to_owned()), proof));
    }
    let first = disk.hosts.first().filter(|h| !h.starts_with("unix:"))?;
    if place::single_server(disk) {
        return Some((Domain::Server(place::host_name(first).to_owned()), proof));
    }
    let protocol = disk.source.as_deref()?.split(':').next()?;
    let mut monitors: Vec<&str> = disk.hosts.iter().map(|h| place::host_name(h)).collect();
    monitors.sort_unstable();
    Some((
        Domain::Cluster(format!("{protocol} {}", monitors.join(","))),
        proof,
    ))
}
