//! What two lists of links differ in: pure.

use crate::event::Kind;
use facts::bridge::{Link, LinkKind, VlanEntry};
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub kind: Kind,
    pub subject: String,
    pub message: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Compares by interface index: a new device of the same name is another one.
pub(super) fn compare(old: &[Link], new: &[Link]) -> Vec<Change> {
    let before: BTreeMap<u32, &Link> = old.iter().map(|l| (l.index, l)).collect();
    let after: BTreeMap<u32, &Link> = new.iter().map(|l| (l.index, l)).collect();
    let name = |index: Option<u32>, links: &BTreeMap<u32, &Link>| {
        index.map(|i| {
            links
                .get(&i)
                .map_or_else(|| format!("#{i}"), |l| l.name.clone())
        })
    };
    let mut changes = Vec::new();
    let mut add =
        |kind, link: &Link, message: String, before: Option<String>, after: Option<String>| {
            changes.push(Change {
                kind,
                subject: link.name.clone(),
                message,
                before,
                after,
            });
        };
    for (index, link) in &after {
        let Some(was) = before.get(index) else {
            let on = name(link.controller, &after);
            let message = on
                .as_ref()
                .map_or_else(|| "appeared".to_owned(), |on| format!("appeared on {on}"));
            add(Kind::LinkAdded, link, message, None, on);
            continue;
        };
        if was.state != link.state {
            let (from, to) = (was.state.clone(), link.state.clone());
            match link.state.as_deref() {
                Some("up") => add(Kind::LinkUp, link, "has its carrier".into(), from, to),
                Some("down" | "lower-layer-down" | "not-present")
                    if was.state.as_deref() == Some("up") =>
                {
                    add(
                        Kind::LinkDown,
                        link,
                        "lost its carrier, or was taken down".into(),
                        from,
                        to,
                    );
                }
                _ => {}
            }
        }
        if was.controller != link.controller {
            let (from, to) = (name(was.controller, &before), name(link.controller, &after));
            let message = match (&from, &to) {
                (Some(from), Some(to)) => format!("moved from {from} to {to}"),
                (Some(from), None) => format!("left {from}"),
                (None, Some(to)) => format!("joined {to}"),
                (None, None) => "changed".into(),
            };
            add(Kind::LinkMoved, link, message, from, to);
        } else if was.vlans != link.vlans && link.controller.or(bridge(link)).is_some() {
            let (from, to) = (text(was), text(link));
            let message = format!("its VLANs changed from [{from}] to [{to}]");
            add(Kind::VlanChanged, link, message, Some(from), Some(to));
        }
    }
    for (index, link) in &before {
        if !after.contains_key(index) {
            let on = name(link.controller, &before);
            add(Kind::LinkRemoved, link, "went away".into(), on, None);
        }
    }
    changes
}

fn bridge(link: &Link) -> Option<u32> {
    matches!(link.kind, LinkKind::Bridge { .. }).then_some(link.index)
}

/// VLANs as `bridge vlan` words them: `10, 20, 100 pvid untagged`.
fn text(link: &Link) -> String {
    let one = |entry: &VlanEntry| {
        let mut text = entry.first.to_string();
        if entry.last != entry.first {
            text += &format!("-{}", entry.last);
        }
        if entry.pvid {
            text += " pvid";
        }
        if entry.untagged {
            text += " untagged";
        }
        text
    };
    let entries = link.vlans.as_deref().unwrap_or_default();
    entries.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, state: &str, controller: Option<u32>) -> Link {
        Link {
            index,
            name: name.into(),
            state: Some(state.into()),
            controller,
            ..Link::default()
        }
    }

    #[test]
    fn carrier_membership_vlans_and_devices() {
        let entry = |vid, pvid| VlanEntry {
            first: vid,
            last: vid,
            pvid,
            untagged: pvid,
        };
        let mut port = link(3, "vnet0", "up", Some(1));
        port.vlans = Some(vec![entry(1, true)]);
        let old = [
            link(1, "br-mgmt", "up", None),
            link(2, "eno1", "up", Some(1)),
            port.clone(),
            link(4, "vnet1", "up", Some(1)),
        ];
        port.vlans = Some(vec![entry(10, false), entry(100, true)]);
        let new = [
            link(1, "br-mgmt", "up", None),
            link(2, "eno1", "down", Some(1)),
            port,
            link(5, "vnet1", "unknown", Some(1)),
        ];
        let changes = compare(&old, &new);
        let told: Vec<(Kind, &str)> = changes
            .iter()
            .map(|c| (c.kind, c.subject.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Kind::LinkDown, "eno1"),
                (Kind::VlanChanged, "vnet0"),
                (Kind::LinkAdded, "vnet1"),
                (Kind::LinkRemoved, "vnet1"),
            ]
        );
        assert_eq!(
            changes[1].message,
            "its VLANs changed from [1 pvid untagged] to [10, 100 pvid untagged]"
        );
        let left = compare(&new, &[link(2, "eno1", "down", None)]);
        assert_eq!(left[0].message, "left br-mgmt");
        assert!(compare(&new, &new).is_empty());
    }
}
