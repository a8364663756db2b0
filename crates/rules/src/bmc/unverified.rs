//! `bmc/unverified`: nobody has seen the BMC working, or not for a month.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Evidence;
use jiff::civil::Date;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bmc/unverified",
    summary: "the host's BMC was never seen working, or not for a month",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

/// Days that one look counts.
const DAYS: i32 = 31;

const DOC: &str = "\
## What it finds
A BMC that site.toml names and that nobody has seen working (error), or not within 31 days of the
day of the snapshot (warning). Seen working is: the last `nofail bmc check` kept on this machine let
us in, or site.toml says so with a `verified` date, whichever is later. A last check that did not
let us in is an error, whatever site.toml says of an earlier day.

## Why it matters
A BMC is needed on the day when everything else is gone. On the day of the incident one of the two
was known to work and brought its host back; nobody could say so of the other.

## Evidence
The check kept under /var/lib/nofail/bmc, the host's BMC table in site.toml, and the day on which
the host was read.

## Example
    [hosts.kvm-01.bmc]
    address = \"10.50.1.21\"      # and no verified = \"2026-04-13\"

## Remedy
From another machine: `nofail bmc check kvm-01 --site site.toml`, which asks whether it answers,
lets in, rules the power, offers the console and keeps the right time, and keeps the outcome. Open
the console once (`ipmitool sol activate`).

## When to ignore it
A host with another way in: name it with `console = \"…\"` in site.toml.

## References
ipmitool(1), chassis power and sol; DSP0266 (Redfish); INC-2026-04-13-001, action item 8.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let site = host.estate.site.as_ref();
    let Some(intent) = site.and_then(|s| s.hosts.get(host.name())) else {
        return;
    };
    let Some(bmc) = intent.bmc.as_ref().filter(|_| intent.console.is_none()) else {
        return;
    };
    let kept = host.estate.bmc_checks.get(host.name());
    let find = |severity, message: String| {
        let evidence = |key| host.estate.site_evidence("hosts", host.name(), key);
        let seen = kept.map(|check| {
            let what = format!("{} at {}: {}", check.kind, check.address, check.summary());
            Evidence::measured(format!("bmc check of {}", check.at), what)
        });
        Finding::new(severity, host.name(), host.name(), message)
            .consequence("When it is needed is the wrong moment to learn that it does not answer")
            .evidence_if(seen)
            .evidence_if(evidence(Some("verified")).or_else(|| evidence(None)))
            .fix(format!(
                "from another machine: nofail bmc check {} --site site.toml",
                host.name()
            ))
    };
    let day = |text: &str| text.get(..10).and_then(|day| day.parse::<Date>().ok());
    let promised = bmc.verified.as_deref().and_then(day);
    let checked = kept.and_then(|check| day(&check.at));
    if let Some(check) = kept.filter(|c| !c.lets_in())
        && promised.is_none_or(|p| checked.is_some_and(|c| c >= p))
    {
        let message = format!(
            "this host's BMC does not let us in: {} (checked {})",
            check.summary(),
            check.at.get(..10).unwrap_or(&check.at)
        );
        report.find(find(Severity::Error, message));
        return;
    }
    let worked = kept.filter(|c| c.lets_in()).and(checked);
    let Some(verified) = worked.max(promised) else {
        let message = "nobody has seen this host's BMC working: it has no `verified` date, and no check of \
             it is kept here";
        report.find(find(Severity::Error, message.to_owned()));
        return;
    };
    let Some(read) = day(&host.snapshot.taken_at) else {
        report.not_checked(host.name(), "the snapshot does not say when it was taken");
        return;
    };
    let days = read.since(verified).map_or(0, |span| span.get_days());
    if days > DAYS {
        let message = format!("this host's BMC was last seen working {days} days ago");
        report.find(find(Severity::Warning, message));
    }
}
