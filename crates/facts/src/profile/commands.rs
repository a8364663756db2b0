//! VLAN state set by commands: `bridge vlan add …`, `ip link set … type bridge …`, writes to
//! `/sys/class/net/…/bridge/`, as they stand in ifupdown's `post-up` lines and in scripts.
//!
//! Only plain commands are understood. One that depends on variables or loops is told as such
//! ([`Effect::Unclear`]): what it does only running it would tell.

use super::text::number;
use super::{Profile, ProfileKind, ProfileVlan};
use crate::bridge::vid;

/// What one command does to VLAN state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A VLAN of a port, or of a bridge's own entry, added or taken away.
    Vlan {
        /// Device.
        device: String,
        /// The VLAN.
        vlan: ProfileVlan,
    },
    /// VLAN filtering of a bridge.
    Filtering {
        /// Bridge.
        bridge: String,
        /// On or off.
        on: bool,
    },
    /// Default PVID of a bridge.
    DefaultPvid {
        /// Bridge.
        bridge: String,
        /// PVID, 0 for none.
        pvid: u16,
    },
    /// It sets VLANs, but not in a way that can be read off.
    Unclear,
}

/// What one line of shell does to VLAN state. `interface` stands for `$IFACE`.
pub fn effects(line: &str, interface: Option<&str>, at: u32) -> Vec<Effect> {
    let mut effects = Vec::new();
    for command in line.split([';', '&', '|']) {
        let command = command.split(" #").next().unwrap_or(command);
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| {
                let word = word.trim_matches(['"', '\'']);
                match interface {
                    Some(name) => word.replace("${IFACE}", name).replace("$IFACE", name),
                    None => word.to_owned(),
                }
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        one(&words, at, &mut effects);
    }
    effects
}

fn one(words: &[&str], at: u32, effects: &mut Vec<Effect>) {
    // Words before the command: `if`, `then`, `do`, `sudo`, `test -d x`, assignments.
    let program = |word: &str, name: &str| word == name || word.ends_with(&format!("/{name}"));
    if let Some(from) = words.iter().position(|w| program(w, "bridge"))
        && let Some(rest) = words.get(from + 1..)
        && let Some(verb) = rest.iter().position(|w| !w.starts_with('-'))
        && matches!(rest.get(verb), Some(&("vlan" | "vl" | "v")))
    {
        bridge_vlan(rest.get(verb + 1..).unwrap_or(&[]), at, effects);
    } else if let Some(from) = words.iter().position(|w| program(w, "ip"))
        && words.get(from..).is_some_and(|w| w.contains(&"link"))
    {
        ip_link(words.get(from..).unwrap_or(&[]), effects);
    } else if let Some(target) = words
        .iter()
        .find_map(|w| w.trim_start_matches('>').strip_prefix("/sys/class/net/"))
    {
        sysfs(words, target, effects);
    }
}

/// `add|del dev DEV vid N[-M] [pvid] [untagged] [self] [master]`, in any order (bridge(8)).
fn bridge_vlan(words: &[&str], at: u32, effects: &mut Vec<Effect>) {
    let Some((&verb, rest)) = words.split_first() else {
        return;
    };
    let removed = match verb {
        "add" | "a" => false,
        "del" | "delete" | "d" => true,
        _ => return,
    };
    let after = |name: &str| {
        let at = rest.iter().position(|w| *w == name)?;
        rest.get(at + 1).copied()
    };
    let range = after("vid").map(vid::range);
    let (Some(device), Some(Ok(range))) = (after("dev").filter(|d| !d.contains('$')), range) else {
        effects.push(Effect::Unclear);
        return;
    };
    let mut vlan = ProfileVlan::tagged(range, at);
    vlan.pvid = rest.contains(&"pvid");
    vlan.untagged = rest.contains(&"untagged");
    vlan.removed = removed;
    effects.push(Effect::Vlan {
        device: device.to_owned(),
        vlan,
    });
}

/// `ip link add|set [dev] DEV … type bridge vlan_filtering 1 vlan_default_pvid 0` (ip-link(8)).
fn ip_link(words: &[&str], effects: &mut Vec<Effect>) {
    let after = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        words.get(at + 1).copied()
    };
    let filtering = after("vlan_filtering");
    let pvid = after("vlan_default_pvid");
    if filtering.is_none() && pvid.is_none() {
        return;
    }
    let device = after("name")
        .or_else(|| after("dev"))
        .or_else(|| after("set"))
        .or_else(|| after("add"))
        .filter(|d| !d.contains('$'));
    settings(device, filtering, pvid, effects);
}

/// `echo 1 > /sys/class/net/DEV/bridge/vlan_filtering`.
fn sysfs(words: &[&str], target: &str, effects: &mut Vec<Effect>) {
    let value = words
        .iter()
        .position(|w| w.ends_with("echo"))
        .and_then(|at| words.get(at + 1).copied());
    let Some((device, attribute)) = target.split_once("/bridge/") else {
        return;
    };
    let device = Some(device).filter(|d| !d.contains('$'));
    match attribute {
        "vlan_filtering" => settings(device, Some(value.unwrap_or("?")), None, effects),
        "default_pvid" => settings(device, None, Some(value.unwrap_or("?")), effects),
        _ => {}
    }
}

