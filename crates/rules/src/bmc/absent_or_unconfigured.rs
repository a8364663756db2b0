//! `bmc/absent-or-unconfigured`: the BMC that should save the host is not there, or not set up.

use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};
use model::site;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bmc/absent-or-unconfigured",
    summary: "the host's BMC is absent, unknown, or has no address",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
Against each other: what the host itself sees of its BMC, and what site.toml says.

- The BMC is there and its LAN channel has no address (error with a site.toml, else a warning).
- site.toml names a BMC and firmware knows of none, or the addresses differ (error: the address in the
  runbook leads nowhere).
- site.toml names this host and no BMC for it (warning).

## Why it matters
The BMC is needed on the one day when everything else is gone, and that is when it is found out that
its cable was never plugged in. In the incident one of the two was known to work and saved its host;
nobody could say of the other.

## Evidence
The IPMI device, SMBIOS type 38, the LAN parameters that the BMC gave, and site.toml.

## Example
    $ ipmitool lan print 1 | grep 'IP Address  '
    IP Address              : 0.0.0.0

## Remedy
`ipmitool lan set 1 ipsrc static; ipmitool lan set 1 ipaddr ADDRESS`, then from another machine
`nofail bmc check HOST`, and the date into site.toml: `verified = \"2026-04-20\"`.

## When to ignore it
A host with another way in: name it with `console = \"…\"` in site.toml.

## References
IPMI 2.0, sections 22.24 and 23.2; DSP0134 (SMBIOS), type 38; ipmitool(1).
";

fn check(host: &Host<'_>, report: &mut Report) {
    let intent = host
        .estate
        .site
        .as_ref()
        .and_then(|site| site.hosts.get(host.name()));
    let console = intent.is_some_and(|h| h.console.is_some());
    let planned = intent.and_then(|h| h.bmc.as_ref());
    by_site(host, intent, planned, console, report);
    if let Some(reason) = host.snapshot.why_unread(Source::Bmc) {
        report.not_checked(host.name(), reason);
        return;
    }
    by_host(host, planned, console, report);
}

fn by_site(
    host: &Host<'_>,
    intent: Option<&site::Host>,
    planned: Option<&site::Bmc>,
    console: bool,
    report: &mut Report,
) {
    let evidence = |key| host.estate.site_evidence("hosts", host.name(), key);
    if planned.is_none() && intent.is_some() && !console {
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                host.name(),
                "site.toml names no BMC for this host",
            )
            .consequence("Nobody knows the way in when its network is gone")
            .evidence_if(evidence(None))
            .fix(format!(
                "add [hosts.{}.bmc] with its address, or console = \"…\"",
                host.name()
            )),
        );
    }
}

fn by_host(host: &Host<'_>, planned: Option<&site::Bmc>, console: bool, report: &mut Report) {
    let bmc = &host.snapshot.bmc;
    let wanted = planned.and_then(|b| b.address.as_deref());
    let site = host.estate.site_evidence("hosts", host.name(), Some("bmc"));
    if bmc.present == Some(false) {
        if let Some(address) = wanted {
            report.find(
                Finding::new(
                    Severity::Error,
                    host.name(),
                    host.name(),
                    format!(
                        "site.toml names a BMC at {address}, and this host's firmware knows of none"
                    ),
                )
                .consequence("What answers there, if anything, is another machine's")
                .evidence(Evidence::measured(
                    "smbios",
                    "no structure of type 38, no IPMI device",
                ))
                .evidence_if(site)
                .fix("find out which machine that address belongs to"),
            );
        }
        return;
    }
    let Some(address) = bmc.address.as_deref() else {
        return;
    };
    let device = bmc.device.as_deref().unwrap_or("ipmi");
    let channel = bmc
        .channel
        .map_or_else(String::new, |c| format!("channel {c}: "));
    let source = bmc.address_source.as_deref().unwrap_or("unspecified");
    let seen = Evidence::measured(device, format!("{channel}address {address} ({source})"));
    if address == "0.0.0.0" {
        if console {
            return;
        }
        let severity = if host.estate.site.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        };
        report.find(
            Finding::new(
                severity,
                host.name(),
                host.name(),
                "the BMC's LAN channel has no address",
            )
            .consequence("The board has a console of last resort, and nobody can reach it")
            .evidence(seen)
            .fix("ipmitool lan set 1 ipsrc static; ipmitool lan set 1 ipaddr ADDRESS"),
        );
    } else if let Some(wanted) = wanted.filter(|w| *w != address && is_address(w)) {
        report.find(
            Finding::new(
                Severity::Error,
                host.name(),
                host.name(),
                format!("the BMC has the address {address}, site.toml says {wanted}"),
            )
            .consequence("The address in the runbook leads nowhere, or to another machine")
            .evidence(seen)
            .evidence_if(site)
            .fix("write the right address into site.toml, or give it to the BMC"),
        );
    }
}

/// An IPv4 address: a name in site.toml cannot be compared, and IPMI's parameter 3 is IPv4 only.
fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}
