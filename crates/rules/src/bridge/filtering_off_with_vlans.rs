//! `bridge/filtering-off-with-vlans`: VLANs are configured on a bridge that ignores them.

use super::{entry_evidence, is_libvirts};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::bridge::{Bridge, Port, Role};
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/filtering-off-with-vlans",
    summary: "VLANs are planned or set on a bridge that does not filter",
    needs: &[Source::Bridges],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A bridge with `vlan_filtering 0` although the VLAN map plans a PVID or tagged VLANs on it (error), or
although its ports have VLANs of their own (warning).

## Why it matters
Without filtering the bridge looks at no tag: every entry that `bridge vlan show` prints is dead.
Guests' untagged frames leave untagged and land in the switch's native VLAN; a guest that tags
reaches every VLAN of the trunk. It all looks right in `bridge vlan show`.

## Evidence
`vlan_filtering` of the bridge and the VLANs of its ports from the kernel; the plan.

## Example
    $ cat /sys/class/net/br-mgmt/bridge/vlan_filtering
    0

## Remedy
Filtering is switched on at once for all ports, the host's own entry included: first make every
entry right (own entry and uplinks at least), then `ip link set br-mgmt type bridge vlan_filtering
1`, in a maintenance window with the console open; then `bridge.vlan-filtering yes` in the profile.

## When to ignore it
A bridge that passes all tags through on purpose: leave it out of the VLAN map.

## References
ip-link(8), `vlan_filtering`; Documentation/networking/bridge.rst of the kernel.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        if bridge.vlan_filtering != Some(false) || is_libvirts(host.snapshot, bridge) {
            continue;
        }
        let plan = host.estate.bridge_plan(host.name(), &bridge.name);
        let planned = plan.is_some_and(|p| {
            !p.tagged.is_empty()
                || [p.guest(), p.host(), p.uplink()]
                    .iter()
                    .flatten()
                    .any(|v| *v != 1)
        });
        let set = bridge.ports.iter().find(|port| is_set(bridge, port));
        let (severity, why) = match (planned, set) {
            (true, _) => (Severity::Error, "the VLAN map plans VLANs on it".to_owned()),
            (false, Some(port)) => (
                Severity::Warning,
                format!("{} has VLANs of its own", port.name),
            ),
            (false, None) => continue,
        };
        let place = plan.filter(|_| planned).and_then(|_| {
            host.estate
                .site_evidence("bridges", &bridge.name, Some("pvid"))
        });
        report.find(
            Finding::new(
                severity,
                host.name(),
                &bridge.name,
                format!("{} does not filter by VLAN, and {why}", bridge.name),
            )
            .consequence(
                "Every VLAN entry on it is without effect: untagged guests are in the switch's native VLAN",
            )
            .evidence(Evidence::measured(
                format!("netlink:{}", bridge.name),
                "vlan_filtering 0",
            ))
            .evidence_if(set.map(|port| entry_evidence(bridge, port)))
            .evidence_if(place)
            .fix(format!(
                "with the console open, after every entry is right: ip link set {} type bridge \
                 vlan_filtering 1",
                bridge.name
            )),
        );
    }
}

/// Whether somebody gave the port VLANs; the kernel's own default is none.
fn is_set(bridge: &Bridge, port: &Port) -> bool {
    let default = bridge.default_pvid.unwrap_or(1);
    port.role != Role::Other
        && (!port.tagged.is_empty() || port.pvid.is_some_and(|pvid| pvid != default))
}
