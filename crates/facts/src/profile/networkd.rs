//! systemd-networkd: `.network` (systemd.network(5)) and `.netdev` (systemd.netdev(5)) with their
//! drop-ins, in systemd's unit file syntax (systemd.syntax(7)).

use super::text::{boolean, column, number};
use super::{Profile, ProfileKind, ProfileVlan};
use crate::SyntaxError;
use crate::bridge::vid;

/// One `Key=value` with its place.
struct Assignment<'a> {
    section: String,
    /// Counts `[Section]` headers, since some sections may stand several times.
    instance: usize,
    key: String,
    value: String,
    line: u32,
    column: u32,
    /// Drop-in it stands in; `None` for the file itself.
    dropin: Option<&'a str>,
}

/// A file's text, or a drop-in's, with its path.
pub type File<'a> = (&'a str, &'a str);

/// Reads one `.network` or `.netdev` file. A file of another kind gives nothing.
///
/// # Errors
/// The place where it breaks the syntax, or where a VLAN, PVID or boolean is none.
pub fn parse(file: &str, text: &str) -> Result<Vec<Profile>, SyntaxError> {
    parse_with(file, text, &[]).map_err(|(_, error)| error)
}

/// The same with the drop-ins of the file (`NAME.network.d/*.conf`), in the order in which they
/// are read.
///
/// # Errors
/// As for [`parse`], with the path of the file or drop-in at fault.
pub fn parse_with(
    file: &str,
    text: &str,
    dropins: &[File<'_>],
) -> Result<Vec<Profile>, (String, SyntaxError)> {
    let mut all = Vec::new();
    read(text, None, &mut all).map_err(|e| (file.to_owned(), e))?;
    for (path, text) in dropins {
        read(text, Some(path), &mut all).map_err(|e| ((*path).to_owned(), e))?;
    }
    let made = match file.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("netdev") => netdev(file, &all),
        Some("network") => network(file, &all),
        // `nofail read networkd FILE` may be given any name.
        _ if all.iter().any(|a| a.section == "NetDev") => netdev(file, &all),
        _ => network(file, &all),
    };
    made.map_err(|(path, error)| (path.unwrap_or(file).to_owned(), error))
}

type Fault<'a> = (Option<&'a str>, SyntaxError);

fn fault<'a>(at: &Assignment<'a>, message: String) -> Fault<'a> {
    (at.dropin, SyntaxError::new(at.line, at.column, message))
}

fn last<'b, 'a>(all: &'b [Assignment<'a>], section: &str, key: &str) -> Option<&'b Assignment<'a>> {
    all.iter()
        .rev()
        .find(|a| a.section == section && a.key == key)
}

fn netdev<'a>(file: &str, all: &[Assignment<'a>]) -> Result<Vec<Profile>, Fault<'a>> {
    let Some(name) = last(all, "NetDev", "Name") else {
        return Ok(Vec::new());
    };
    let mut profile = Profile {
        kind: ProfileKind::Networkd,
        file: file.to_owned(),
        line: name.line,
        name: name.value.clone(),
        interface: Some(name.value.clone()),
        kind_of_link: last(all, "NetDev", "Kind").map_or_else(String::new, |k| k.value.clone()),
        autoconnect: true,
        ..Profile::default()
    };
    if let Some(at) = last(all, "Bridge", "VLANFiltering").filter(|a| !a.value.is_empty()) {
        profile.vlan_filtering = Some(boolean(&at.value).ok_or_else(|| {
            fault(
                at,
                format!("VLANFiltering={}: yes or no is expected", at.value),
            )
        })?);
    }
    if let Some(at) = last(all, "Bridge", "DefaultPVID").filter(|a| !a.value.is_empty()) {
        profile.default_pvid = Some(match at.value.as_str() {
            "none" => 0,
            value => super::text::pvid(value).map_err(|m| fault(at, m))?,
        });
    }
    Ok(vec![profile])
}

