//! `switch/vlan-missing-on-switch`: a VLAN is allowed on the trunk and does not exist.

use super::link::{Link, fact, links};
use crate::{Check, Finding, Remedy, Report, Rule, Severity};
use facts::Snapshot;
use facts::switch::vlan_list;
use model::Estate;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "switch/vlan-missing-on-switch",
    summary: "a VLAN that a host needs does not exist, or is suspended, on its switch",
    needs: &[],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Site(check),
};

const DOC: &str = "\
## What it finds
A VLAN that a host needs over its uplink and that its switch does not have, or has suspended or
shut down.

## Why it matters
Allowing a VLAN on a trunk does not make it: the trunk's configuration is right, and the frames are
dropped. It strikes on the second switch, where nobody created the VLAN, on the day the first dies.

## Evidence
`show vlan brief` (all VLANs with their status), or the table *Vlans allowed and active in
management domain* of `show interfaces trunk`. The running configuration alone does not tell: a VTP
server keeps its VLANs elsewhere.

## Example
    110  WLAN-STAFF                       act/lshut

## Remedy
`vlan N`, `name NAME`; for a suspended one `state active`, for one shut down `no shutdown`.

## When to ignore it
A VLAN that lives only between guests of one host: leave it out of the uplink's map.

## References
Cisco IOS, `show vlan`, `vlan` (VLAN configuration).
";

fn check(estate: &Estate, _: &[&Snapshot], report: &mut Report) {
    for link in links(estate) {
        let mut needs: Vec<u16> = link.tagged_needs(estate).into_keys().collect();
        needs.extend(link.untagged_vlan().filter(|_| link.plan.is_some()));
        needs.sort_unstable();
        if needs.is_empty() {
            continue;
        }
        if link.switch.vlans_complete {
            by_list(&link, &needs, report);
        } else if let Some(port) = link.effective()
            && let Some(active) = &port.active_vlans
        {
            let allowed = |vlan: &u16| port.allowed_vlans.as_ref().is_none_or(|l| l.contains(vlan));
            let missing: Vec<u16> = needs
                .iter()
                .copied()
                .filter(|v| allowed(v) && !active.contains(v))
                .collect();
            if !missing.is_empty() {
                let finding = finding(&link, &missing, "does not exist, or is suspended, on");
                report.find(finding.evidence_if(fact(port, "active_vlans")));
            }
        } else {
            let reason = format!(
                "no capture lists the VLANs that exist ({}); save `show vlan brief`",
                link.whose()
            );
            report.not_checked(link.switch_name(), reason);
        }
    }
}

fn by_list(link: &Link<'_>, needs: &[u16], report: &mut Report) {
    let missing: Vec<u16> = needs
        .iter()
        .copied()
        .filter(|v| !link.switch.vlans.contains_key(v))
        .collect();
    if !missing.is_empty() {
        report.find(finding(link, &missing, "does not exist on"));
    }
    for vlan in needs {
        let status = link.switch.vlan_status.get(vlan).map(String::as_str);
        if let Some(status) = status.filter(|status| !status.is_empty() && *status != "active") {
            let mut found = finding(link, &[*vlan], &format!("is {status} on"));
            let mend = if status.contains("lshut") {
                "no shutdown"
            } else {
                "state active"
            };
            found.commands = vec![format!("vlan {vlan}"), mend.to_owned()];
            found.fix = Some(found.commands.join("; "));
            report.find(found);
        }
    }
}

fn finding(link: &Link<'_>, vlans: &[u16], what: &str) -> Finding {
    let list = vlan_list::show(vlans);
    let commands = [format!("vlan {list}")];
    Finding::new(
        Severity::Error,
        link.switch_name(),
        format!("VLAN {list}"),
        format!(
            "VLAN {list}, which {} needs, {what} {}",
            link.whose(),
            link.switch_name()
        ),
    )
    .consequence("The switch drops its frames although the trunk allows it")
    .fix(commands.join("; "))
    .commands(commands)
}
