//! `/etc/network/interfaces`: interfaces(5), Debian's bridge-utils-interfaces(5), and the bridge
//! addon of ifupdown2 (ifupdown-addons-interfaces(5)).
//!
//! The two programs read the same file differently. ifupdown with bridge-utils knows
//! `bridge_vlan_aware` alone; VLANs must come from `post-up bridge vlan …` lines. ifupdown2 knows
//! `bridge-vids`, `bridge-pvid`, `bridge-access`, and applies those of a bridge to its *ports*:
//! the bridge's own entry stays on PVID 1.

mod made;
mod stanza;

pub use stanza::{Include, includes};

use super::commands::{apply, effects};
use super::text::boolean;
use super::{Profile, ProfileKind, ProfileVlan};
use crate::SyntaxError;
use crate::bridge::vid;
use made::{Auto, Made, by_name};
use stanza::{Iface, Interfaces, Opt};
use std::collections::HashMap;

/// Longest chain of `inherits`.
const DEEPEST: u32 = 16;

/// Reads one file, as ifupdown2 does where it uses a key that only ifupdown2 knows.
///
/// # Errors
/// The place where it breaks the grammar, or where a VLAN is none.
pub fn parse(file: &str, text: &str) -> Result<Vec<Profile>, SyntaxError> {
    let second = [
        "bridge-vids",
        "bridge-pvid",
        "bridge-access",
        "bridge-vlan-aware",
    ]
    .iter()
    .any(|key| text.contains(key));
    parse_files(&[(file, text)], second).map_err(|(_, error)| error)
}

/// Reads the main file and all that it includes, in the order of inclusion.
///
/// # Errors
/// As for [`parse`], with the path of the file at fault.
pub fn parse_files(
    files: &[(&str, &str)],
    ifupdown2: bool,
) -> Result<Vec<Profile>, (String, SyntaxError)> {
    let mut all = Interfaces::default();
    for (file, text) in files {
        stanza::read(file, text, &mut all).map_err(|error| ((*file).to_owned(), error))?;
    }
    let mut made = Made::default();
    let mut later: Vec<(u32, String, super::commands::Effect)> = Vec::new();
    let auto = Auto::of(&all);
    let written = by_name(&all.ifaces);
    let ifaces: Vec<Iface> = all
        .ifaces
        .iter()
        .map(|i| inherited(i, &written, DEEPEST))
        .collect();
    let whole = by_name(&ifaces);
    for iface in &ifaces {
        let fault = |error| (iface.file.clone(), error);
        stanza_profile(iface, &auto, &mut made, ifupdown2).map_err(fault)?;
        for option in &iface.options {
            if matches!(option.key.as_str(), "pre-up" | "up" | "post-up") {
                for effect in effects(&option.value, Some(&iface.name), option.line) {
                    later.push((option.line, iface.file.clone(), effect));
                }
            }
        }
    }
    for iface in &ifaces {
        members(iface, &whole, &mut made, ifupdown2)
            .map_err(|error| (iface.file.clone(), error))?;
    }
    if ifupdown2 {
        vlans_on_bridges(&ifaces, &mut made);
    }
    // Commands run when their stanza comes up, after what the options made.
    let mut commands: Vec<Profile> = Vec::new();
    for (line, file, effect) in later {
        apply(&mut commands, ProfileKind::Ifupdown, &file, line, effect);
    }
    let mut profiles = made.into_profiles();
    profiles.extend(commands);
    Ok(profiles)
}

/// A stanza with the options of those that it inherits from before its own.
fn inherited(iface: &Iface, all: &HashMap<&str, Vec<&Iface>>, depth: u32) -> Iface {
    let mut whole = iface.clone();
    let parent = iface
        .inherits
        .as_ref()
        .filter(|_| depth > 0)
        .and_then(|parent| {
            let named = all.get(parent.as_str())?;
            named.iter().find(|i| i.line != iface.line)
        });
    if let Some(parent) = parent {
        let mut options = inherited(parent, all, depth - 1).options;
        options.append(&mut whole.options);
        whole.options = options;
    }
    whole
}

