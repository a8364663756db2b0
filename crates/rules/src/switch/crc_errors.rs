//! `switch/crc-errors`: frames arrive broken at a port.

use super::link::{fact, links, marked};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::{Switch, SwitchPort, canonical_port_name, short_port_name};
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/crc-errors",
    summary: "a switch port counts frames with a wrong checksum",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A switch port whose counter of CRC errors is above zero, with the time since the counters were
cleared, and whether the port is in use. A warning; information where there are fewer than ten, or
where the port is down and no host's uplink belongs there.

## Why it matters
The frame was damaged between the sender's interface and this port: cable, transceiver, dirty
fibre, a bent connector, or a duplex mismatch. NFS and TCP turn a few lost frames into stalls; the
cable that loses a few today loses the link tomorrow.

## Evidence
`show interfaces` (`N input errors, N CRC`) or `show interfaces counters errors` (`FCS-Err`), and
the line *Last clearing of \"show interface\" counters*. A counter that was never cleared may tell
of a fault mended long ago.

## Example
         386 input errors, 386 CRC, 0 frame, 0 overrun, 0 ignored

## Remedy
Change the cable (clean the fibre), then `clear counters PORT` and look again after a day of
traffic: only a counter that stays at zero shows that it is mended.

## When to ignore it
Counters never cleared since a fault that is mended: clear them, and this finding goes.

## References
IEEE 802.3, 30.3.1.1.6 (frame check sequence errors); Cisco IOS, `show interfaces`.
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for (name, switch) in &estate.switches {
        for port in switch.ports.values() {
            // A port-channel counts what its members count.
            if port.crc_errors.is_some_and(|count| count > 0)
                && !port.name.starts_with("Port-channel")
            {
                report.find(finding(estate, name, switch, port));
            }
        }
    }
    for link in links(estate) {
        for place in [Some(&link.uplink.port), link.uplink.temporary_port.as_ref()]
            .into_iter()
            .flatten()
        {
            let counted = link
                .switch
                .port(place)
                .is_some_and(|port| port.crc_errors.is_some());
            if !counted {
                let reason = format!(
                    "{place} ({}): no capture has its error counters; save `show interfaces {place}`",
                    link.whose()
                );
                report.not_checked(link.switch_name(), reason);
            }
        }
    }
}

fn finding(estate: &Estate, name: &str, switch: &Switch, port: &SwitchPort) -> Finding {
    let count = port.crc_errors.unwrap_or_default();
    let subject = short_port_name(&port.name);
    let cleared = match port.counters_cleared.as_deref() {
        Some("never") => "since the counters began (never cleared)".to_owned(),
        Some(time) => format!("in the {time} since the counters were cleared"),
        None => "since an unknown time (the capture does not tell when the counters were cleared)"
            .to_owned(),
    };
    let uplink_of = links(estate).into_iter().find(|link| {
        std::ptr::eq(link.switch, switch)
            && (canonical_port_name(&link.uplink.port).as_deref() == Some(&port.name)
                || link.port.is_some_and(|p| p.name == port.name))
    });
    let in_use = match port.status.as_deref() {
        Some("up") => "",
        Some("disabled") => ", now shut down",
        Some(_) => ", not in use now",
        None => "",
    };
    let whose = uplink_of.as_ref().map(|link| {
        if link.port.is_some_and(|now| now.name == port.name) {
            format!(" ({})", link.whose())
        } else {
            format!(" (where {} belongs)", link.whose())
        }
    });
    let unused = !in_use.is_empty() && uplink_of.is_none();
    let severity = if count < 10 || unused {
        Severity::Info
    } else {
        Severity::Warning
    };
    let half = port
        .duplex
        .as_deref()
        .is_some_and(|duplex| duplex.contains("half"));
    let fix = if half {
        "the port runs at half duplex: set both ends alike (best `auto`), then clear the counters"
            .to_owned()
    } else {
        format!(
            "change the cable of {subject}, `clear counters {}`, and look again after a day of traffic",
            port.name
        )
    };
    Finding::new(
        severity,
        name,
        subject.as_str(),
        format!(
            "{subject}{} has {count} CRC errors {cleared}{in_use}",
            whose.unwrap_or_default()
        ),
    )
    .consequence(
        "Frames arrive broken there: the cable or a transceiver is failing, and with it the link",
    )
    .evidence_if(marked(port, "crc_errors", &format!("{count} CRC")))
    .evidence_if(
        fact(port, "counters_cleared").filter(|_| port.lines.contains_key("counters_cleared")),
    )
    .evidence_if(fact(port, "status").filter(|_| !in_use.is_empty()))
    .fix(fix)
    .commands([format!("clear counters {}", port.name)])
    .caution("after the cable was changed: until then the counter is the evidence")
}
