//! `fstab/libvirt-requires-network-mount`: libvirt's daemon refuses to start without a NAS.

use super::planned::{NetworkMounts, lines};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::boot::plan::Requirement;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "fstab/libvirt-requires-network-mount",
    summary: "libvirt's daemon requires a network mount, so a dead NAS stops every guest",
    needs: &[Source::Fstab, Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A unit or drop-in of libvirt's daemons (`libvirtd`, `virtqemud`, `virtstoraged` and their sockets)
with `Requires=`, `BindsTo=` or `RequiresMountsFor=` on a network mount, or a network line of fstab
with `x-systemd.required-by=` such a unit.

## Why it matters
It is the usual cure for libvirt starting before its storage, and it is worse than the illness:
when the NAS is dead the daemon does not start at all, and with it no guest, not even those that
lie on local disks: DNS, gateway, and what is needed to mend the NAS.

## Evidence
The unit file and its line, or the line of fstab.

## Example
    # /etc/systemd/system/libvirtd.service.d/nas.conf
    [Unit]
    RequiresMountsFor=/mnt/nas/vms

## Remedy
Order without requiring: `x-systemd.before=libvirtd.service` and a bounded
`x-systemd.mount-timeout=` on the line of fstab, or `WantsMountsFor=` instead of
`RequiresMountsFor=` (systemd 256 and later), or `After=` and `Wants=` on the mount unit.

## When to ignore it
Every guest of the host lies on that mount, and the host has no other duty.

## References
systemd.unit(5), RequiresMountsFor= and WantsMountsFor=; systemd.mount(5), x-systemd.before=.
";

fn is_libvirt(unit: &str) -> bool {
    ["libvirtd", "virtqemud", "virtstoraged"]
        .iter()
        .any(|name| {
            unit.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', '-']))
        })
}

fn check(host: &Host<'_>, report: &mut Report) {
    let lines = lines(host);
    let mut tell = |unit: &str, target: &str, evidence: Vec<Evidence>| {
        let mut finding = Finding::new(
            Severity::Error,
            host.name(),
            unit,
            format!("{unit} requires {target}, a network mount"),
        )
        .consequence("When the server does not answer, no guest of this host starts")
        .fix(format!(
            "order it only: x-systemd.before={unit} and x-systemd.mount-timeout=30s on the line of {target} in /etc/fstab, and no requirement"
        ));
        for piece in evidence {
            finding = finding.evidence(piece);
        }
        report.find(finding);
    };
    for line in lines.iter().filter(|line| line.plan.network) {
        for link in &line.plan.pulled_in_by {
            if link.requirement == Requirement::Requires && is_libvirt(&link.target) {
                let evidence =
                    vec![line.evidence(&format!("x-systemd.required-by={}", link.target))];
                tell(&link.target, &line.entry.target, evidence);
            }
        }
    }
    let network = NetworkMounts::of(&lines);
    for file in host
        .snapshot
        .units
        .files
        .iter()
        .filter(|file| is_libvirt(&file.unit))
    {
        for (text, number) in file.text.as_deref().unwrap_or("").lines().zip(1..) {
            let Some((key, value)) = text.split_once('=') else {
                continue;
            };
            for word in value.split_ascii_whitespace() {
                let line = match key.trim() {
                    "RequiresMountsFor" => network.above(word),
                    "Requires" | "BindsTo" | "Requisite" => lines
                        .iter()
                        .find(|line| line.plan.network && line.plan.unit.as_deref() == Some(word)),
                    _ => None,
                };
                if let Some(line) = line {
                    let place = Evidence::line(&file.path, number, text).mark(word);
                    tell(
                        &file.unit,
                        &line.entry.target,
                        vec![place, line.evidence(&line.entry.target)],
                    );
                }
            }
        }
    }
}
