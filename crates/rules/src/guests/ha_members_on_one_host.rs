//! `guests/ha-members-on-one-host`: a group that one host takes down.

use crate::storage::support::{definitions, guest_evidence};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::domain::Guest;
use facts::{Evidence, Snapshot, Source};
use model::Estate;
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/ha-members-on-one-host",
    summary: "so many members of an HA group are on one host that the group falls with it",
    needs: &[Source::Guests],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
An HA group of site.toml that loses its service with one host: the members elsewhere are fewer than
the group needs (`need`, 1 where not said). Error where all members are on that host, warning where
some are elsewhere but too few, as with a quorum of 3 on two hosts.

## Why it matters
The group exists to survive a host. After a guest was migrated or restored in a hurry, both twins
may well be on one host, and nothing looks wrong until that host is rebooted.

## Evidence
Where each member is defined, and where it runs: a guest that is defined on several hosts counts for
the one where it runs, and for none in particular while it is shut off. Where a member is found on no
host that was read, site.toml's `host` is taken; without one the group is told under *not checked*.

## Example
    vault-02 and vault-03 on kvm-02, vault-01 on kvm-01, need = 2

## Remedy
Move one member: `virsh migrate --persistent --undefinesource GUEST qemu+ssh://OTHER/system`, or
define it anew there. A quorum of 3 on two hosts cannot be mended by moving: it needs a third host
or a witness elsewhere.

## When to ignore it
A site of one host; or state the group's real `need`.

## References
INCIDENT action item 17; virsh(1), migrate.
";

fn check(estate: &Estate, hosts: &[&Snapshot], report: &mut Report) {
    let Some(site) = &estate.site else { return };
    let defined = definitions(hosts);
    for (group, members) in site.all_groups() {
        if members.len() < 2 {
            continue;
        }
        let need = site.groups.get(group).and_then(|g| g.need).unwrap_or(1);
        let mut on: BTreeMap<&str, Vec<(&str, Evidence)>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for &member in &members {
            let found = defined.get(member).map(Vec::as_slice).unwrap_or_default();
            match home(estate, hosts, found, member) {
                Home::At(host, evidence) => on.entry(host).or_default().push((member, evidence)),
                Home::Several => {}
                Home::Unknown => unknown.push(member),
            }
        }
        for (host, here) in on {
            let elsewhere = members.len() - here.len();
            if elsewhere >= need {
                continue;
            }
            let names: Vec<&str> = here.iter().map(|(name, _)| *name).collect();
            let (severity, message) = if elsewhere == 0 {
                let message = format!("all members of {group} are on {host}: {}", names.join(", "));
                (Severity::Error, message)
            } else {
                let message = format!(
                    "{group} needs {need} of {} members, and {} of them are on {host}: {}",
                    members.len(),
                    here.len(),
                    names.join(", ")
                );
                (Severity::Warning, message)
            };
            let mut finding = Finding::new(severity, host, group, message)
                .consequence(format!(
                    "When {host} fails or is rebooted, {group} is lost with it"
                ))
                .fix(format!(
                    "move one: virsh migrate --persistent --undefinesource {} \
                     qemu+ssh://OTHER-HOST/system",
                    names.first().unwrap_or(&"GUEST")
                ));
            finding.evidence = here.into_iter().map(|(_, evidence)| evidence).collect();
            finding = finding.evidence_if(estate.site_evidence("groups", group, None));
            report.find(finding);
        }
        if !unknown.is_empty() {
            let why = format!("{group}: it is not known where {} is", unknown.join(", "));
            report.not_checked("(site)", why);
        }
    }
}

enum Home<'a> {
    /// On this host.
    At(&'a str, Evidence),
    /// Defined on several hosts, running on none: it can be started on another.
    Several,
    Unknown,
}

fn home<'a>(
    estate: &'a Estate,
    hosts: &[&'a Snapshot],
    found: &[(&'a Snapshot, &'a Guest)],
    member: &'a str,
) -> Home<'a> {
    let runs = found
        .iter()
        .find(|(_, guest)| matches!(guest.state.as_deref(), Some("running" | "paused")));
    match (runs, found) {
        (Some((host, guest)), _) => {
            let text = format!("{member} runs on {}", host.host);
            Home::At(&host.host, guest_evidence(guest, text))
        }
        (None, [(host, guest)]) => {
            let text = format!("{member} is defined on {}", host.host);
            Home::At(&host.host, guest_evidence(guest, text))
        }
        (None, [_, ..]) => Home::Several,
        (None, []) => match estate
            .intent(member)
            .and_then(|guest| guest.host.as_deref())
        {
            // Not where the site says, though that host was read: then it is nowhere known.
            Some(host) if !hosts.iter().any(|h| h.host == host) => {
                let evidence = estate.site_evidence("guests", member, Some("host"));
                Home::At(host, evidence.unwrap_or_default())
            }
            _ => Home::Unknown,
        },
    }
}