fn network<'a>(file: &str, all: &[Assignment<'a>]) -> Result<Vec<Profile>, Fault<'a>> {
    let Some(first) = all.first() else {
        return Ok(Vec::new());
    };
    let mut patterns = Vec::new();
    for at in all
        .iter()
        .filter(|a| a.section == "Match" && a.key == "Name")
    {
        // An empty assignment resets a list.
        if at.value.is_empty() {
            patterns.clear();
        }
        patterns.extend(at.value.split_whitespace().map(str::to_owned));
    }
    let negated = patterns.iter().any(|p| p.starts_with('!'));
    let plain = match patterns.as_slice() {
        [one] if !one.contains(['*', '?', '[', '!']) => Some(one.clone()),
        _ => None,
    };
    let value = |section, key| {
        last(all, section, key)
            .map(|a| a.value.clone())
            .filter(|v| !v.is_empty())
    };
    let unmanaged = value("Link", "Unmanaged").and_then(|v| boolean(&v)) == Some(true);
    let by_hand = matches!(
        value("Link", "ActivationPolicy").as_deref(),
        Some("manual" | "always-down" | "down")
    );
    let mut profile = Profile {
        kind: ProfileKind::Networkd,
        file: file.to_owned(),
        line: first.line,
        name: file.rsplit('/').next().unwrap_or(file).to_owned(),
        interface: plain.clone(),
        kind_of_link: String::new(),
        autoconnect: !(unmanaged || by_hand),
        controller: ["Bridge", "Bond", "VRF"]
            .iter()
            .find_map(|key| value("Network", key)),
        mac: value("Match", "MACAddress")
            .filter(|mac| !mac.contains(char::is_whitespace))
            .map(|mac| mac.to_ascii_lowercase().replace('-', ":")),
        // A negated list excludes names; which it takes cannot be told by a pattern alone.
        matches: if plain.is_some() || negated {
            Vec::new()
        } else {
            patterns
        },
        ..Profile::default()
    };
    profile.vlans = bridge_vlans(all)?;
    for at in all {
        match (at.section.as_str(), at.key.as_str()) {
            ("Network" | "Address", "Address") if !at.value.is_empty() => {
                profile.addresses.push(at.value.clone());
            }
            ("Network", "DNS") => {
                if at.value.is_empty() {
                    profile.dns.clear();
                }
                profile
                    .dns
                    .extend(at.value.split_whitespace().map(str::to_owned));
            }
            _ => {}
        }
    }
    Ok(vec![profile])
}

/// All `[BridgeVLAN]` sections: every VLAN tagged, then those that leave untagged, then the PVID
/// (`PVID=` and `EgressUntagged=` imply `VLAN=`).
fn bridge_vlans<'a>(all: &[Assignment<'a>]) -> Result<Vec<ProfileVlan>, Fault<'a>> {
    let (mut tagged, mut untagged) = (Vec::new(), Vec::new());
    let mut pvid: Option<ProfileVlan> = None;
    for at in all.iter().filter(|a| a.section == "BridgeVLAN") {
        if at.value.is_empty() {
            continue;
        }
        let range = || vid::range(&at.value).map_err(|message| fault(at, message));
        let place = |mut vlan: ProfileVlan| {
            vlan.file = at.dropin.map(str::to_owned);
            vlan
        };
        match at.key.as_str() {
            "VLAN" => tagged.push(place(ProfileVlan::tagged(range()?, at.line))),
            "EgressUntagged" => {
                let mut vlan = place(ProfileVlan::tagged(range()?, at.line));
                vlan.untagged = true;
                untagged.push(vlan);
            }
            "PVID" if boolean(&at.value) == Some(false) && at.value != "0" => {
                let mut vlan = place(ProfileVlan::tagged((1, 1), at.line));
                vlan.removed = true;
                pvid = Some(vlan);
            }
            "PVID" => {
                let mut vlan = place(ProfileVlan::tagged(range()?, at.line));
                if vlan.first != vlan.last {
                    return Err(fault(at, "a range cannot be the PVID".to_owned()));
                }
                vlan.pvid = true;
                pvid = Some(vlan);
            }
            _ => {}
        }
    }
    if let Some(pvid) = &mut pvid {
        pvid.untagged = untagged
            .iter()
            .any(|u: &ProfileVlan| u.first <= pvid.first && pvid.first <= u.last);
    }
    tagged.extend(untagged);
    tagged.extend(pvid);
    Ok(tagged)
}