/// Makes the profile of a stanza, or adds to that of the same interface (inet and inet6 are two
/// stanzas).
fn stanza_profile(
    iface: &Iface,
    auto: &Auto<'_>,
    made: &mut Made,
    ifupdown2: bool,
) -> Result<(), SyntaxError> {
    let profile = made.get_or_make(&iface.name, || Profile {
        kind: ProfileKind::Ifupdown,
        file: iface.file.clone(),
        line: iface.line,
        name: iface.name.clone(),
        interface: Some(iface.name.clone()),
        autoconnect: auto.has(&iface.name),
        ..Profile::default()
    });
    let kind = kind_of(iface);
    if profile.kind_of_link.is_empty() || kind != "ethernet" {
        kind.clone_into(&mut profile.kind_of_link);
    }
    if let Some(aware) = iface.get("bridge-vlan-aware") {
        profile.vlan_filtering =
            Some(boolean(&aware.value).ok_or_else(|| {
                SyntaxError::new(aware.line, aware.column, "yes or no is expected")
            })?);
    }
    if ifupdown2 && kind == "bridge" {
        // Checked here, used for the ports.
        for key in ["bridge-vids", "bridge-pvid"] {
            iface.get(key).map(ranges).transpose()?;
        }
    }
    for option in &iface.options {
        match option.key.as_str() {
            "address" => {
                let address = option.value.trim();
                let masked = address.contains('/') || iface.get("netmask").is_none();
                profile.addresses.push(if masked {
                    address.to_owned()
                } else {
                    format!("{address}/{}", prefix(iface))
                });
            }
            "dns-nameservers" | "dns-nameserver" => profile
                .dns
                .extend(option.value.split_whitespace().map(str::to_owned)),
            "bond-master" => profile.controller = Some(option.value.clone()),
            _ => {}
        }
    }
    Ok(())
}

/// The prefix length of `netmask`, given as a length or dotted.
fn prefix(iface: &Iface) -> String {
    let mask = iface.get("netmask").map_or("", |o| o.value.trim());
    mask.parse::<std::net::Ipv4Addr>().map_or_else(
        |_| mask.to_owned(),
        |mask| u32::from(mask).count_ones().to_string(),
    )
}

fn kind_of(iface: &Iface) -> &'static str {
    let has = |key: &str| iface.get(key).is_some();
    if has("bridge-ports") || has("bridge-vlan-aware") {
        "bridge"
    } else if has("bond-slaves") || has("bond-mode") || has("slaves") {
        "bond"
    } else if has("vlan-raw-device") || has("vlan-id") || vlan_name(&iface.name).is_some() {
        "vlan"
    } else {
        "ethernet"
    }
}

/// `eth0.100` as device and VLAN.
fn vlan_name(name: &str) -> Option<(&str, u16)> {
    let (device, vlan) = name.rsplit_once('.')?;
    vid::range(vlan).ok().map(|(first, _)| (device, first))
}

/// Makes the ports of a bridge or bond its members, and gives those of a bridge their VLANs.
fn members(
    iface: &Iface,
    ifaces: &HashMap<&str, Vec<&Iface>>,
    made: &mut Made,
    ifupdown2: bool,
) -> Result<(), SyntaxError> {
    let listed = ["bridge-ports", "bond-slaves", "slaves"]
        .iter()
        .find_map(|key| iface.get(key));
    let Some(listed) = listed else { return Ok(()) };
    let Some(maker) = made.get(&iface.name) else {
        return Ok(());
    };
    let (autoconnect, bridge) = (maker.autoconnect, maker.kind_of_link == "bridge");
    let aware = maker.vlan_filtering == Some(true);
    for name in member_names(&listed.value, made) {
        let port = made.get_or_make(&name, || Profile {
            kind: ProfileKind::Ifupdown,
            file: iface.file.clone(),
            line: listed.line,
            name: name.clone(),
            interface: Some(name.clone()),
            kind_of_link: "ethernet".to_owned(),
            ..Profile::default()
        });
        port.controller = Some(iface.name.clone());
        port.autoconnect |= autoconnect;
        if bridge && aware && ifupdown2 {
            let own = ifaces
                .get(name.as_str())
                .and_then(|named| named.first().copied());
            port.vlans = port_vlans(iface, own)?;
        }
    }
    Ok(())
}

