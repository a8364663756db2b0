//! What a confirmed change left, kept at its end: whoever takes it back long after learns first what
//! others changed since, which going back would overwrite.

use super::record::{Handle, Record, RecordError};
use super::state::{Device, State as Network};
use crate::plan::Change;
use crate::root::Root;
use crate::state::State;
use facts::bridge::Role;
use std::collections::{BTreeMap, BTreeSet};

/// The profile files that a change writes.
fn paths(record: &Record) -> BTreeSet<&str> {
    let edits = record.edits.iter().filter_map(|step| match &step.act {
        Change::Path { path, .. } => Some(path.as_str()),
        Change::Run(_) => None,
    });
    let commands = record.profiles.iter().map(|file| file.path.as_str());
    edits.chain(commands).collect()
}

fn read(root: &Root, path: &str) -> Result<State, RecordError> {
    Ok(State::read(root, path, false).map_err(Box::new)?)
}

/// Keeps what the profile files hold once they are written. A change that cannot keep it is not
/// confirmed.
///
/// # Errors
/// A file cannot be read, or the disk refuses.
pub fn keep(record: &Record, handle: &Handle) -> Result<(), RecordError> {
    let root = Root::live().map_err(Box::new)?;
    let mut left = BTreeMap::new();
    for path in paths(record) {
        left.insert(path.to_owned(), read(&root, path)?);
    }
    handle.keep_left(&left)
}

/// What is no longer as a confirmed change left it, in words: its profile files, and the kernel
/// (`now`, with the guests' names at their ports) as far as the change reached.
///
/// # Errors
/// It cannot be told.
pub fn changed(
    record: &Record,
    handle: &Handle,
    now: &Network,
) -> Result<Vec<String>, RecordError> {
    let root = Root::live().map_err(Box::new)?;
    let left = handle.left()?;
    let mut changed = Vec::new();
    for path in paths(record) {
        let now = read(&root, path)?;
        match left.get(path) {
            None => changed.push(format!("{path}: what it held was not kept")),
            Some(left) if now.same(left) => {}
            Some(_) if now == State::Absent => changed.push(format!("{path}: removed since")),
            Some(left) if now.content() == left.content() => {
                changed.push(format!("{path}: owner, mode or label changed since"));
            }
            Some(_) => changed.push(format!("{path}: edited since")),
        }
    }
    for name in &record.devices {
        let then = record.target.devices.get(name);
        let now = now.devices.get(name);
        changed.extend(then.and_then(|then| device(name, then, now)));
    }
    Ok(changed)
}

/// In what a device differs from what was confirmed.
fn device(name: &str, then: &Device, now: Option<&Device>) -> Option<String> {
    let is_guests = then.role == Some(Role::Guest);
    let Some(now) = now else {
        // A guest that is off has no port, and going back touches none.
        return (!is_guests).then(|| format!("{name}: gone"));
    };
    let or = |text: Option<String>, none: &str| text.unwrap_or_else(|| none.to_owned());
    let mut differs = Vec::new();
    let mut pair = |what: &str, then: String, now: String| {
        if then != now {
            differs.push(format!("{what} {then}, now {now}"));
        }
    };
    pair(
        "guest",
        or(then.guest.clone(), "none"),
        or(now.guest.clone(), "none"),
    );
    pair(
        "bridge",
        or(then.controller.clone(), "none"),
        or(now.controller.clone(), "none"),
    );
    pair(
        "filtering",
        or(then.bridge.map(|b| b.vlan_filtering.to_string()), "none"),
        or(now.bridge.map(|b| b.vlan_filtering.to_string()), "none"),
    );
    pair("VLANs", vlans(then), vlans(now));
    if !is_guests {
        pair("addresses", addresses(then), addresses(now));
    }
    // The default PVID is left out: the profile holds none where an entry must not carry it, so
    // that it differs after a boot that nobody meddled with.
    (!differs.is_empty()).then(|| format!("{name}: {}", differs.join("; ")))
}

fn vlans(device: &Device) -> String {
    let Some(vlans) = &device.vlans else {
        return "none".to_owned();
    };
    let list = |vids: &BTreeSet<u16>| {
        let texts: Vec<String> = vids.iter().map(u16::to_string).collect();
        texts.join(",")
    };
    format!(
        "PVID {} untagged [{}] tagged [{}]",
        vlans.pvid.unwrap_or(0),
        list(&vlans.untagged),
        list(&vlans.tagged)
    )
}

/// Without the kernel's own link-local ones.
fn addresses(device: &Device) -> String {
    let own = device.addresses.iter();
    let own = own.filter(|a| !(a.local.is_ipv6() && a.scope == 253));
    let list: BTreeSet<String> = own.map(facts::ip::Address::text).collect();
    let list: Vec<String> = list.into_iter().collect();
    format!("[{}]", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::state::{Settings, Vlans};

    #[test]
    fn what_others_changed_is_named_and_what_comes_of_itself_is_not() {
        let bridge = |default: u16, pvid: u16| Device {
            bridge: Some(Settings {
                vlan_filtering: true,
                default_pvid: Some(default),
            }),
            vlans: Some(Vlans::of_default(Some(pvid))),
            ..Device::default()
        };
        assert_eq!(device("br0", &bridge(1, 100), Some(&bridge(0, 100))), None);
        let said = device("br0", &bridge(1, 100), Some(&bridge(1, 7))).unwrap();
        assert_eq!(
            said,
            "br0: VLANs PVID 100 untagged [100] tagged [], now PVID 7 untagged [7] tagged []"
        );
        let port = |guest: &str| Device {
            role: Some(Role::Guest),
            guest: Some(guest.to_owned()),
            ..Device::default()
        };
        assert_eq!(device("vnet3", &port("ise-01"), None), None);
        let said = device("vnet3", &port("ise-01"), Some(&port("bind-01"))).unwrap();
        assert_eq!(said, "vnet3: guest ise-01, now bind-01");
        assert!(device("eno1", &Device::default(), None).is_some());
    }
}
