//! `switch/uplink-not-on-planned-port`: a cable is, or seems to be, in another port than planned.

use super::link::{Link, fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{SwitchPort, canonical_port_name, short_port_name};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/uplink-not-on-planned-port",
    summary: "a host's uplink is plugged into another switch port than the one planned",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
An uplink whose site.toml entry names a `temporary_port` (warning: it stays until it is undone); an
uplink whose planned port is down while a trunk that is up carries the host's name in its
description (warning); a `temporary_port` that the captures show empty while the planned port is up
again (information: the entry is stale).

## Why it matters
The temporary port is the one that nobody documented: its configuration is often unsaved, other
work is done on the planned port in the belief that the host hangs there, and a second move follows
the first.

## Evidence
site.toml's `[hosts.HOST.uplinks.INTERFACE]`, the port's state and description in the captures.

## Example
    [hosts.kvm-01.uplinks.eno1]
    switch = \"sw-01\"
    port = \"Te1/0/2\"
    temporary_port = \"Te1/0/8\"

## Remedy
When the reason is gone (the cable changed, no more CRC errors), put the cable back, shut the
temporary port down, save the configuration, and take `temporary_port` out of site.toml. If the new
port is to stay, make it the `port`.

## When to ignore it
While the temporary state is wanted: the finding is what keeps it from being forgotten.

## References
Cisco IOS, `show interfaces status`.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let planned = link.switch.port(&link.uplink.port);
        match &link.uplink.temporary_port {
            Some(temporary) if !same(temporary, &link.uplink.port) => {
                report.find(moved(estate, &link, planned));
            }
            _ => {
                if let Some(planned) = planned.filter(|port| is_dark(port))
                    && let Some(found) = elsewhere(&link, planned)
                {
                    report.find(suspected(estate, &link, planned, found));
                }
            }
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    let full = |name: &str| canonical_port_name(name).unwrap_or_else(|| name.to_owned());
    full(one) == full(other)
}

fn is_dark(port: &SwitchPort) -> bool {
    matches!(port.status.as_deref(), Some("down" | "disabled"))
}

fn is_up(port: &SwitchPort) -> bool {
    port.status.as_deref() == Some("up")
}

fn moved(estate: &Estate, link: &Link<'_>, planned: Option<&SwitchPort>) -> Finding {
    let (whose, port) = (link.whose(), &link.uplink.port);
    let back = planned.is_some_and(is_up) && link.port.is_some_and(is_dark);
    let finding = if back {
        Finding::new(
            Severity::Info,
            link.switch_name(),
            link.subject(),
            format!(
                "{whose} seems to be back on {port}: {} is down and {port} is up",
                link.subject()
            ),
        )
        .consequence("Everything that site.toml is used for still looks at the temporary port")
        .fix(format!("take `temporary_port` out of site.toml ({whose})"))
    } else {
        Finding::new(
            Severity::Warning,
            link.switch_name(),
            link.subject(),
            format!("{whose} is on {} for the time being and belongs on {port}", link.subject()),
        )
        .consequence("A temporary port stays until somebody undoes it, mostly unsaved and undocumented")
        .fix(format!("when {port} is mended: put the cable back, shut {} down, save, and take `temporary_port` out of site.toml", link.subject()))
    };
    finding
        .evidence_if(link.site_evidence(estate, "temporary_port"))
        .evidence_if(link.port.and_then(|port| fact(port, "description")))
        .evidence_if(planned.and_then(|port| fact(port, "status")))
}

/// A trunk that is up and names the host in its description.
fn elsewhere<'a>(link: &Link<'a>, planned: &SwitchPort) -> Option<&'a SwitchPort> {
    let names = |text: &str| {
        text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_')))
            .any(|word| word.eq_ignore_ascii_case(link.host))
    };
    link.switch.ports.values().find(|port| {
        port.name != planned.name
            && port.channel_group.is_none()
            && is_up(port)
            && port.is_trunk()
            && port.description.as_deref().is_some_and(names)
    })
}

fn suspected(
    estate: &Estate,
    link: &Link<'_>,
    planned: &SwitchPort,
    found: &SwitchPort,
) -> Finding {
    let (planned_name, found_name) = (short_port_name(&planned.name), short_port_name(&found.name));
    Finding::new(
        Severity::Warning,
        link.switch_name(),
        found_name.as_str(),
        format!(
            "{} belongs on {planned_name}, which is down; {found_name} is up and names {}",
            link.whose(),
            link.host
        ),
    )
    .consequence("What is checked and changed on the planned port does not reach the host")
    .evidence_if(fact(found, "description"))
    .evidence_if(fact(planned, "status"))
    .evidence_if(link.site_evidence(estate, "port"))
    .fix(format!(
        "if the cable was moved: temporary_port = \"{found_name}\" in site.toml until it is back"
    ))
}