fn settings(
    device: Option<&str>,
    filtering: Option<&str>,
    pvid: Option<&str>,
    effects: &mut Vec<Effect>,
) {
    let Some(device) = device else {
        effects.push(Effect::Unclear);
        return;
    };
    if let Some(value) = filtering {
        effects.push(match value {
            "0" | "1" => Effect::Filtering {
                bridge: device.to_owned(),
                on: value == "1",
            },
            _ => Effect::Unclear,
        });
    }
    if let Some(value) = pvid {
        effects.push(match super::text::pvid(value) {
            Ok(pvid) => Effect::DefaultPvid {
                bridge: device.to_owned(),
                pvid,
            },
            Err(_) => Effect::Unclear,
        });
    }
}

/// Reads a script that runs at boot: one profile for each device whose VLAN state it sets, and
/// one without an interface where it does so in an unclear way. A script that sets none gives
/// nothing. Never fails: a script is no grammar of ours.
pub fn parse(file: &str, text: &str) -> Vec<Profile> {
    let mut profiles: Vec<Profile> = Vec::new();
    // Within a loop, a function or a condition even a plain command is not sure to run.
    for (index, line) in text.lines().enumerate() {
        let at = number(index);
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let line = ["ExecStart=", "ExecStartPost=", "ExecStartPre="]
            .iter()
            .find_map(|key| line.strip_prefix(key))
            .unwrap_or(line)
            .trim_start_matches(['-', '@', '+', '!', ':']);
        for effect in effects(line, None, at) {
            apply(&mut profiles, ProfileKind::Script, file, at, effect);
        }
    }
    profiles
}

/// Adds an effect to the profile of its device, which is made where there is none.
pub(super) fn apply(
    profiles: &mut Vec<Profile>,
    kind: ProfileKind,
    file: &str,
    line: u32,
    effect: Effect,
) {
    let device = match &effect {
        Effect::Vlan { device, .. } => Some(device.clone()),
        Effect::Filtering { bridge, .. } | Effect::DefaultPvid { bridge, .. } => {
            Some(bridge.clone())
        }
        Effect::Unclear => None,
    };
    let at = profiles
        .iter()
        .position(|p| p.interface == device && p.file == file);
    let at = at.unwrap_or_else(|| {
        profiles.push(Profile {
            kind,
            file: file.to_owned(),
            line,
            name: file.rsplit('/').next().unwrap_or(file).to_owned(),
            interface: device,
            kind_of_link: "commands".to_owned(),
            autoconnect: true,
            ..Profile::default()
        });
        profiles.len() - 1
    });
    let Some(profile) = profiles.get_mut(at) else {
        return;
    };
    match effect {
        Effect::Vlan { vlan, .. } => profile.vlans.push(vlan),
        Effect::Filtering { on, .. } => profile.vlan_filtering = Some(on),
        Effect::DefaultPvid { pvid, .. } => profile.default_pvid = Some(pvid),
        Effect::Unclear => profile.dynamic = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands() {
        let profiles = parse(
            "/etc/NetworkManager/dispatcher.d/90-vlans",
            "#!/bin/sh\n# bridge vlan add dev no vid 9\n\
             [ \"$1\" = br-mgmt ] && /usr/sbin/bridge vlan add vid 100 dev br-mgmt self pvid untagged\n\
             bridge vlan del dev br-mgmt vid 1 self; bridge vlan add dev eno1 vid 10-20\n\
             ip link set dev br-mgmt type bridge vlan_filtering 1 vlan_default_pvid 0\n\
             echo 1 > /sys/class/net/br1/bridge/vlan_filtering\n",
        );
        let of = |name: &str| {
            profiles
                .iter()
                .find(|p| p.interface.as_deref() == Some(name))
                .unwrap()
        };
        let bridge = of("br-mgmt");
        assert_eq!(bridge.vlan_filtering, Some(true));
        assert_eq!(bridge.default_pvid, Some(0));
        assert_eq!(bridge.vlans.len(), 2);
        assert!(bridge.vlans[0].pvid && bridge.vlans[0].untagged && !bridge.vlans[0].removed);
        assert_eq!(bridge.vlans[0].line, 3);
        assert!(bridge.vlans[1].removed);
        assert_eq!(
            (of("eno1").vlans[0].first, of("eno1").vlans[0].last),
            (10, 20)
        );
        assert_eq!(of("br1").vlan_filtering, Some(true));
        assert!(profiles.iter().all(|p| !p.dynamic));
    }

    #[test]
    fn loops_and_variables_are_unclear() {
        let text = "for v in 10 20; do bridge vlan add dev $p vid $v; done\n";
        let profiles = parse("/etc/rc.local", text);
        assert_eq!(profiles.len(), 1);
        assert!(profiles[0].dynamic);
        assert_eq!(profiles[0].interface, None);
        assert!(parse("/etc/rc.local", "bridge vlan show\nip link set eth0 up\n").is_empty());
    }

    #[test]
    fn a_unit() {
        let text = "[Service]\nExecStart=-/sbin/bridge vlan add dev eno1 vid 30\n";
        assert_eq!(parse("u", text)[0].vlans[0].first, 30);
    }
}
