//! Rules on bridges: VLANs that differ from the plan, along a path, or from what a boot restores.

pub mod default_pvid_1;
pub mod filtering_off_with_vlans;
pub mod not_persistent;
pub mod path;
pub mod persist;
pub mod profile_ignored;
pub mod pvid_differs_along_path;
pub mod pvid_differs_from_plan;
pub mod uplink_down;
pub mod uplink_not_attached;
pub mod vlan_missing_on_uplink;

use facts::bridge::{Bridge, Port, Role, vid::short};
use facts::{Evidence, Snapshot};

/// What is known of an entry, in words.
pub(crate) fn describe(pvid: Option<u16>, untagged: &[u16], tagged: &[u16]) -> String {
    let list = |vids: &[u16]| match vids {
        [] => "none".to_owned(),
        vids => short(vids),
    };
    let pvid = pvid.map_or_else(|| "no PVID".to_owned(), |p| format!("PVID {p}"));
    format!(
        "{pvid}, untagged {}, tagged {}",
        list(untagged),
        list(tagged)
    )
}

/// An entry as the kernel has it.
pub(crate) fn entry_evidence(bridge: &Bridge, port: &Port) -> Evidence {
    let thing = match port.role {
        Role::Own => format!("netlink:{} (the bridge's own entry)", bridge.name),
        _ => format!("netlink:{} port {}", bridge.name, port.name),
    };
    Evidence::measured(thing, describe(port.pvid, &port.untagged, &port.tagged))
}

/// The device and its guest: `vnet3 (bind-01)`.
pub(crate) fn port_name(port: &Port) -> String {
    match &port.guest {
        Some(guest) => format!("{} ({guest})", port.name),
        None => port.name.clone(),
    }
}

/// Names in a sentence: `a, b and 7 more`.
pub(crate) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 4;
    if names.len() <= SHOWN + 1 {
        return names.join(", ");
    }
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    format!("{shown} and {} more", names.len() - SHOWN)
}

/// Whether libvirt itself makes the bridge, for a network of its own.
pub(crate) fn is_libvirts(snapshot: &Snapshot, bridge: &Bridge) -> bool {
    snapshot.networks.iter().any(|network| {
        network.bridge.as_deref() == Some(bridge.name.as_str())
            && network.forward.as_deref() != Some("bridge")
    })
}
