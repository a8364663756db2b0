//! What must change in the running state of a bridge: not `fix`'s to do, which has no dead-man, but
//! declared for `nofail net apply`, which has. One change file per bridge.

use super::{Case, Remedy};
use crate::net::declare::{Entry, key, table};
use facts::bridge::{Bridge, Port, Role};
use rules::bridge::vlan_missing_on_uplink;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A piece of a bridge's declared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bridge.
    pub bridge: String,
    /// What of it.
    pub what: What,
}

/// What a piece sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It filters by VLAN.
    Filtering,
    /// The default PVID of new ports, 0 for none.
    DefaultPvid(u16),
    /// VLANs of a port, or of the bridge's own entry.
    Entry(Entry),
    /// Its uplink, with the VLANs that the kernel gives a new port.
    Uplink(String),
}

/// New ports get no VLAN of their own.
pub(super) fn default_pvid(case: &Case<'_>) -> Remedy {
    let bridge = &case.finding.subject;
    let plan = case.estate.bridge_plan(&case.host.host, bridge);
    let wanted = plan.and_then(|p| p.default_pvid).unwrap_or(0);
    Remedy::Net(vec![Piece {
        bridge: bridge.clone(),
        what: What::DefaultPvid(wanted),
    }])
}

/// The VLANs that no uplink carries, on the first of them.
pub(super) fn missing_vlan(case: &Case<'_>) -> Remedy {
    let found = case
        .host
        .bridges
        .iter()
        .find(|b| b.name == case.finding.subject)
        .and_then(|bridge| Some((bridge, bridge.uplinks().next()?)));
    let Some((bridge, uplink)) = found else {
        return super::by_hand(case.finding);
    };
    // There is a finding for each VLAN; all of them come together.
    let missing = vlan_missing_on_uplink::missing(case.estate, &case.host.host, bridge);
    let mut entry = entry(uplink);
    entry.tagged.extend(missing.keys());
    piece(bridge, entry)
}

/// Filtering is on, and every entry of the bridge is as planned before it is.
pub(super) fn filtering(case: &Case<'_>) -> Remedy {
    let name = &case.finding.subject;
    let Some(bridge) = case.host.bridges.iter().find(|b| &b.name == name) else {
        return super::by_hand(case.finding);
    };
    let on = Piece {
        bridge: name.clone(),
        what: What::Filtering,
    };
    let ports = bridge.ports.iter().filter(|p| p.role != Role::Other);
    let entries = ports.filter_map(|port| planned(case, bridge, port));
    let entries = entries.map(|entry| Piece {
        bridge: name.clone(),
        what: What::Entry(entry),
    });
    Remedy::Net(std::iter::once(on).chain(entries).collect())
}

/// PVID and VLANs as site.toml plans them.
pub(super) fn as_planned(case: &Case<'_>) -> Remedy {
    let subject = &case.finding.subject;
    let of = |port: &&Port| port.name == *subject || port.guest.as_deref() == Some(subject);
    let ports = case
        .host
        .bridges
        .iter()
        .filter_map(|bridge| Some((bridge, bridge.ports.iter().find(of)?)));
    let found = ports
        .filter_map(|(bridge, port)| Some((bridge, planned(case, bridge, port)?)))
        .next();
    match found {
        Some((bridge, entry)) => piece(bridge, entry),
        None => super::by_hand(case.finding),
    }
}

/// A port's entry as site.toml plans it; `None` where it plans none. What it says no word of stays.
pub(super) fn planned(case: &Case<'_>, bridge: &Bridge, port: &Port) -> Option<Entry> {
    let plan = case.estate.bridge_plan(&case.host.host, &bridge.name)?;
    let mut entry = entry(port);
    let (pvid, tagged) = match port.role {
        Role::Guest => {
            let intent = port.guest.as_deref().and_then(|g| case.estate.intent(g));
            let tagged = intent.and_then(|i| i.tagged.clone());
            (
                intent.and_then(|i| i.pvid).or(plan.guest()),
                tagged.unwrap_or_else(|| plan.tagged.clone()),
            )
        }
        Role::Own => (plan.host(), Vec::new()),
        _ => (plan.uplink(), plan.tagged.clone()),
    };
    if let Some(pvid) = pvid {
        if port.role == Role::Guest
            && let Some(old) = port.pvid.filter(|old| *old != pvid)
        {
            // A guest belongs to one untagged VLAN; a host's old one may still carry somebody.
            entry.untagged.retain(|vid| *vid != old);
        }
        entry.pvid = Some(pvid);
        entry.untagged.push(pvid);
    }
    entry.tagged.extend(tagged);
    Some(entry)
}