/// Names of `bridge-ports`: plain ones; `none`; `regex …` and `glob …` of what has a stanza.
fn member_names(value: &str, made: &Made) -> Vec<String> {
    let mut names = Vec::new();
    let mut pattern = false;
    for word in value.split_whitespace() {
        match word {
            "none" => {}
            "regex" | "glob" | "all" => pattern = true,
            "noregex" => pattern = false,
            word if pattern => {
                // `swp1-4` of ifupdown2 is a range of numbers.
                if let Some((stem, first, last)) = numbered(word) {
                    names.extend((first..=last).map(|n| format!("{stem}{n}")));
                } else {
                    let all = made.names();
                    names.extend(all.filter(|n| super::restored::glob(word, n)).cloned());
                }
            }
            word => names.push(word.to_owned()),
        }
    }
    names
}

fn numbered(word: &str) -> Option<(&str, u16, u16)> {
    let (front, last) = word.rsplit_once('-')?;
    let stem = front.trim_end_matches(|c: char| c.is_ascii_digit());
    let first: u16 = front.get(stem.len()..)?.parse().ok()?;
    let last: u16 = last.parse().ok()?;
    (first <= last && last - first < 1024).then_some((stem, first, last))
}

/// What ifupdown2 gives a port of a VLAN-aware bridge: its own keys before those of the bridge.
fn port_vlans(bridge: &Iface, own: Option<&Iface>) -> Result<Vec<ProfileVlan>, SyntaxError> {
    let of_own = |key: &str| own.and_then(|o| o.get(key));
    let mut vlans = Vec::new();
    if let Some(access) = of_own("bridge-access") {
        push_pvid(access, &mut vlans)?;
        return Ok(vlans);
    }
    if let Some(vids) = of_own("bridge-vids").or_else(|| bridge.get("bridge-vids")) {
        vlans = ranges(vids)?;
    }
    let untagged = of_own("bridge-allow-untagged").or_else(|| bridge.get("bridge-allow-untagged"));
    if let Some(no) = untagged.filter(|o| boolean(&o.value) == Some(false)) {
        let mut default = ProfileVlan::tagged((1, 1), no.line);
        default.removed = true;
        vlans.insert(0, default);
    } else if let Some(pvid) = of_own("bridge-pvid").or_else(|| bridge.get("bridge-pvid")) {
        push_pvid(pvid, &mut vlans)?;
    }
    Ok(vlans)
}

/// A PVID other than the kernel's default takes the default's place.
fn push_pvid(option: &Opt, vlans: &mut Vec<ProfileVlan>) -> Result<(), SyntaxError> {
    for mut vlan in ranges(option)? {
        vlan.pvid = true;
        vlan.untagged = true;
        if vlan.first != 1 {
            let mut default = ProfileVlan::tagged((1, 1), option.line);
            default.removed = true;
            vlans.insert(0, default);
        }
        vlans.push(vlan);
    }
    Ok(())
}

/// VLANs and ranges, separated by space or commas.
fn ranges(option: &Opt) -> Result<Vec<ProfileVlan>, SyntaxError> {
    option
        .value
        .split([' ', '\t', ','])
        .filter(|part| !part.is_empty())
        .map(|part| {
            vid::range(part)
                .map(|range| ProfileVlan::tagged(range, option.line))
                .map_err(|message| SyntaxError::new(option.line, option.column, message))
        })
        .collect()
}

/// ifupdown2 makes a bridge itself a member of the VLAN of each VLAN device on it.
fn vlans_on_bridges(ifaces: &[Iface], made: &mut Made) {
    for iface in ifaces {
        let raw = iface.get("vlan-raw-device").map(|o| o.value.trim());
        let id = iface.get("vlan-id").map(|o| o.value.trim());
        let named = vlan_name(&iface.name);
        let device = raw.or(named.map(|(device, _)| device));
        let vlan = id
            .and_then(|id| vid::range(id).ok())
            .or(named.map(|(_, vlan)| (vlan, vlan)))
            .or_else(|| vid::range(iface.name.strip_prefix("vlan")?).ok());
        let (Some(device), Some(vlan)) = (device, vlan) else {
            continue;
        };
        if let Some(bridge) = made
            .get_mut(device)
            .filter(|bridge| bridge.vlan_filtering == Some(true))
        {
            bridge.vlans.push(ProfileVlan::tagged(vlan, iface.line));
        }
    }
}

#[cfg(test)]
mod tests;
