//! VLANs that exist on the switch.

use super::super::Switch;
use super::{Diff, Effect, whole};

pub(super) fn diff(before: &Switch, after: &Switch, found: &mut Diff) {
    if before.tag_native.is_some()
        && after.tag_native.is_some()
        && before.tag_native != after.tag_native
    {
        let now = if after.tag_native == Some(true) {
            "tag"
        } else {
            "do not tag"
        };
        found.push(
            "tag-native-changed",
            Effect::Change,
            "vlan dot1q tag native",
            format!("trunks now {now} their native VLAN"),
        );
    }
    // A list that is whole at both ends, or two configurations: anything else leaves VLANs out.
    let lists = before.vlans_complete || whole(before) && whole(after);
    if before.vlans_complete != after.vlans_complete || !lists {
        return;
    }
    let named = |vlan: &u16, name: &str| {
        if name.is_empty() {
            format!("VLAN {vlan}")
        } else {
            format!("VLAN {vlan} ({name})")
        }
    };
    for (vlan, name) in &before.vlans {
        let subject = format!("VLAN {vlan}");
        match after.vlans.get(vlan) {
            None => found.push(
                "vlan-removed",
                Effect::Loss,
                &subject,
                format!("{} is gone", named(vlan, name)),
            ),
            Some(new) if new != name => {
                found.push(
                    "vlan-renamed",
                    Effect::Change,
                    &subject,
                    format!("{} is now called {new:?}", named(vlan, name)),
                );
            }
            Some(_) => {}
        }
        let status = |switch: &Switch| switch.vlan_status.get(vlan).cloned();
        if let (Some(old), Some(new)) = (status(before), status(after))
            && old != new
        {
            let effect = if new == "active" {
                Effect::Gain
            } else {
                Effect::Loss
            };
            found.push(
                "vlan-status-changed",
                effect,
                &subject,
                format!("{} is {new}, it was {old}", named(vlan, name)),
            );
        }
    }
    for (vlan, name) in after
        .vlans
        .iter()
        .filter(|(vlan, _)| !before.vlans.contains_key(vlan))
    {
        found.push(
            "vlan-added",
            Effect::Gain,
            &format!("VLAN {vlan}"),
            format!("{} is new", named(vlan, name)),
        );
    }
}
