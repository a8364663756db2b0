//! `host/not-watched`: nobody would tell of what fails here.

use super::is_hypervisor;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "host/not-watched",
    summary: "no monitoring starts with the hypervisor",
    needs: &[Source::Units],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A hypervisor on which no monitoring agent is enabled: neither `nofail watch` nor Wazuh, Zabbix, Checkmk,
node_exporter, Telegraf, Netdata, monit, Icinga, NRPE or another one that nofail knows by the name of its
service.

## Why it matters
Everything of the incident's night had failed long before, in silence: the NAS mounts, the hook, three
guests. An audit sees a host at the moment at which somebody runs it; between two audits only what runs
on the host all the time can tell.

## Evidence
The `.wants` and `.requires` links of the unit directories. A monitoring that is started some other way,
or that asks from outside over SSH or SNMP, is not seen.

## Example
    $ systemctl is-enabled nofail-watch wazuh-agent
    disabled

## Remedy
Enable the one that you have, or `nofail watch` (unit file in `contrib/systemd`), and bind its alerts
on failed mounts, emergency mode and guests that stop to somebody's telephone.

## When to ignore it
Where the host is watched from outside, by something that also sees its mounts and guests.

## References
systemd.unit(5), [Install]; docs of the agent that you use.
";

fn check(host: &Host<'_>, report: &mut Report) {
    if !is_hypervisor(host.snapshot) {
        return;
    }
    let Some(monitors) = &host.snapshot.units.monitors else {
        report.not_checked(
            host.name(),
            "the snapshot does not tell which monitoring starts with the host: collect it anew",
        );
        return;
    };
    if !monitors.is_empty() {
        return;
    }
    report.find(
        Finding::new(
            Severity::Warning,
            host.name(),
            host.name(),
            "no monitoring starts with this hypervisor",
        )
        .consequence(
            "What fails between two audits, a mount, a guest, a disk, is found when it is needed",
        )
        .evidence(Evidence::measured(
            "systemd",
            "no enabled unit of a monitoring agent that nofail knows",
        ))
        .fix(
            "enable your agent, or: systemctl enable --now nofail-watch (unit in contrib/systemd)",
        ),
    );
}