pub(super) fn entry(port: &Port) -> Entry {
    Entry {
        device: (port.role != Role::Own).then(|| port.name.clone()),
        pvid: port.pvid,
        untagged: port.untagged.clone(),
        tagged: port.tagged.clone(),
    }
}

fn piece(bridge: &Bridge, entry: Entry) -> Remedy {
    Remedy::Net(vec![Piece {
        bridge: bridge.name.clone(),
        what: What::Entry(entry),
    }])
}

/// The change files: a name and a text for each bridge. Of what several findings say of one port
/// all VLANs are taken.
pub fn files(pieces: &[Piece]) -> Vec<(String, String)> {
    type Whole<'a> = (
        bool,
        Option<u16>,
        Option<&'a str>,
        BTreeMap<Option<String>, Entry>,
    );
    let mut bridges: BTreeMap<&str, Whole<'_>> = BTreeMap::new();
    for piece in pieces {
        let (filtering, default, uplink, entries) = bridges.entry(&piece.bridge).or_default();
        match &piece.what {
            What::Uplink(name) => *uplink = Some(name),
            What::Filtering => *filtering = true,
            What::DefaultPvid(pvid) => *default = Some(*pvid),
            What::Entry(entry) => {
                let all = entries
                    .entry(entry.device.clone())
                    .or_insert_with(|| entry.clone());
                if entry.pvid != all.pvid {
                    all.pvid = entry.pvid;
                }
                all.untagged.extend(&entry.untagged);
                all.tagged.extend(&entry.tagged);
            }
        }
    }
    let mut files = Vec::new();
    for (bridge, (filtering, default, uplink, entries)) in bridges {
        let mut text = format!(
            "# What `nofail fix` found wrong in the running state of {bridge}.\n\
             # Hand it over: nofail net apply THIS-FILE --confirm 60s\n"
        );
        let own = entries.get(&None);
        if filtering || default.is_some() || uplink.is_some() || own.is_some() {
            let _ = write!(text, "\n[bridges.{}]\n", key(bridge));
        }
        if filtering {
            text.push_str("vlan_filtering = true\n");
        }
        if let Some(pvid) = default {
            let _ = writeln!(text, "default_pvid = {pvid}");
        }
        if let Some(uplink) = uplink {
            let _ = writeln!(text, "uplinks = [{}]", toml::Value::from(uplink));
        }
        if let Some(own) = own {
            text.push_str(&own.lines());
        }
        for entry in entries.values().filter(|e| e.device.is_some()) {
            let _ = write!(text, "\n[{}]\n{}", table(bridge, entry), entry.lines());
        }
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        files.push((
            format!("{}.toml", bridge.chars().map(plain).collect::<String>()),
            text,
        ));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Declared;

    #[test]
    fn several_findings_make_one_declared_state() {
        let entry = |device: Option<&str>, pvid, tagged: &[u16]| Piece {
            bridge: "br-mgmt".to_owned(),
            what: What::Entry(Entry {
                device: device.map(str::to_owned),
                pvid: Some(pvid),
                untagged: vec![pvid],
                tagged: tagged.to_vec(),
            }),
        };
        let pieces = [
            entry(Some("eno1"), 100, &[10]),
            entry(Some("eno1"), 100, &[20, 30]),
            entry(None, 100, &[]),
            Piece {
                bridge: "br-mgmt".to_owned(),
                what: What::DefaultPvid(0),
            },
        ];
        let files = files(&pieces);
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].0, "br-mgmt.toml");
        let declared = Declared::parse("f", &files[0].1).unwrap();
        let bridge = &declared.bridges["br-mgmt"];
        assert_eq!((bridge.pvid, bridge.default_pvid), (Some(100), Some(0)));
        assert_eq!(
            bridge.ports["eno1"].tagged.as_deref(),
            Some(&[10, 20, 30][..])
        );
    }
}
