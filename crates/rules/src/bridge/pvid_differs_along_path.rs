//! `bridge/pvid-differs-along-path`: untagged frames that change their VLAN on the way.

use super::path::{Way, best_way};
use super::{entry_evidence, is_libvirts, port_name, some_of};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use analysis::vlan::switch::far;
use facts::bridge::{Bridge, Port, Role};
use facts::{Evidence, Source};
use std::collections::BTreeMap;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/pvid-differs-along-path",
    summary: "untagged frames leave in one VLAN and come back in another, or not at all",
    needs: &[Source::Bridges],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
The host itself, or a guest, whose untagged frames travel in one VLAN to the switch and in another
one back; or whose answers never arrive. It follows them from the port's PVID over the uplink
(tagged or untagged there), through the switch's native VLAN where a capture tells it, back to the
uplink's PVID and to the port. The host may well use another VLAN than its guests: where each path
is whole in itself, nothing is said.

## Why it matters
Two VLANs on one path work as long as every entry stays as it is (warning). Then somebody tidies up
one of the numbers and the path is gone: that was the second outage of the incident, over SSH and
without the console. Switches and bridges also learn addresses per VLAN: on such a path they never
learn them and flood the frames to every port.

A path that is cut (error, where the host's own address or an important guest hangs on it) sends
and hears nothing.

## Evidence
PVID, untagged and tagged VLANs of the bridge's own entry, the uplinks and the guests' ports from
the kernel; the native VLAN from the capture of the switch that `[hosts.NAME.uplinks]` names.
Without a capture the switch is taken to answer as it was asked.

## Example
    br-mgmt     1 PVID Egress Untagged, 100 Egress Untagged
    enp65s0f0   1 Egress Untagged, 100 PVID Egress Untagged

The host's frames leave in VLAN 1 and the answers arrive in VLAN 100.

## Remedy
In a maintenance window, with the console (BMC) open and tested: first *add* what is missing, let
traffic flow, and only then take the old entry away, at last write the same into the network
profile. Never in one step, never over SSH alone.

## When to ignore it
Never for long: it works by chance. If there is no window yet, leave it exactly as it is.

## References
bridge(8), `vlan`; Documentation/networking/bridge.rst of the kernel (VLAN filtering); IEEE 802.1Q
(shared and independent learning).
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        if bridge.vlan_filtering != Some(true) || is_libvirts(host.snapshot, bridge) {
            continue;
        }
        let uplinks: Vec<&Port> = bridge.uplinks().collect();
        let mut ways: BTreeMap<Way, Vec<(&Port, &Port)>> = BTreeMap::new();
        for port in &bridge.ports {
            let asked = match port.role {
                Role::Own | Role::Guest => port,
                Role::Uplink | Role::Other => continue,
            };
            let natives = |uplink: &Port| far(host.estate, host.name(), &uplink.name)?.native();
            let Some((way, uplink)) = best_way(asked, uplinks.iter().copied(), natives) else {
                continue;
            };
            if port.role == Role::Own {
                own(host, bridge, (way, port, uplink), report);
            } else {
                ways.entry(way).or_default().push((port, uplink));
            }
        }
        for (way, ports) in &ways {
            guests(host, bridge, *way, ports, report);
        }
    }
}

/// Whether the host's own address hangs on the bridge itself.
fn has_address(host: &Host<'_>, bridge: &Bridge) -> bool {
    let profiled = host.snapshot.profiles.iter().any(|profile| {
        profile.counts()
            && profile.interface.as_deref() == Some(&bridge.name)
            && !profile.addresses.is_empty()
    });
    let planned = host.estate.bridge_plan(host.name(), &bridge.name);
    profiled || planned.is_some_and(|plan| plan.host().is_some())
}

