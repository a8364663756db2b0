//! The profile: what writes a confirmed state down, so that the next boot brings it too.
//!
//! NetworkManager's profiles are written with `nmcli connection modify`, which touches no running
//! state. What another tool owns, or what has no profile, is told to a person.

use super::record::{Handle, Record, RecordError};
use super::run;
use super::state::{Device, State};
use facts::ip::Address;
use facts::profile::{Profile, ProfileKind, restores};
use rules::bridge::persist::{Wanted, remedy};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is to be written, and what a person must write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// Commands, in order.
    pub commands: Vec<Vec<String>>,
    /// Files that they change.
    pub files: Vec<PathBuf>,
    /// What no command of ours writes, in words.
    pub by_hand: Vec<String>,
}

/// What writes down the part of `target` in which it differs from `before`, or from the profile
/// of a device that the change concerns.
pub fn writing(
    profiles: &[Profile],
    before: &State,
    target: &State,
    devices: &BTreeSet<String>,
) -> Writing {
    let mut writing = Writing::default();
    for name in devices {
        let Some(device) = target.devices.get(name) else {
            continue;
        };
        if device.role == Some(facts::bridge::Role::Guest) {
            // Guests' ports are nobody's profile: the hook sets them.
            continue;
        }
        let old = before.devices.get(name);
        vlans(profiles, target, name, device, old, &mut writing);
        membership(profiles, name, device, old, &mut writing);
        addresses(profiles, before, target, name, device, &mut writing);
    }
    writing
}

fn vlans(
    profiles: &[Profile],
    target: &State,
    name: &str,
    device: &Device,
    old: Option<&Device>,
    writing: &mut Writing,
) {
    let Some(vlans) = &device.vlans else { return };
    let own = device.bridge.is_some();
    let bridge = match (&device.controller, own) {
        (_, true) => name,
        (Some(controller), false) => controller.as_str(),
        (None, false) => return,
    };
    let Some(settings) = target.devices.get(bridge).and_then(|b| b.bridge) else {
        return;
    };
    let wanted = Wanted {
        filtering: settings.vlan_filtering,
        default_pvid: settings.default_pvid.unwrap_or(0),
        pvid: vlans.pvid,
        untagged: vlans.untagged.iter().copied().collect(),
        tagged: vlans.tagged.iter().copied().collect(),
    };
    let port = (!own).then_some(name);
    let Some(restored) = restores(profiles, bridge, port) else {
        let changed = old.is_none_or(|o| o.vlans != device.vlans || o.bridge != device.bridge);
        if changed {
            let what = if own { "makes" } else { "attaches" };
            writing.by_hand.push(format!(
                "no profile {what} {name}: its VLANs are gone at the next boot"
            ));
        }
        return;
    };
    let same = restored.vlans.pvid == wanted.pvid
        && restored.vlans.untagged == wanted.untagged
        && restored.vlans.tagged == wanted.tagged
        && restored.vlan_filtering == wanted.filtering
        && (!own || restored.default_pvid == wanted.default_pvid);
    if same {
        return;
    }
    let profile = restored.profile;
    let mut settings = vec![(
        if own {
            "bridge.vlans"
        } else {
            "bridge-port.vlans"
        }
        .to_owned(),
        wanted.nm_list(),
    )];
    if own {
        let filtering = if wanted.filtering { "yes" } else { "no" };
        settings.insert(
            0,
            ("bridge.vlan-filtering".to_owned(), filtering.to_owned()),
        );
        let default = wanted.default_pvid.to_string();
        settings.insert(1, ("bridge.vlan-default-pvid".to_owned(), default));
    } else if restored.vlans.pvid == wanted.pvid
        && restored.vlans.untagged == wanted.untagged
        && restored.vlans.tagged == wanted.tagged
    {
        // Only the bridge's filtering differs: written with the bridge, or not ours to write.
        return;
    }
    if is_network_manager(profile) {
        modify(profile, &settings, writing);
    } else {
        writing.by_hand.push(remedy(profile, name, own, &wanted));
    }
}

fn membership(
    profiles: &[Profile],
    name: &str,
    device: &Device,
    old: Option<&Device>,
    writing: &mut Writing,
) {
    if old.map(|o| &o.controller) == Some(&device.controller) {
        return;
    }
    let Some(profile) = profile_of(profiles, name) else {
        writing.by_hand.push(match &device.controller {
            Some(bridge) => format!("no profile attaches {name} to {bridge}: write one"),
            None => format!("{name} left its bridge, and no profile says so"),
        });
        return;
    };
    let controller = device.controller.clone().unwrap_or_default();
    if is_network_manager(profile) {
        let kind = if controller.is_empty() { "" } else { "bridge" };
        let settings = [
            ("connection.master".to_owned(), controller),
            ("connection.slave-type".to_owned(), kind.to_owned()),
        ];
        modify(profile, &settings, writing);
    } else {
        writing.by_hand.push(format!(
            "in {}: {name} belongs to {}",
            profile.file,
            device.controller.as_deref().unwrap_or("no bridge")
        ));
    }
}

