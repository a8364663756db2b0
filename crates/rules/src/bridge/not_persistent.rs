//! `bridge/not-persistent`: VLAN state that the next boot takes away.

use super::persist::{Wanted, remedy};
use super::{describe, entry_evidence, is_libvirts};
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::bridge::{Bridge, Port, Role};
use facts::profile::{Profile, Restored, restores};
use facts::{Evidence, Source};
use model::site::BridgePlan;

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "bridge/not-persistent",
    summary: "the bridge's VLANs live in the kernel only; the next boot restores others",
    needs: &[Source::Bridges, Source::Profiles],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A bridge with an uplink (or a plan in site.toml) whose VLAN state in the kernel is not what its
network profile would restore at the next boot: VLAN filtering, PVID and VLANs of the bridge's own
entry and of each uplink. Also a bridge, or an uplink as its port, that no profile makes at all.

It reads NetworkManager's keyfiles and ifcfg files, systemd-networkd, netplan and ifupdown(2), and
knows their defaults: NetworkManager adds `bridge.vlan-default-pvid` (1 where not said) to every
entry; ifupdown2 gives a bridge's `bridge-vids` to its ports and leaves the bridge itself on 1.

## Why it matters
`bridge vlan` changes the running kernel and nothing else. The host runs for months with VLANs that
somebody typed, and comes back from its next boot without them: guests in the wrong network, or the
host itself unreachable.

With `bridge.vlan-default-pvid 0` it is not enough to write `bridge.vlans`: the uplink's own profile
needs `bridge-port.vlans`, or the uplink carries nothing at all after the boot.

## Evidence
The kernel's entries over netlink; the profile that decides, with its file. Profiles under /run, those
that do not come up by themselves, and those of services that are not started do not count. Ports of
guests are nobody's profile and are left out: the hook makes them.

## Example
    $ bridge vlan show dev br-mgmt          br-mgmt  100 PVID Egress Untagged
    $ nmcli -g bridge.vlans con show br-mgmt
    (empty)

## Remedy
The command that is printed writes the plan of site.toml, or without one what the kernel has now.
`nmcli connection modify` changes the profile only; it acts at the next activation. Do not activate
(`nmcli connection up`) over SSH without the console.

## When to ignore it
A script that sets the VLANs at boot in its own way (loops, variables): where one is found, this rule
says *not checked* and names it.

## References
nm-settings-nmcli(5), `bridge.vlans`, `bridge-port.vlans`; systemd.network(5), `[BridgeVLAN]`;
netplan(5); bridge-utils-interfaces(5); ifupdown2 issues 115, 216, 243.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        let plan = host.estate.bridge_plan(host.name(), &bridge.name);
        let concerned = bridge.uplinks().next().is_some() || plan.is_some();
        if !concerned || is_libvirts(host.snapshot, bridge) {
            continue;
        }
        for port in &bridge.ports {
            if matches!(port.role, Role::Own | Role::Uplink) {
                entry(host, bridge, port, plan, report);
            }
        }
    }
}

fn entry(
    host: &Host<'_>,
    bridge: &Bridge,
    port: &Port,
    plan: Option<&BridgePlan>,
    report: &mut Report,
) {
    let profiles = &host.snapshot.profiles;
    let own = port.role == Role::Own;
    let asked = (!own).then_some(port.name.as_str());
    let Some(restored) = restores(profiles, &bridge.name, asked) else {
        nobody(host, bridge, port, report);
        return;
    };
    if let Some(script) = restored.uncertain {
        report.not_checked(
            host.name(),
            format!(
                "{} sets VLANs in a way that only running it tells",
                script.file
            ),
        );
        return;
    }
    let wanted = wanted(bridge, port, plan);
    if same(bridge, port, &restored) || as_planned(&wanted, &restored) && plan.is_some() {
        return;
    }
    let what = if own {
        format!("the VLAN state of {} is not in its profile", bridge.name)
    } else {
        format!(
            "the VLANs of the uplink {} are not in its profile",
            port.name
        )
    };
    let filtering = |on: bool| if on { "filtering" } else { "no filtering" };
    let after = format!(
        "{}, {}",
        filtering(restored.vlan_filtering),
        describe(
            restored.vlans.pvid,
            &restored.vlans.untagged,
            &restored.vlans.tagged
        )
    );
    let consequence = if restored.vlan_filtering
        && restored.vlans.pvid.is_none()
        && wanted.pvid.is_some()
    {
        "After the next boot untagged frames are dropped here: the host may not come back to the network"
    } else if !own {
        "After the next boot the VLANs of the guests, and perhaps the host's own, stop at this port"
    } else {
        "After the next boot the host's own frames, and with filtering off everybody's, go to other VLANs"
    };
    report.find(
        Finding::new(
            Severity::Error,
            host.name(),
            &port.name,
            format!("{what}: the next boot restores {after}"),
        )
        .consequence(consequence)
        .evidence(kernel(bridge, port))
        .evidence(profile_evidence(restored.profile, &after))
        .fix(remedy(restored.profile, &port.name, own, &wanted)),
    );
}

