//! The commands or lines that make a bridge's VLAN state survive a boot, for each tool.

use facts::bridge::vid::Ranges;
use facts::profile::{Profile, ProfileKind};
use std::fmt::Write as _;

/// VLAN state to write down: of a bridge's own entry, or of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether the bridge filters.
    pub filtering: bool,
    /// PVID of new ports, 0 for none.
    pub default_pvid: u16,
    /// PVID of the entry.
    pub pvid: Option<u16>,
    /// VLANs that leave untagged.
    pub untagged: Vec<u16>,
    /// VLANs that leave tagged.
    pub tagged: Vec<u16>,
}

impl Wanted {
    /// NetworkManager's list: `100 pvid untagged, 10, 20-30`.
    pub fn nm_list(&self) -> String {
        let mut parts: Vec<String> = self
            .pvid
            .map(|pvid| {
                let form = if self.untagged.contains(&pvid) {
                    " untagged"
                } else {
                    ""
                };
                format!("{pvid} pvid{form}")
            })
            .into_iter()
            .collect();
        parts.extend(
            self.others(&self.untagged)
                .map(|range| format!("{range} untagged")),
        );
        parts.extend(self.others(&self.tagged));
        parts.join(", ")
    }

    /// Ranges of a list without the PVID.
    fn others(&self, vids: &[u16]) -> impl Iterator<Item = String> {
        let rest = vids.iter().copied().filter(|vid| Some(*vid) != self.pvid);
        Ranges::new(rest)
            .0
            .into_iter()
            .map(|(first, last)| Ranges(vec![(first, last)]).to_string())
    }

    /// `[BridgeVLAN]` sections of systemd-networkd, in one line.
    fn networkd_sections(&self) -> String {
        let mut text = String::new();
        let mut section = |keys: String| {
            let _ = write!(text, "[BridgeVLAN] {keys}; ");
        };
        if let Some(pvid) = self.pvid {
            let form = if self.untagged.contains(&pvid) {
                format!(" EgressUntagged={pvid}")
            } else {
                String::new()
            };
            section(format!("PVID={pvid}{form}"));
        }
        self.others(&self.untagged)
            .for_each(|range| section(format!("EgressUntagged={range}")));
        self.others(&self.tagged)
            .for_each(|range| section(format!("VLAN={range}")));
        text.trim_end_matches("; ").to_owned()
    }

    /// `post-up bridge vlan add …` lines of interfaces(5).
    fn commands(&self, device: &str, own: bool) -> String {
        let own = if own { " self" } else { "" };
        let mut lines = Vec::new();
        let mut add = |what: String| {
            lines.push(format!(
                "post-up bridge vlan add dev {device} vid {what}{own}"
            ));
        };
        if let Some(pvid) = self.pvid {
            let form = if self.untagged.contains(&pvid) {
                " untagged"
            } else {
                ""
            };
            add(format!("{pvid} pvid{form}"));
        }
        self.others(&self.untagged)
            .for_each(|range| add(format!("{range} untagged")));
        self.others(&self.tagged).for_each(add);
        lines.join("; ")
    }
}

/// How to write the state into a profile. `own` for the bridge's own entry.
pub fn remedy(profile: &Profile, device: &str, own: bool, wanted: &Wanted) -> String {
    match profile.kind {
        ProfileKind::Keyfile | ProfileKind::Ifcfg => network_manager(profile, own, wanted),
        ProfileKind::Networkd => {
            let sections = wanted.networkd_sections();
            if own {
                format!(
                    "in the .netdev of {device}: [Bridge] VLANFiltering={} DefaultPVID={}; in its \
                     .network: {sections}",
                    if wanted.filtering { "yes" } else { "no" },
                    none_or(wanted.default_pvid),
                )
            } else {
                format!("in {}: {sections}", profile.file)
            }
        }
        ProfileKind::Netplan => {
            let folder = "/etc/systemd/network";
            let sections = wanted.networkd_sections();
            let network = format!("{folder}/10-netplan-{device}.network.d/vlan.conf: {sections}");
            if own {
                format!(
                    "netplan has no keys for it; with networkd: {folder}/10-netplan-{device}\
                     .netdev.d/vlan.conf: [Bridge] VLANFiltering=yes DefaultPVID={}; {network}",
                    none_or(wanted.default_pvid),
                )
            } else {
                format!("netplan has no keys for it; with networkd: {network}")
            }
        }
        ProfileKind::Ifupdown | ProfileKind::Script => {
            let commands = wanted.commands(device, own);
            if own {
                format!(
                    "under `iface {device}`: bridge-vlan-aware yes; post-up ip link set {device} \
                     type bridge vlan_default_pvid {}; {commands}",
                    wanted.default_pvid
                )
            } else {
                format!("under the bridge's `iface`: {commands}")
            }
        }
    }
}

fn network_manager(profile: &Profile, own: bool, wanted: &Wanted) -> String {
    let name = quoted(&profile.name);
    let list = wanted.nm_list();
    if own {
        format!(
            "nmcli connection modify {name} bridge.vlan-filtering {} bridge.vlan-default-pvid {} \
             bridge.vlans \"{list}\"",
            if wanted.filtering { "yes" } else { "no" },
            wanted.default_pvid,
        )
    } else {
        format!("nmcli connection modify {name} bridge-port.vlans \"{list}\"")
    }
}

fn none_or(pvid: u16) -> String {
    if pvid == 0 {
        "none".to_owned()
    } else {
        pvid.to_string()
    }
}

/// A word for the shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            filtering: true,
            default_pvid: 0,
            pvid: Some(100),
            untagged: vec![100],
            tagged: vec![10, 20, 21, 22],
        }
    }

    fn profile(kind: ProfileKind, name: &str) -> Profile {
        Profile {
            kind,
            name: name.to_owned(),
            file: "/f".to_owned(),
            ..Profile::default()
        }
    }

    #[test]
    fn what_nmcli_is_told_is_read_back_by_our_own_parser() {
        let bridge = profile(ProfileKind::Keyfile, "br mgmt");
        assert_eq!(
            remedy(&bridge, "br-mgmt", true, &wanted()),
            "nmcli connection modify 'br mgmt' bridge.vlan-filtering yes bridge.vlan-default-pvid 0 \
             bridge.vlans \"100 pvid untagged, 10, 20-22\""
        );
        let text = format!(
            "[connection]\ntype=bridge\n[bridge]\nvlans={}\n",
            wanted().nm_list()
        );
        let parsed = facts::profile::keyfile::parse("f", &text).unwrap();
        assert_eq!(parsed[0].vlans.len(), 3);
        assert!(parsed[0].vlans[0].pvid && parsed[0].vlans[0].untagged);
    }

    #[test]
    fn the_other_tools() {
        let port = remedy(
            &profile(ProfileKind::Networkd, "x"),
            "eno1",
            false,
            &wanted(),
        );
        assert_eq!(
            port,
            "in /f: [BridgeVLAN] PVID=100 EgressUntagged=100; [BridgeVLAN] VLAN=10; [BridgeVLAN] VLAN=20-22"
        );
        let text = remedy(&profile(ProfileKind::Ifupdown, "x"), "br0", true, &wanted());
        assert!(
            text.contains("post-up bridge vlan add dev br0 vid 100 pvid untagged self"),
            "{text}"
        );
        assert!(text.contains("vlan_default_pvid 0"), "{text}");
    }

    #[test]
    fn words_for_the_shell() {
        assert_eq!(quoted("br-mgmt"), "br-mgmt");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
