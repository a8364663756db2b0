//! What the profiles would make of a bridge at the next boot.

use super::{Profile, ProfileKind, ProfileVlan};
use crate::bridge::Entries;
use std::collections::BTreeMap;

/// The PVID that the kernel gives new ports, and that NetworkManager and networkd leave or set
/// where a profile does not say (nm-settings(5) `vlan-default-pvid`, ip-link(8)).
const DEFAULT_PVID: u16 = 1;

/// VLAN state of one bridge or port as the profiles would restore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored<'a> {
    /// Profile that makes the bridge.
    pub bridge: &'a Profile,
    /// Profile of the entry asked for: the port's, or the bridge's own.
    pub profile: &'a Profile,
    /// Whether the bridge will filter by VLAN.
    pub vlan_filtering: bool,
    /// PVID of new ports, 0 for none.
    pub default_pvid: u16,
    /// VLANs of the entry asked for.
    pub vlans: Entries,
    /// Whether a script was found that sets VLANs in a way that cannot be read off: the answer
    /// may then be wrong.
    pub uncertain: Option<&'a Profile>,
}

/// What the profiles restore for a bridge's own entry (`port` is `None`) or for one of its ports.
///
/// `None` where no profile that counts makes the bridge, or makes the port its member: then the
/// state is somebody's own doing and is gone at the next boot. Ports of guests are nobody's
/// profile.
pub fn restores<'a>(
    profiles: &'a [Profile],
    bridge: &str,
    port: Option<&str>,
) -> Option<Restored<'a>> {
    let of_bridge = chosen(profiles, bridge);
    let maker = *of_bridge.iter().find(|p| p.kind_of_link == "bridge")?;
    let entry = match port {
        None => of_bridge.clone(),
        Some(port) => chosen(profiles, port),
    };
    let profile = match port {
        None => maker,
        Some(_) => *entry
            .iter()
            .find(|p| is_controller(p, bridge, &of_bridge))?,
    };
    let last = |get: &dyn Fn(&Profile) -> Option<bool>| of_bridge.iter().rev().find_map(|p| get(p));
    let default_pvid = of_bridge
        .iter()
        .rev()
        .find_map(|p| p.default_pvid)
        .unwrap_or(DEFAULT_PVID);
    let vlans = entry.iter().flat_map(|p| &p.vlans);
    Some(Restored {
        bridge: maker,
        profile,
        vlan_filtering: last(&|p| p.vlan_filtering).unwrap_or(false),
        default_pvid,
        vlans: entries(default_pvid, vlans),
        uncertain: profiles.iter().find(|p| p.dynamic && p.counts()),
    })
}

/// The profiles of an interface that take part, in the order in which they act.
fn chosen<'a>(profiles: &'a [Profile], interface: &str) -> Vec<&'a Profile> {
    let mut chosen = Vec::new();
    let counting = || profiles.iter().filter(|p| p.counts());
    let named = |p: &&Profile| p.interface.as_deref() == Some(interface);
    // NetworkManager brings up one connection per interface: the one of the highest priority.
    let mut best: Option<&Profile> = None;
    for profile in counting().filter(named) {
        if matches!(profile.kind, ProfileKind::Keyfile | ProfileKind::Ifcfg)
            && best.is_none_or(|b| profile.priority > b.priority)
        {
            best = Some(profile);
        }
    }
    chosen.extend(best);
    // networkd takes the netdev, and the first .network file that matches.
    let networkd = || counting().filter(|p| p.kind == ProfileKind::Networkd);
    chosen.extend(networkd().find(|p| named(p) && p.is_netdev()));
    chosen.extend(networkd().find(|p| {
        !p.is_netdev() && (named(p) || p.matches.iter().any(|pattern| glob(pattern, interface)))
    }));
    for kind in [
        ProfileKind::Netplan,
        ProfileKind::Ifupdown,
        ProfileKind::Script,
    ] {
        chosen.extend(counting().filter(|p| p.kind == kind).filter(named));
    }
    chosen
}

fn is_controller(port: &Profile, bridge: &str, of_bridge: &[&Profile]) -> bool {
    port.controller.as_deref().is_some_and(|controller| {
        controller == bridge
            || of_bridge.iter().any(|b| {
                b.kind == ProfileKind::Keyfile && b.name == controller
                    || b.uuid.as_deref() == Some(controller)
            })
    })
}

/// Plays the entries through as the kernel would.
fn entries<'a>(default_pvid: u16, vlans: impl Iterator<Item = &'a ProfileVlan>) -> Entries {
    let mut pvid = Some(default_pvid).filter(|p| *p != 0);
    let mut forms: BTreeMap<u16, bool> = pvid.map(|p| (p, true)).into_iter().collect();
    for vlan in vlans {
        for vid in vlan.first..=vlan.last {
            if vlan.removed {
                forms.remove(&vid);
            } else {
                forms.insert(vid, vlan.untagged);
            }
        }
        let covers = pvid.is_some_and(|p| vlan.first <= p && p <= vlan.last);
        if vlan.pvid && !vlan.removed {
            pvid = Some(vlan.first);
        } else if covers {
            pvid = None;
        }
    }
    let of = |untagged: bool| {
        forms
            .iter()
            .filter(|(_, form)| **form == untagged)
            .map(|(vid, _)| *vid)
            .collect()
    };
    Entries {
        pvid,
        untagged: of(true),
        tagged: of(false),
    }
}

