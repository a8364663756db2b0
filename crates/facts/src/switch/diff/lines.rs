//! The rest of the configuration: lines whose meaning nofail does not read.

use super::super::{Switch, canonical_port_name, compare};
use super::{Diff, Effect, whole};

pub(super) fn diff(before: &Switch, after: &Switch, found: &mut Diff) {
    if !whole(before) || !whole(after) {
        return;
    }
    // The earlier running configuration in the place of the start-up one: the same comparison.
    let both = Switch {
        running: after.running.clone(),
        running_capture: after.running_capture.clone(),
        startup: before.running.clone(),
        startup_capture: before.running_capture.clone(),
        ..Switch::default()
    };
    let Ok(differences) = compare::unsaved(&both) else {
        return;
    };
    for difference in differences {
        let block = difference.under.first().unwrap_or(&difference.place.text);
        if is_told_otherwise(block, &difference.place.text) {
            continue;
        }
        let under = difference
            .under
            .last()
            .map(|under| format!(" under `{under}`"))
            .unwrap_or_default();
        let mut place = difference.place.clone();
        place.command = "show running-config".to_owned();
        let text = &place.text;
        if difference.running {
            let message = format!("a line was added{under}: {text}");
            found.placed(
                "line-added",
                Effect::Change,
                block,
                message,
                None,
                Some(&place),
            );
        } else {
            let message = format!("a line was removed{under}: {text}");
            found.placed(
                "line-removed",
                Effect::Change,
                block,
                message,
                Some(&place),
                None,
            );
        }
    }
}

/// Whether the facts of ports, VLANs and RADIUS tell the change of this line already.
fn is_told_otherwise(block: &str, line: &str) -> bool {
    const PORT: [&str; 11] = [
        "description ",
        "switchport mode ",
        "switchport trunk native vlan ",
        "switchport trunk allowed vlan ",
        "switchport access vlan ",
        "channel-group ",
        "shutdown",
        "no shutdown",
        "spanning-tree portfast",
        "spanning-tree bpduguard ",
        "no switchport",
    ];
    let starts = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    if let Some(name) = block.strip_prefix("interface ") {
        let is_port =
            canonical_port_name(name).is_some_and(|full| super::super::name::is_port(&full));
        return is_port && (line == block || line == "switchport port-security" || starts(&PORT));
    }
    if block.starts_with("vlan ") {
        return line == block || starts(&["name "]);
    }
    if block.starts_with("radius server ") {
        return line == block || starts(&["address "]);
    }
    if block.starts_with("aaa group server radius ") {
        return line == block || starts(&["server "]);
    }
    block.starts_with("hostname ")
}