/// No profile makes it.
fn nobody(host: &Host<'_>, bridge: &Bridge, port: &Port, report: &mut Report) {
    let unread = host
        .snapshot
        .unread
        .iter()
        .find(|u| u.source == Source::Profiles && u.item.is_some());
    if let Some(unread) = unread {
        // The profile may be the very one that was not read.
        report.not_checked(
            host.name(),
            format!("which profile makes {}: {}", port.name, unread.reason),
        );
        return;
    }
    let own = port.role == Role::Own;
    let bridge_made = restores(&host.snapshot.profiles, &bridge.name, None).is_some();
    if !own && !bridge_made {
        // Said once, for the bridge.
        return;
    }
    let (message, consequence) = if own {
        (
            format!("no network profile makes the bridge {}", bridge.name),
            "After the next boot it is gone, and every guest on it has no network",
        )
    } else {
        (
            format!(
                "no network profile makes {} a port of {}",
                port.name, bridge.name
            ),
            "After the next boot the bridge has no way out over it",
        )
    };
    let candidates = host
        .snapshot
        .profiles
        .iter()
        .find(|p| p.interface.as_deref() == Some(&port.name));
    report.find(
        Finding::new(Severity::Error, host.name(), &port.name, message)
            .consequence(consequence)
            .evidence(kernel(bridge, port))
            .evidence_if(candidates.map(|p| profile_evidence(p, why_not(p))))
            .fix(if own {
                format!(
                    "make a profile for {} with the tool that this host uses",
                    bridge.name
                )
            } else {
                format!(
                    "make {} a port of {} in its network profile",
                    port.name, bridge.name
                )
            }),
    );
}

fn why_not(profile: &Profile) -> &str {
    if let Some(reason) = &profile.ignored {
        return reason;
    }
    if profile.volatile {
        "lies under /run: gone at the next boot"
    } else if profile.active == Some(false) {
        "its service is not started at boot"
    } else if !profile.autoconnect {
        "does not come up by itself"
    } else {
        "does not name this bridge"
    }
}

/// The state to write down: the plan's, else the kernel's.
fn wanted(bridge: &Bridge, port: &Port, plan: Option<&BridgePlan>) -> Wanted {
    let kernel = Wanted {
        filtering: bridge.vlan_filtering.unwrap_or(false),
        default_pvid: bridge.default_pvid.unwrap_or(1),
        pvid: port.pvid,
        untagged: port.untagged.clone(),
        tagged: port.tagged.clone(),
    };
    let planned = plan.and_then(|plan| {
        let pvid = if port.role == Role::Own {
            plan.host()
        } else {
            plan.uplink()
        };
        Some((plan, pvid?))
    });
    let Some((plan, pvid)) = planned else {
        return kernel;
    };
    let mut tagged = plan.tagged.clone();
    tagged.extend(plan.guest().into_iter().chain(plan.host()));
    tagged.sort_unstable();
    tagged.dedup();
    tagged.retain(|vid| *vid != pvid);
    Wanted {
        filtering: true,
        default_pvid: plan.default_pvid.unwrap_or(kernel.default_pvid),
        pvid: Some(pvid),
        untagged: vec![pvid],
        tagged,
    }
}

/// Whether the boot brings back what the kernel has. A default PVID left over as a mere untagged
/// member is passed over: tools differ in it, and it gets no frames of its own.
fn same(bridge: &Bridge, port: &Port, restored: &Restored<'_>) -> bool {
    let filtering = bridge.vlan_filtering.unwrap_or(false);
    if filtering != restored.vlan_filtering {
        return false;
    }
    if !filtering {
        return true;
    }
    let default = [bridge.default_pvid.unwrap_or(1), restored.default_pvid, 1];
    let untagged = |vids: &[u16], pvid: Option<u16>| -> Vec<u16> {
        vids.iter()
            .copied()
            .filter(|vid| Some(*vid) == pvid || !default.contains(vid))
            .collect()
    };
    port.pvid == restored.vlans.pvid
        && port.tagged == restored.vlans.tagged
        && untagged(&port.untagged, port.pvid)
            == untagged(&restored.vlans.untagged, restored.vlans.pvid)
}

fn as_planned(wanted: &Wanted, restored: &Restored<'_>) -> bool {
    restored.vlan_filtering == wanted.filtering
        && restored.vlans.pvid == wanted.pvid
        && wanted
            .pvid
            .is_none_or(|pvid| restored.vlans.untagged.contains(&pvid))
        && wanted
            .tagged
            .iter()
            .all(|vid| restored.vlans.tagged.contains(vid))
}

fn kernel(bridge: &Bridge, port: &Port) -> Evidence {
    let mut evidence = entry_evidence(bridge, port);
    if bridge.vlan_filtering != Some(true) {
        evidence.text = evidence.text.map(|text| format!("no filtering, {text}"));
    }
    evidence
}

/// What the boot makes of a profile is no line of it: shown as seen, without a number.
fn profile_evidence(profile: &Profile, text: &str) -> Evidence {
    Evidence::measured(&profile.file, text)
}