fn addresses(
    profiles: &[Profile],
    before: &State,
    target: &State,
    name: &str,
    device: &Device,
    writing: &mut Writing,
) {
    let old = before.devices.get(name);
    let list = |device: Option<&Device>, v6: bool| -> Vec<String> {
        let mine = |a: &&Address| a.local.is_ipv6() == v6 && !(v6 && a.scope == 253);
        let addresses = device.map(|d| d.addresses.as_slice()).unwrap_or_default();
        let mut list: Vec<String> = addresses.iter().filter(mine).map(Address::text).collect();
        list.sort();
        list
    };
    let gateway = |state: &State, v6: bool| {
        let default =
            |r: &&facts::ip::Route| r.v6 == v6 && r.destination.is_none() && r.prefix == 0;
        let route = state.routes_over(name, false).find(default)?;
        route.hops.first()?.via
    };
    for v6 in [false, true] {
        let (was, is) = (list(old, v6), list(Some(device), v6));
        let (from, to) = (gateway(before, v6), gateway(target, v6));
        if was == is && from == to {
            continue;
        }
        let family = if v6 { "ipv6" } else { "ipv4" };
        let Some(profile) = profile_of(profiles, name) else {
            writing.by_hand.push(format!(
                "no profile gives {name} its {family} addresses: {}",
                is.join(", ")
            ));
            continue;
        };
        if is_network_manager(profile) {
            let method = match (is.is_empty(), v6) {
                (false, _) => "manual",
                (true, false) => "disabled",
                (true, true) => "link-local",
            };
            let gateway = to.map(|g| g.to_string()).unwrap_or_default();
            // In this order: a gateway without addresses is refused.
            let mut settings = vec![
                (format!("{family}.gateway"), String::new()),
                (format!("{family}.addresses"), is.join(",")),
                (format!("{family}.gateway"), gateway),
                (format!("{family}.method"), method.to_owned()),
            ];
            settings.retain(|(key, value)| {
                !(key.ends_with("gateway") && value.is_empty() && from.is_none())
            });
            modify(profile, &settings, writing);
        } else {
            writing.by_hand.push(format!(
                "in {}: {family} addresses of {name}: {}",
                profile.file,
                if is.is_empty() {
                    "none".to_owned()
                } else {
                    is.join(", ")
                }
            ));
        }
    }
}

fn modify(profile: &Profile, settings: &[(String, String)], writing: &mut Writing) {
    let (key, value) = match &profile.uuid {
        Some(uuid) => ("uuid", uuid),
        None => ("id", &profile.name),
    };
    let mut words: Vec<String> = ["nmcli", "connection", "modify", key, value]
        .map(str::to_owned)
        .into();
    for (key, value) in settings {
        words.extend([key.clone(), value.clone()]);
    }
    writing.commands.push(words);
    let file = PathBuf::from(&profile.file);
    if !writing.files.contains(&file) {
        writing.files.push(file);
    }
}

/// The one profile that names an interface and takes part in the boot.
fn profile_of<'a>(profiles: &'a [Profile], name: &str) -> Option<&'a Profile> {
    profiles
        .iter()
        .filter(|p| p.counts() && p.interface.as_deref() == Some(name))
        .max_by_key(|p| p.priority)
}

fn is_network_manager(profile: &Profile) -> bool {
    matches!(profile.kind, ProfileKind::Keyfile | ProfileKind::Ifcfg)
}

/// Runs the commands that write the profile.
///
/// # Errors
/// The first that fails; the profile must then be put back.
pub fn write(record: &Record, handle: &Handle) -> Result<(), collect::command::CommandError> {
    for words in &record.persist {
        run::run(words)?;
        handle.note(&format!("profile: {}", words.join(" ")));
    }
    Ok(())
}

/// Puts the profile files back as they were, and has NetworkManager read them again where one
/// differed. That it cannot (it does not run) is no failure: it reads them when it starts.
///
/// # Errors
/// A file cannot be written.
pub fn put_back(record: &Record, handle: &Handle) -> Result<(), RecordError> {
    let mut changed = false;
    for file in &record.profiles {
        if file.put_back()? {
            changed = true;
            handle.note(&format!("restore: {}", file.path.display()));
        }
    }
    if changed {
        let reload = ["nmcli", "connection", "reload"].map(str::to_owned);
        if let Err(error) = run::run(&reload) {
            handle.note(&format!("{error}"));
        }
    }
    Ok(())
}