/// Splits a text into assignments.
fn read<'a>(
    text: &str,
    dropin: Option<&'a str>,
    all: &mut Vec<Assignment<'a>>,
) -> Result<(), SyntaxError> {
    let mut section: Option<String> = None;
    let mut instance = all.last().map_or(0, |a| a.instance + 1);
    let mut lines = text.lines().enumerate();
    while let Some((index, raw)) = lines.next() {
        let line = number(index);
        let body = raw.trim();
        if body.is_empty() || body.starts_with(['#', ';']) {
            continue;
        }
        let at = column(raw, body);
        if let Some(name) = body.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']').filter(|n| !n.is_empty()) else {
                return Err(SyntaxError::new(
                    line,
                    at,
                    "a section header without its `]`",
                ));
            };
            section = Some(name.to_owned());
            instance += 1;
            continue;
        }
        let Some(section) = &section else {
            return Err(SyntaxError::new(
                line,
                at,
                "an assignment before the first `[Section]`",
            ));
        };
        let Some((key, value)) = body.split_once('=') else {
            return Err(SyntaxError::new(
                line,
                at,
                "no `=`: `Key=value` is expected",
            ));
        };
        let place = column(raw, value.trim_start());
        let mut value = value.trim().to_owned();
        // A backslash at the end joins the next line; comments between are passed over.
        while value.ends_with('\\') {
            value.pop();
            let next = lines.find(|(_, next)| !next.trim_start().starts_with(['#', ';']));
            let Some((_, next)) = next else { break };
            value = format!("{} {}", value.trim_end(), next.trim());
        }
        all.push(Assignment {
            section: section.clone(),
            instance,
            key: key.trim_end().to_owned(),
            value: value.trim().to_owned(),
            line,
            column: place,
            dropin,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vlans_of_a_port_with_a_drop_in() {
        let text = "[Match]\nName=eno1 \\\n# between\n  eno2\n\n[Network]\nBridge=br0\nDNS=10.0.0.1 10.0.0.2\n\
                    [BridgeVLAN]\nVLAN=10-12\n[BridgeVLAN]\nPVID=100\nEgressUntagged=100\n";
        let dropin = "[BridgeVLAN]\nVLAN=7\n[Network]\nDNS=\nDNS=10.0.0.9\n";
        let profiles = parse_with(
            "/etc/systemd/network/30.network",
            text,
            &[("/x.conf", dropin)],
        );
        let port = &profiles.unwrap()[0];
        assert_eq!(port.interface, None);
        assert_eq!(port.matches, ["eno1", "eno2"]);
        assert_eq!(port.controller.as_deref(), Some("br0"));
        assert_eq!(port.dns, ["10.0.0.9"]);
        let vlans: Vec<_> = port
            .vlans
            .iter()
            .map(|v| (v.first, v.last, v.pvid, v.untagged, v.file.as_deref()))
            .collect();
        assert_eq!(
            vlans,
            [
                (10, 12, false, false, None),
                (7, 7, false, false, Some("/x.conf")),
                (100, 100, false, true, None),
                (100, 100, true, true, None),
            ]
        );
    }

    #[test]
    fn a_netdev_and_what_is_unmanaged() {
        let bridge = &parse(
            "a.netdev",
            "[NetDev]\nName=br0\nKind=bridge\n[Bridge]\nVLANFiltering=1\nDefaultPVID=7\n",
        )
        .unwrap()[0];
        assert_eq!(
            (bridge.vlan_filtering, bridge.default_pvid),
            (Some(true), Some(7))
        );
        let text = "[Match]\nMACAddress=AA-BB-CC-00-00-01\n[Link]\nUnmanaged=yes\n";
        let port = &parse("a.network", text).unwrap()[0];
        assert!(!port.autoconnect);
        assert_eq!(port.mac.as_deref(), Some("aa:bb:cc:00:00:01"));
        assert!(parse("a.network", "").unwrap().is_empty());
    }

    #[test]
    fn errors_have_a_place_and_a_file() {
        for (text, line, column) in [
            ("Name=x\n", 1, 1),
            ("[Match\n", 1, 1),
            ("[Match]\n  Name\n", 2, 3),
            ("[BridgeVLAN]\nVLAN=4095\n", 2, 6),
            ("[BridgeVLAN]\nPVID=10-20\n", 2, 6),
        ] {
            let error = parse("a.network", text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text:?}: {error}"
            );
        }
        let dropins = [("d.conf", "[BridgeVLAN]\nVLAN=x\n")];
        let (file, error) = parse_with("a.network", "[Match]\nName=a\n", &dropins).unwrap_err();
        assert_eq!((file.as_str(), error.line), ("d.conf", 2));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\[[A-Za-z]{0,4}\\]?|[A-Z]{0,3}=?[0-9\\\\-]{0,6}|\\PC{0,9}|\n){0,20}") {
            let _ = parse("a.network", &text);
            let _ = parse("a.netdev", &text);
        }
    }
}