/// fnmatch(3) without classes beyond `[abc]`: `*`, `?`; a leading `!` is the caller's.
pub fn glob(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], name[n]),
            Some(letter) if *letter == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, from))) => {
                p = at + 1;
                n = from + 1;
                star = Some((at, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// Length of a class `[…]` that holds the letter.
fn class(pattern: &[char], letter: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let members = pattern.get(1..end)?;
    let (negated, members) = match members.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, members),
    };
    let mut hit = false;
    let mut at = 0;
    while let Some(first) = members.get(at) {
        if members.get(at + 1) == Some(&'-')
            && let Some(last) = members.get(at + 2)
        {
            hit |= (*first..=*last).contains(&letter);
            at += 3;
        } else {
            hit |= *first == letter;
            at += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ifupdown, keyfile, networkd};

    fn nm(text: &str) -> Profile {
        keyfile::parse("f", text).unwrap().remove(0)
    }

    const BRIDGE: &str = "[connection]\nid=mgmt\nuuid=u-1\ntype=bridge\ninterface-name=br-mgmt\n";
    const PORT: &str = "[connection]\nid=up\ntype=ethernet\ninterface-name=eno1\n";

    #[test]
    fn networkmanager_adds_the_default_pvid() {
        let profiles = [
            nm(&format!(
                "{BRIDGE}[bridge]\nvlan-filtering=true\nvlans=10-11\n"
            )),
            nm(&format!(
                "{PORT}controller=u-1\n[bridge-port]\nvlans=100 pvid untagged\n"
            )),
        ];
        let own = restores(&profiles, "br-mgmt", None).unwrap();
        assert!(own.vlan_filtering);
        assert_eq!(own.default_pvid, 1);
        assert_eq!(own.vlans.pvid, Some(1));
        assert_eq!(own.vlans.tagged, [10, 11]);
        let up = restores(&profiles, "br-mgmt", Some("eno1")).unwrap();
        assert_eq!(up.vlans.pvid, Some(100));
        assert_eq!(up.vlans.untagged, [1, 100]);
        assert_eq!(restores(&profiles, "br-mgmt", Some("vnet0")), None);
        assert_eq!(restores(&profiles, "br1", None), None);
    }

    #[test]
    fn a_default_pvid_of_0_leaves_an_uplink_without_vlans() {
        // The pitfall in the incident's own remedy: the bridge persists, the uplink does not.
        let profiles = [
            nm(&format!(
                "{BRIDGE}[bridge]\nvlan-filtering=true\nvlan-default-pvid=0\nvlans=100 pvid untagged, 10\n"
            )),
            nm(&format!("{PORT}master=mgmt\n")),
        ];
        let own = restores(&profiles, "br-mgmt", None).unwrap();
        assert_eq!(own.vlans.pvid, Some(100));
        assert_eq!(own.vlans.untagged, [100]);
        let up = restores(&profiles, "br-mgmt", Some("eno1")).unwrap();
        assert_eq!(up.vlans, Entries::default());
    }

    #[test]
    fn the_highest_priority_wins_and_the_rest_does_not_count() {
        let mut idle = nm(&format!("{BRIDGE}[bridge]\nvlan-filtering=true\n"));
        idle.active = Some(false);
        let plain = nm(BRIDGE);
        let wanted = nm(&BRIDGE.replace("id=mgmt", "id=b\nautoconnect-priority=9"));
        let manual = nm(&BRIDGE.replace(
            "id=mgmt",
            "id=c\nautoconnect=false\nautoconnect-priority=99",
        ));
        let profiles = [idle, plain, wanted, manual];
        let own = restores(&profiles, "br-mgmt", None).unwrap();
        assert_eq!(own.bridge.name, "b");
        assert!(!own.vlan_filtering);
    }

    #[test]
    fn networkd_joins_netdev_and_network() {
        let mut profiles = networkd::parse(
            "/etc/systemd/network/10-br.netdev",
            "[NetDev]\nName=br0\nKind=bridge\n[Bridge]\nVLANFiltering=yes\nDefaultPVID=none\n",
        )
        .unwrap();
        for (file, text) in [
            (
                "20-br.network",
                "[Match]\nName=br0\n[BridgeVLAN]\nPVID=100\nEgressUntagged=100\n",
            ),
            (
                "30-up.network",
                "[Match]\nName=en*\n[Network]\nBridge=br0\n[BridgeVLAN]\nVLAN=10-12\n",
            ),
            (
                "40-no.network",
                "[Match]\nName=eno1\n[Network]\nBridge=br9\n",
            ),
        ] {
            profiles.extend(networkd::parse(file, text).unwrap());
        }
        let own = restores(&profiles, "br0", None).unwrap();
        assert_eq!((own.vlan_filtering, own.default_pvid), (true, 0));
        assert_eq!(own.vlans.pvid, Some(100));
        assert_eq!(own.vlans.untagged, [100]);
        let up = restores(&profiles, "br0", Some("eno1")).unwrap();
        assert_eq!(up.vlans.tagged, [10, 11, 12]);
        assert_eq!(up.vlans.pvid, None);
    }

    #[test]
    fn commands_act_after_the_profile() {
        let text = "auto br0\niface br0 inet manual\n  bridge_ports eno1\n  bridge_vlan_aware yes\n\
                    post-up bridge vlan add dev br0 vid 100 pvid untagged self\n\
                    post-up bridge vlan del dev br0 vid 1 self\n\
                    post-up bridge vlan add dev eno1 vid 20\n";
        let profiles = ifupdown::parse("/etc/network/interfaces", text).unwrap();
        let own = restores(&profiles, "br0", None).unwrap();
        assert!(own.vlan_filtering);
        assert_eq!(own.vlans.untagged, [100]);
        assert_eq!(own.vlans.pvid, Some(100));
        let up = restores(&profiles, "br0", Some("eno1")).unwrap();
        assert_eq!(up.vlans.tagged, [20]);
        assert_eq!(up.vlans.pvid, Some(1));
    }

    /// The profiles as NetworkManager 1.42 and systemd 252 brought them up on a real kernel.
    #[test]
    fn real_tools_restore_what_is_foretold() {
        let mut profiles = Vec::new();
        for (name, bridge, port) in [
            (
                "nma",
                "vlan-filtering=true\nvlan-default-pvid=0\nvlans=100 pvid untagged, 10, 20-22",
                "",
            ),
            ("nmb", "vlan-filtering=true", "vlans=100 pvid untagged, 10"),
            (
                "nmc",
                "vlan-filtering=true\nvlan-default-pvid=7\nvlans=10-12, 30 untagged",
                "vlans=7, 9 pvid",
            ),
            (
                "nme",
                "vlan-filtering=true\nvlans=1, 5",
                "vlans=1 pvid untagged, 5",
            ),
        ] {
            let head = "[connection]\ninterface-name=";
            profiles.push(nm(&format!(
                "{head}{name}\ntype=bridge\n[bridge]\n{bridge}\n"
            )));
            profiles.push(nm(&format!(
                "{head}{name}p\ntype=dummy\nmaster={name}\n[bridge-port]\n{port}\n"
            )));
        }
        let vlan = "[BridgeVLAN]\n";
        for (name, netdev, own, port) in [
            (
                "nda",
                "DefaultPVID=none",
                format!("{vlan}PVID=100\nEgressUntagged=100\n{vlan}VLAN=10-12"),
                format!("{vlan}VLAN=10-12\n{vlan}PVID=100\nEgressUntagged=100"),
            ),
            ("ndb", "", String::new(), format!("{vlan}VLAN=10-12")),
            (
                "ndc",
                "DefaultPVID=7",
                format!("{vlan}VLAN=5"),
                format!("{vlan}PVID=9"),
            ),
            (
                "ndd",
                "",
                format!("{vlan}PVID=100\nEgressUntagged=100"),
                format!("{vlan}EgressUntagged=30-31"),
            ),
        ] {
            let texts = [
                (
                    "a.netdev",
                    format!(
                        "[NetDev]\nName={name}\nKind=bridge\n[Bridge]\nVLANFiltering=yes\n{netdev}\n"
                    ),
                ),
                ("a.network", format!("[Match]\nName={name}\n{own}\n")),
                (
                    "b.network",
                    format!("[Match]\nName={name}p\n[Network]\nBridge={name}\n{port}\n"),
                ),
            ];
            for (file, text) in &texts {
                profiles.extend(networkd::parse(file, text).unwrap());
            }
        }
        let shown = include_str!(
            "../../../../testdata/fixtures/bridge/restored-by-networkmanager-and-networkd.json"
        );
        let shown = crate::bridge::parse_vlan_show(shown).unwrap();
        for bridge in ["nma", "nmb", "nmc", "nme", "nda", "ndb", "ndc", "ndd"] {
            let port = format!("{bridge}p");
            for (entry, asked) in [(bridge, None), (port.as_str(), Some(port.as_str()))] {
                let foretold = restores(&profiles, bridge, asked).unwrap();
                // An entry without any VLAN is not shown.
                let real = shown.iter().find(|p| p.name == entry).map(|p| Entries {
                    pvid: p.pvid,
                    untagged: p.untagged.clone(),
                    tagged: p.tagged.clone(),
                });
                assert!(foretold.vlan_filtering);
                assert_eq!(foretold.vlans, real.unwrap_or_default(), "{entry}");
            }
        }
    }

    #[test]
    fn name_patterns() {
        assert!(glob("en*", "eno1") && glob("e?o[0-9]", "eno1") && glob("*", ""));
        assert!(glob("*o*1", "eno1") && glob("[!x]no1", "eno1"));
        assert!(!glob("en", "eno1") && !glob("[x]no1", "eno1") && !glob("[", "a"));
    }
}
