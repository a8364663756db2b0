//! RADIUS servers and groups.

use super::super::Switch;
use super::{Diff, Effect, whole};

pub(super) fn diff(before: &Switch, after: &Switch, found: &mut Diff) {
    if before.radius_complete && after.radius_complete {
        groups(before, after, found);
    }
    for (name, new) in &after.radius_servers {
        match before.radius_servers.get(name) {
            None if whole(before) => found.placed(
                "radius-server-defined",
                Effect::Gain,
                name,
                format!("RADIUS server {name} is defined"),
                None,
                Some(&new.place),
            ),
            Some(old) => {
                if let (Some(from), Some(to)) = (&old.address, &new.address)
                    && from != to
                {
                    let message = format!(
                        "RADIUS server {name} has another address: {from} before, {to} now"
                    );
                    found.placed(
                        "radius-server-address-changed",
                        Effect::Change,
                        name,
                        message,
                        Some(&old.place),
                        Some(&new.place),
                    );
                }
                if let (Some(from), Some(to)) = (&old.state, &new.state)
                    && from != to
                {
                    let effect = if to == "DEAD" {
                        Effect::Loss
                    } else {
                        Effect::Gain
                    };
                    let message = format!("RADIUS server {name} is {to}, it was {from}");
                    found.placed(
                        "radius-server-state-changed",
                        effect,
                        name,
                        message,
                        Some(&old.place),
                        Some(&new.place),
                    );
                }
            }
            None => {}
        }
    }
    for (name, old) in &before.radius_servers {
        if whole(after) && !after.radius_servers.contains_key(name) {
            let message = format!("RADIUS server {name} is no longer defined");
            found.placed(
                "radius-server-removed",
                Effect::Loss,
                name,
                message,
                Some(&old.place),
                None,
            );
        }
    }
}

fn groups(before: &Switch, after: &Switch, found: &mut Diff) {
    for (name, old) in &before.radius_groups {
        let Some(new) = after.radius_groups.get(name) else {
            let message = format!(
                "the RADIUS group {name} is gone, with {}",
                old.servers.join(", ")
            );
            found.placed(
                "radius-group-removed",
                Effect::Loss,
                name,
                message,
                Some(&old.place),
                None,
            );
            continue;
        };
        for server in old.servers.iter().filter(|s| !new.servers.contains(s)) {
            let message = format!(
                "RADIUS server {server} left the group {name} ({} left)",
                new.servers.len()
            );
            found.placed(
                "radius-server-left-group",
                Effect::Loss,
                name,
                message,
                Some(&old.place),
                Some(&new.place),
            );
        }
        for server in new.servers.iter().filter(|s| !old.servers.contains(s)) {
            let message = format!("RADIUS server {server} joined the group {name}");
            found.placed(
                "radius-server-joined-group",
                Effect::Gain,
                name,
                message,
                Some(&old.place),
                Some(&new.place),
            );
        }
        let kept = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|s| other.contains(s)).cloned().collect()
        };
        if kept(&old.servers, &new.servers) != kept(&new.servers, &old.servers) {
            let message = format!(
                "the group {name} asks its servers in another order: {}",
                new.servers.join(", ")
            );
            found.placed(
                "radius-group-order-changed",
                Effect::Change,
                name,
                message,
                Some(&old.place),
                Some(&new.place),
            );
        }
    }
    for (name, new) in &after.radius_groups {
        if !before.radius_groups.contains_key(name) {
            let message = format!(
                "there is a new RADIUS group {name}: {}",
                new.servers.join(", ")
            );
            found.placed(
                "radius-group-added",
                Effect::Gain,
                name,
                message,
                None,
                Some(&new.place),
            );
        }
    }
}
