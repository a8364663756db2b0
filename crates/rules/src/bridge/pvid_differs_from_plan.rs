//! `bridge/pvid-differs-from-plan`: ports whose VLANs are not those of the site's VLAN map.

use super::{entry_evidence, port_name};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::Source;
use facts::bridge::{Bridge, Port, Role, vid::short};
use model::site::BridgePlan;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/pvid-differs-from-plan",
    summary: "a port's VLANs are not those of the VLAN map",
    needs: &[Source::Bridges],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A port of a VLAN-filtering bridge whose PVID, untagged or tagged VLANs differ from site.toml's VLAN
map: a guest's port, an uplink, or the bridge's own entry.

## Why it matters
A guest's port on the wrong PVID puts the guest into another network, mostly VLAN 1: it runs, and
nobody reaches it. That is how guests came up after each restart on the day of the incident.

The bridge's own entry and the uplink are another matter: as long as frames find their way out and
back, a number that differs is harmless. Changing it in haste is what cut a host off on that day.
So these are warnings; bridge/pvid-differs-along-path says whether a path is really cut.

## Evidence
The VLANs of each port from the kernel (what `bridge vlan show` prints), the plan from
`[bridges.NAME]` and `[guests.NAME]` in site.toml. Which guest a port belongs to is read from
libvirt's live status XML.

## Example
    $ bridge vlan show dev vnet3
    vnet3   1 PVID Egress Untagged

with `[bridges.br-mgmt] pvid = 100`.

## Remedy
For a guest's port `bridge vlan add dev vnet3 vid 100 pvid untagged`, and `bridge vlan del` for the
old PVID: it disturbs that guest only. For the bridge's own entry and the uplink only in a
maintenance window and with the host's console open. None of it survives a restart: the hook (for
guests' ports) and the network profile must say the same.

## When to ignore it
When the port is right and the map is out of date: then mend site.toml.

## References
bridge(8), `vlan`; IEEE 802.1Q.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        let Some(plan) = host.estate.bridge_plan(host.name(), &bridge.name) else {
            continue;
        };
        // Without filtering no entry has an effect: bridge/filtering-off-with-vlans tells that.
        if bridge.vlan_filtering != Some(true) {
            continue;
        }
        for port in &bridge.ports {
            match port.role {
                Role::Guest => guest(host, bridge, port, plan, report),
                Role::Own => pvid(host, bridge, port, plan.host(), report),
                Role::Uplink => pvid(host, bridge, port, plan.uplink(), report),
                Role::Other => {}
            }
        }
    }
}

fn guest(host: &Host<'_>, bridge: &Bridge, port: &Port, plan: &BridgePlan, report: &mut Report) {
    let intent = port.guest.as_deref().and_then(|g| host.estate.intent(g));
    let wanted = intent.and_then(|i| i.pvid).or(plan.guest());
    let tagged = intent
        .and_then(|i| i.tagged.as_ref())
        .unwrap_or(&plan.tagged);
    let subject = port.guest.as_deref().unwrap_or(&port.name);
    let important = port
        .guest
        .as_deref()
        .is_some_and(|g| host.estate.is_important(g));
    let place = intent
        .filter(|i| i.pvid.is_some() || i.tagged.is_some())
        .and(port.guest.as_deref())
        .and_then(|guest| host.estate.site_evidence("guests", guest, None));
    let plan_evidence = || place.clone().or_else(|| plan_line(host, bridge));
    if let Some(wanted) = wanted
        && (port.pvid != Some(wanted) || !port.untagged.contains(&wanted))
    {
        let now = match port.pvid {
            Some(pvid) if pvid == wanted => format!("sends VLAN {pvid} tagged to the guest"),
            Some(pvid) => format!("puts untagged frames into VLAN {pvid}"),
            None => "drops untagged frames (no PVID)".to_owned(),
        };
        let severity = if important {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut fix = format!(
            "bridge vlan add dev {} vid {wanted} pvid untagged",
            port.name
        );
        if let Some(old) = port
            .pvid
            .filter(|old| *old != wanted && !tagged.contains(old))
        {
            fix.push_str(&format!(" && bridge vlan del dev {} vid {old}", port.name));
        }
        report.find(
            Finding::new(
                severity,
                host.name(),
                subject,
                format!(
                    "{} {now}, the plan says VLAN {wanted} untagged",
                    port_name(port)
                ),
            )
            .consequence("The guest is in another network than it believes: nobody reaches it")
            .evidence(entry_evidence(bridge, port))
            .evidence_if(plan_evidence())
            .fix(fix),
        );
    }
    let missing: Vec<u16> = tagged
        .iter()
        .copied()
        .filter(|vid| !port.tagged.contains(vid) && Some(*vid) != wanted)
        .collect();
    if !missing.is_empty() {
        let vids = short(&missing);
        let adds: Vec<String> = vids
            .split(',')
            .map(|vid| format!("bridge vlan add dev {} vid {vid}", port.name))
            .collect();
        report.find(
            Finding::new(
                Severity::Warning,
                host.name(),
                subject,
                format!(
                    "{} does not carry VLAN {vids} tagged, the plan does",
                    port_name(port)
                ),
            )
            .consequence("What the guest sends in these VLANs is dropped")
            .evidence(entry_evidence(bridge, port))
            .evidence_if(plan_evidence())
            .fix(adds.join(" && ")),
        );
    }
}

/// The bridge's own entry, or an uplink: the number alone cuts nothing.
fn pvid(host: &Host<'_>, bridge: &Bridge, port: &Port, wanted: Option<u16>, report: &mut Report) {
    let Some(wanted) = wanted.filter(|wanted| port.pvid != Some(*wanted)) else {
        return;
    };
    let now = port
        .pvid
        .map_or_else(|| "no PVID".to_owned(), |pvid| format!("PVID {pvid}"));
    let (what, flag) = match port.role {
        Role::Own => ("the host's own entry".to_owned(), " self"),
        _ => (format!("the uplink {}", port.name), ""),
    };
    report.find(
        Finding::new(
            Severity::Warning,
            host.name(),
            &port.name,
            format!(
                "{what} on {} has {now}, the plan says {wanted}",
                bridge.name
            ),
        )
        .consequence(
            "As long as frames pass (see bridge/pvid-differs-along-path) this is harmless; \
             changing it over SSH without the console may cut the host off",
        )
        .evidence(entry_evidence(bridge, port))
        .evidence_if(plan_line(host, bridge))
        .fix(format!(
            "in a maintenance window, with the host's console open: bridge vlan add dev {} vid \
             {wanted} pvid untagged{flag}",
            port.name
        )),
    );
}

fn plan_line(host: &Host<'_>, bridge: &Bridge) -> Option<facts::Evidence> {
    let own = host.estate.site.as_ref()?.hosts.get(host.name())?;
    if own.bridges.contains_key(&bridge.name) {
        let table = format!("{}.bridges.{}", host.name(), bridge.name);
        return host.estate.site_evidence("hosts", &table, Some("pvid"));
    }
    host.estate
        .site_evidence("bridges", &bridge.name, Some("pvid"))
}