fn own(
    host: &Host<'_>,
    bridge: &Bridge,
    (way, port, uplink): (Way, &Port, &Port),
    report: &mut Report,
) {
    let name = &bridge.name;
    let (severity, message, consequence) = match way {
        Way::Fine => return,
        Way::TwoVlans { out, back } => (
            Severity::Warning,
            format!(
                "the host's own untagged frames leave {name} in VLAN {out} and come back in VLAN {back}"
            ),
            "Harmless as it stands; but whoever takes away one of the two entries, on the bridge, \
             the uplink or the switch, cuts the host off: never over SSH without the console",
        ),
        // Without an address on the bridge the host need not speak there at all.
        _ if !has_address(host, bridge) => return,
        Way::NoPvid => (
            Severity::Error,
            format!(
                "the host's own untagged frames are dropped on {name}: its own entry has no PVID"
            ),
            "The host does not answer at its address on this bridge",
        ),
        Way::NotOnUplink { out } => (
            Severity::Error,
            format!(
                "the host's own untagged frames go to VLAN {out} of {name}, which no uplink carries"
            ),
            "The host is cut off from its network on this bridge",
        ),
        Way::NoWayBack { out, back } => (
            Severity::Error,
            match back {
                Some(back) => format!(
                    "the host's own untagged frames leave {name} in VLAN {out}; answers come in \
                     VLAN {back}, which does not reach the host"
                ),
                None => format!(
                    "the host's own untagged frames leave {name} in VLAN {out}; {} drops the answers",
                    uplink.name
                ),
            },
            "The host is cut off from its network on this bridge",
        ),
    };
    let fix = match way {
        Way::TwoVlans { back, .. } => format!(
            "in a maintenance window, console open: bridge vlan add dev {name} vid {back} pvid \
             untagged self; check the connection; then the profile"
        ),
        _ => "over the console: compare the entries shown with the VLAN map, add the missing one \
              with `bridge vlan add`"
            .to_owned(),
    };
    let finding = Finding::new(severity, host.name(), name, message)
        .consequence(consequence)
        .evidence(entry_evidence(bridge, port))
        .evidence(entry_evidence(bridge, uplink))
        .evidence_if(switch_evidence(host, uplink))
        .fix(fix);
    report.find(finding);
}

fn guests(
    host: &Host<'_>,
    bridge: &Bridge,
    way: Way,
    ports: &[(&Port, &Port)],
    report: &mut Report,
) {
    let Some((first, uplink)) = ports.first() else {
        return;
    };
    let names: Vec<String> = ports.iter().map(|(port, _)| port_name(port)).collect();
    let important = ports.iter().any(|(port, _)| {
        port.guest
            .as_deref()
            .is_some_and(|g| host.estate.is_important(g))
    });
    let whose = format!("untagged frames of {}", some_of(&names));
    let (severity, message, consequence) = match way {
        // No PVID: a guest that tags all by itself. A VLAN that no uplink carries:
        // bridge/vlan-missing-on-uplink.
        Way::Fine | Way::NoPvid | Way::NotOnUplink { .. } => return,
        Way::TwoVlans { out, back } => (
            Severity::Warning,
            format!("{whose} leave in VLAN {out} and come back in VLAN {back}"),
            "Works as it stands, and stops when one of the entries is changed",
        ),
        Way::NoWayBack { out, back } => (
            if important {
                Severity::Error
            } else {
                Severity::Warning
            },
            match back {
                Some(back) => {
                    format!(
                        "{whose} leave in VLAN {out}; answers come in VLAN {back}, which does not reach them"
                    )
                }
                None => format!(
                    "{whose} leave in VLAN {out}; {} drops the answers",
                    uplink.name
                ),
            },
            "These guests send and hear nothing beyond this host",
        ),
    };
    report.find(
        Finding::new(severity, host.name(), &bridge.name, message)
            .consequence(consequence)
            .evidence(entry_evidence(bridge, first))
            .evidence(entry_evidence(bridge, uplink))
            .evidence_if(switch_evidence(host, uplink))
            .fix(
                "make the uplink's PVID and the switch's native VLAN the same, in a maintenance \
                 window with the console open",
            ),
    );
}

fn switch_evidence(host: &Host<'_>, uplink: &Port) -> Option<Evidence> {
    let far = far(host.estate, host.name(), &uplink.name)?;
    let place = far.native_place()?;
    Some(Evidence::line(&place.file, place.line, &place.text))
}
