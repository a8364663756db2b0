//! `hook/absent-though-needed`: guest ports need VLANs, and nobody sets them.

use super::executable;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::bridge::Bridge;
use facts::domain::{Guest, Interface};
use facts::hook::HookScript;
use facts::{Evidence, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "hook/absent-though-needed",
    summary: "guest ports need VLANs that neither a hook nor the definition sets",
    needs: &[Source::Hooks, Source::Bridges, Source::Guests],
    remedy: Remedy::Shown,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A bridge that filters by VLAN, whose plan in site.toml gives guest ports another PVID than the
bridge's default, or tagged VLANs besides, while no hook of this host sets VLANs and the guests'
definitions have no `<vlan>` element that works there (libvirt 11.0 and later, on Linux bridges).

## Why it matters
The VLANs of a guest's port live in the kernel and as long as the port: until the guest stops. At its
next start the port has the bridge's default PVID alone. What is right now was set by hand.

## Evidence
The bridge's default PVID, the plan, and the guests concerned.

## Example
    [bridges.br-mgmt]
    pvid = 100
    tagged = [10, 20, 30]

## Remedy
`nofail hook install`, which reads the plan; or with libvirt 11.0 and later a `<vlan>` element in each
interface's definition; or a hook of your own that acts at `started`.

## When to ignore it
Another program sets the VLANs at each start (Open vSwitch, a cluster manager).

## References
libvirt, \"Hooks for specific system management\"; libvirt's domain format, \"Setting VLAN tag\";
bridge(8), `bridge vlan`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    for bridge in &host.snapshot.bridges {
        if bridge.vlan_filtering != Some(true) {
            continue;
        }
        let guests: Vec<(&Guest, u16)> = host
            .snapshot
            .guests
            .iter()
            .filter_map(|guest| Some((guest, needs(host, bridge, guest)?)))
            .collect();
        if guests.is_empty() {
            continue;
        }
        let scripts = &host.snapshot.hooks.scripts;
        if scripts.iter().any(|s| s.sets_vlans) {
            continue;
        }
        let opaque = |s: &&HookScript| {
            executable(s) && s.hook == "qemu" && (s.binary || s.text.is_none() || s.runs_others)
        };
        if let Some(script) = scripts.iter().find(opaque) {
            let reason = format!(
                "{}: what {} sets cannot be told from its text",
                bridge.name, script.path
            );
            report.not_checked(host.name(), reason);
            continue;
        }
        tell(host, bridge, &guests, report);
    }
}

/// The PVID that a guest needs on this bridge, where it needs more than the default gives.
fn needs(host: &Host<'_>, bridge: &Bridge, guest: &Guest) -> Option<u16> {
    let plan = host.estate.bridge_plan(host.name(), &bridge.name)?;
    let intent = host.estate.intent(&guest.name);
    let default = bridge.default_pvid.unwrap_or(1);
    let pvid = intent.and_then(|i| i.pvid).or_else(|| plan.guest())?;
    let tagged = intent
        .and_then(|i| i.tagged.as_ref())
        .unwrap_or(&plan.tagged);
    let bare = guest.interfaces.iter().any(|interface| {
        on(interface, &bridge.name) && !(defines_vlans(interface) && knows_vlans(host))
    });
    (bare && (pvid != default || !tagged.is_empty())).then_some(pvid)
}

fn on(interface: &Interface, bridge: &str) -> bool {
    interface.bridge.as_deref() == Some(bridge)
        || interface.kind == "bridge" && interface.source.as_deref() == Some(bridge)
}

fn defines_vlans(interface: &Interface) -> bool {
    !interface.vlans.is_empty() || interface.native_vlan.is_some()
}

/// Whether this host's libvirt sets `<vlan>` on Linux bridges.
fn knows_vlans(host: &Host<'_>) -> bool {
    let version = host.snapshot.libvirt_version.as_deref().unwrap_or("");
    let major = version
        .split('.')
        .next()
        .and_then(|m| m.parse::<u32>().ok());
    major.is_some_and(|major| major >= 11)
}

fn tell(host: &Host<'_>, bridge: &Bridge, guests: &[(&Guest, u16)], report: &mut Report) {
    let default = bridge.default_pvid.unwrap_or(1);
    let default = if default == 0 {
        "no default PVID".to_owned()
    } else {
        format!("the default PVID {default}")
    };
    let names: Vec<&str> = guests.iter().map(|(g, _)| g.name.as_str()).collect();
    let pvid = guests[0].1;
    let mut finding = Finding::new(
        Severity::Error,
        host.name(),
        &bridge.name,
        format!(
            "guests on {} need PVID {pvid} by plan, and nothing sets it when they start",
            bridge.name
        ),
    )
    .consequence(format!(
        "After its next start each of {} is alone on {default}",
        names.join(", ")
    ))
    .evidence(Evidence::measured(
        "/etc/libvirt/hooks",
        "no script sets VLANs (bridge vlan add, nofail hook run)",
    ))
    .evidence(Evidence::measured(
        format!("netlink:{}", bridge.name),
        format!("VLAN filtering on, {default}"),
    ))
    .evidence_if(
        host.estate
            .site_evidence("bridges", &bridge.name, Some("pvid")),
    )
    .fix("nofail hook install");
    if !knows_vlans(host)
        && let Some((guest, interface)) = guests.iter().find_map(|(guest, _)| {
            let with = |i: &&Interface| on(i, &bridge.name) && defines_vlans(i);
            Some((guest, guest.interfaces.iter().find(with)?))
        })
    {
        let version = host
            .snapshot
            .libvirt_version
            .as_deref()
            .unwrap_or("of unknown version");
        finding = finding.evidence(Evidence::line(
            &guest.file,
            interface.line,
            format!("<vlan> on a Linux bridge needs libvirt 11.0; this one is {version}"),
        ));
    }
    report.find(finding);
}
