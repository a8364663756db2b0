//! `switch/uplink-down`: the port of a host's uplink is down, shut, or disabled by the switch.

use super::link::{Link, fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{SwitchPort, short_port_name};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/uplink-down",
    summary: "the switch port of a host's uplink is down, shut down or err-disabled",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
The port that site.toml gives for a host's uplink (the temporary one, while there is one), captured
as err-disabled, shut down, or without link (error). Any other port that the switch disabled itself
(warning).

## Why it matters
A switch disables a port for a reason (a BPDU on a guarded port, a violated port security, a link
that flaps) and does not enable it again unless it was told to. The host behind it is cut off, or
one half of its redundant uplink is missing and nobody has noticed.

## Evidence
`show interfaces`, `show interfaces status`, `show interfaces status err-disabled`; `shutdown` in
the running configuration. A capture is a moment: this one was taken then, not now.

## Example
    Te1/0/2      kvm-01             err-disabled bpduguard

## Remedy
Err-disabled: mend the reason first (the table's column *Reason*), then `shutdown` and `no
shutdown` on the port. Shut down: `no shutdown`. No link: cable, transceiver, or the host's port.

## When to ignore it
An uplink that is unplugged on purpose: take it out of site.toml, or name its `temporary_port`.

## References
Cisco IOS, `show interfaces status err-disabled`, `errdisable recovery`.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    let links = links(estate);
    for link in &links {
        let Some(port) = link.port else { continue };
        match port.status.as_deref() {
            None if port.shutdown != Some(true) => report.not_checked(
                link.switch_name(),
                format!(
                    "{} ({}): no capture tells whether it is up; save `show interfaces status`",
                    link.subject(),
                    link.whose()
                ),
            ),
            Some("up") | Some("monitoring") => {}
            state => report.find(uplink(link, port, state.unwrap_or("disabled"))),
        }
    }
    for (name, switch) in &estate.switches {
        let disabled = switch
            .ports
            .values()
            .filter(|p| p.status.as_deref() == Some("err-disabled"));
        for port in disabled {
            let told = links
                .iter()
                .any(|l| l.switch_name() == name && l.port.is_some_and(|p| p.name == port.name));
            if !told {
                report.find(other(name, port));
            }
        }
    }
}

fn reason(port: &SwitchPort) -> String {
    port.err_disabled_reason
        .as_deref()
        .map(|why| format!(" ({why})"))
        .unwrap_or_default()
}

fn bounce(port: &SwitchPort) -> [String; 3] {
    [
        format!("interface {}", port.name),
        "shutdown".to_owned(),
        "no shutdown".to_owned(),
    ]
}

fn uplink(link: &Link<'_>, port: &SwitchPort, state: &str) -> Finding {
    let (name, whose) = (link.subject(), link.whose());
    let shut = state == "disabled" || port.shutdown == Some(true);
    let what = match state {
        "err-disabled" => format!("was disabled by the switch{}", reason(port)),
        _ if shut => "is shut down".to_owned(),
        "down" => "has no link".to_owned(),
        state => format!("is {state}"),
    };
    // The other legs of its bundle carry on.
    let bundled = port.channel_group.is_some_and(|group| {
        link.switch.ports.values().any(|other| {
            other.channel_group == Some(group)
                && other.name != port.name
                && other.status.as_deref() == Some("up")
        })
    });
    let severity = if bundled {
        Severity::Warning
    } else {
        Severity::Error
    };
    let finding = Finding::new(
        severity,
        link.switch_name(),
        name.as_str(),
        format!("{name}, {whose}, {what}"),
    )
    .consequence(if bundled {
        "The host lives on what is left of its bundle of links"
    } else {
        "The host and its guests cannot be reached over this cable"
    })
    .evidence_if(fact(
        port,
        if port.status.is_some() {
            "status"
        } else {
            "shutdown"
        },
    ));
    if state == "err-disabled" {
        finding
            .fix("mend the reason, then on the port: shutdown; no shutdown")
            .commands(bounce(port))
            .caution("after the reason was mended: the switch disables the port again otherwise")
    } else if shut {
        finding
            .fix(format!("interface {}; no shutdown", port.name))
            .commands([format!("interface {}", port.name), "no shutdown".to_owned()])
    } else {
        finding.fix("look at cable, transceiver and the host's interface; if the cable was moved, name `temporary_port` in site.toml")
    }
}

fn other(name: &str, port: &SwitchPort) -> Finding {
    let short = short_port_name(&port.name);
    let whom = port
        .description
        .as_deref()
        .map(|d| format!(" [{d}]"))
        .unwrap_or_default();
    Finding::new(
        Severity::Warning,
        name,
        short.as_str(),
        format!("the switch disabled {short}{whom} itself{}", reason(port)),
    )
    .consequence("Whatever hangs on it is cut off until somebody enables the port again")
    .evidence_if(fact(port, "err_disabled_reason"))
    .fix("mend the reason, then on the port: shutdown; no shutdown")
    .commands(bounce(port))
    .caution("after the reason was mended: the switch disables the port again otherwise")
}
