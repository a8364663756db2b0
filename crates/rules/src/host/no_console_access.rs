//! `host/no-console-access`: when the network is gone, nobody gets in.

use super::is_hypervisor;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "host/no-console-access",
    summary: "neither a BMC nor a serial console leads to this host when its network is gone",
    needs: &[Source::Bmc, Source::Kernel],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hypervisor with no way in but its own network: no BMC with an address (in site.toml, or on the host's
own IPMI device), no serial console on the kernel's command line with a login on it, and no other
console that site.toml names. An error where a site.toml was given, else a warning: nofail cannot see a
keyboard on the desk.

## Why it matters
A mistake in the bridge's VLANs cuts the host off in the same second; a mistake in fstab leaves it at an
emergency prompt. In the incident one host came back through IPMI, within minutes. Without it, the way
is by car.

## Evidence
The absence of IPMI device, firmware entry and address, the kernel's command line, and site.toml.

## Example
    [hosts.kvm-01.bmc]
    address = \"10.50.1.12\"

## Remedy
Give the BMC an address and a user (`ipmitool lan set`), write it into site.toml, and try it:
`nofail bmc check`. Or name the other way: `console = \"KVM switch, port 3\"`.

## When to ignore it
A machine within reach: say so with `console = \"…\"` in site.toml.

## References
ipmitool(1); systemd-getty-generator(8); kernel parameter `console=`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let bmc = &host.snapshot.bmc;
    if !is_hypervisor(host.snapshot) {
        return;
    }
    let site = host.estate.site.as_ref();
    let intent = site.and_then(|s| s.hosts.get(host.name()));
    let by_site = intent.is_some_and(|h| {
        h.console.is_some() || h.bmc.as_ref().is_some_and(|b| b.address.is_some())
    });
    let by_bmc = bmc.address.as_deref().is_some_and(|a| a != "0.0.0.0");
    let by_serial = !bmc.serial_consoles.is_empty() && bmc.serial_getty != Some(false);
    // A BMC whose address could not be read may have one.
    let unknown = bmc.present == Some(true) && bmc.address.is_none();
    if by_site || by_bmc || by_serial {
        return;
    }
    if unknown {
        report.not_checked(host.name(), "there is a BMC, but its address was not read");
        return;
    }
    let severity = if site.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let seen = match (bmc.present, bmc.address.as_deref()) {
        (Some(true), Some(address)) => format!("the BMC's address is {address}: not configured"),
        (Some(false), _) => "firmware names no BMC".to_owned(),
        _ => "no BMC was found".to_owned(),
    };
    let line = host.snapshot.kernel.command_line.as_deref();
    report.find(
        Finding::new(
            severity,
            host.name(),
            host.name(),
            "no console leads to this host but over its own network",
        )
        .consequence("After a mistake in its network or fstab somebody must go there")
        .evidence(Evidence::measured("ipmi", seen))
        .evidence(Evidence::measured(
            "kernel command line",
            line.map_or("not known", |_| "no serial console=, or no login on it"),
        ))
        .evidence_if(intent.and_then(|_| host.estate.site_evidence("hosts", host.name(), None)))
        .fix("give the BMC an address, write it into site.toml, then: nofail bmc check"),
    );
}
