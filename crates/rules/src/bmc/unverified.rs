//! `bmc/unverified`: nobody has seen the BMC working, or not for a month.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
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
A BMC that site.toml names without a `verified` date (error), or with one that is older than 31
days on the day of the snapshot (warning).

## Why it matters
A BMC is needed on the day when everything else is gone. On the day of the incident one of the two
was known to work and brought its host back; nobody could say so of the other.

## Evidence
The host's BMC table in site.toml, and the day on which the host was read.

## Example
    [hosts.kvm-01.bmc]
    address = \"10.50.1.21\"      # and no verified = \"2026-04-13\"

## Remedy
From another machine: `ipmitool -I lanplus -H ADDRESS -U USER -f FILE chassis power status`, and
open the console once (`sol activate`). Then write the date into site.toml.

## When to ignore it
A host with another way in: name it with `console = \"…\"` in site.toml.

## References
ipmitool(1), chassis power and sol; INC-2026-04-13-001, action item 8.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let site = host.estate.site.as_ref();
    let Some(intent) = site.and_then(|s| s.hosts.get(host.name())) else {
        return;
    };
    let Some(bmc) = intent.bmc.as_ref().filter(|_| intent.console.is_none()) else {
        return;
    };
    let find = |severity, message: String| {
        let evidence = |key| host.estate.site_evidence("hosts", host.name(), key);
        Finding::new(severity, host.name(), host.name(), message)
            .consequence("When it is needed is the wrong moment to learn that it does not answer")
            .evidence_if(evidence(Some("verified")).or_else(|| evidence(None)))
            .fix(
                "look at it from another machine, then write the date as `verified` into site.toml",
            )
    };
    let Some(verified) = &bmc.verified else {
        let message = "nobody has seen this host's BMC working: it has no `verified` date";
        report.find(find(Severity::Error, message.to_owned()));
        return;
    };
    let taken = host.snapshot.taken_at.get(..10).unwrap_or("");
    let (Ok(verified), Ok(read)) = (verified.parse::<Date>(), taken.parse::<Date>()) else {
        report.not_checked(host.name(), "the snapshot does not say when it was taken");
        return;
    };
    let days = read.since(verified).map_or(0, |span| span.get_days());
    if days > DAYS {
        let message = format!("this host's BMC was last seen working {days} days ago");
        report.find(find(Severity::Warning, message));
    }
}
