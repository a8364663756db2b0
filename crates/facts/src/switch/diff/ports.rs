//! Ports: VLANs, state, counters, membership.

use super::super::{Switch, SwitchPort, short_port_name, vlan_list};
use super::{Diff, Effect, whole};

pub(super) fn diff(before: &Switch, after: &Switch, found: &mut Diff) {
    for (name, old) in &before.ports {
        match after.ports.get(name) {
            Some(new) => {
                let pair = Pair {
                    old,
                    new,
                    removed: whole(before) && whole(after),
                    name: short_port_name(name),
                };
                pair.compare(found);
            }
            None if old.lines.contains_key("interface") && whole(after) => {
                let short = short_port_name(name);
                let message = format!("{short} is no longer in the configuration");
                found.placed(
                    "port-removed",
                    Effect::Loss,
                    &short,
                    message,
                    old.place("interface"),
                    None,
                );
            }
            None => {}
        }
    }
    for (name, new) in &after.ports {
        if !before.ports.contains_key(name) && new.lines.contains_key("interface") && whole(before)
        {
            let short = short_port_name(name);
            let message = format!("{short} is new in the configuration");
            found.placed(
                "port-added",
                Effect::Gain,
                &short,
                message,
                None,
                new.place("interface"),
            );
        }
    }
}

struct Pair<'a> {
    old: &'a SwitchPort,
    new: &'a SwitchPort,
    /// Whether a line of the configuration that is not there says that it was removed.
    removed: bool,
    name: String,
}

impl Pair<'_> {
    fn compare(&self, found: &mut Diff) {
        self.trunk(found);
        self.state(found);
        self.counters(found);
        self.plain(
            found,
            "description",
            |p| p.description.clone().map(|d| format!("{d:?}")),
            "described as",
        );
        self.plain(
            found,
            "channel_group",
            |p| p.channel_group.map(|g| format!("Po{g}")),
            "a member of",
        );
        self.plain(found, "portfast", |p| p.portfast.clone(), "PortFast");
        self.flag(found, "bpdu_guard", |p| p.bpdu_guard, "BPDU guard");
        self.flag(found, "port_security", |p| p.port_security, "port security");
        self.flag(
            found,
            "native_tagged",
            |p| p.native_tagged,
            "a tagged native VLAN",
        );
    }

    fn push(
        &self,
        found: &mut Diff,
        key: &str,
        kind: &'static str,
        effect: Effect,
        message: String,
    ) {
        found.placed(
            kind,
            effect,
            &self.name,
            message,
            self.old.place(key),
            self.new.place(key),
        );
    }

    fn both(&self, key: &str) -> bool {
        self.old.lines.contains_key(key) && self.new.lines.contains_key(key)
    }

    fn trunk(&self, found: &mut Diff) {
        let (old, new, name) = (self.old, self.new, &self.name);
        let word = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "not set".to_owned());
        if old.mode != new.mode && (self.both("mode") || self.removed) {
            let message = format!(
                "the mode of {name} is {}, it was {}",
                word(&new.mode),
                word(&old.mode)
            );
            self.push(found, "mode", "mode-changed", Effect::Change, message);
        }
        if self.both("access_vlan") && old.access_vlan != new.access_vlan && !new.is_trunk() {
            let vlan = |v: Option<u16>| v.unwrap_or(1);
            let message = format!(
                "the access VLAN of {name} is {}, it was {}",
                vlan(new.access_vlan),
                vlan(old.access_vlan)
            );
            self.push(
                found,
                "access_vlan",
                "access-vlan-changed",
                Effect::Change,
                message,
            );
        }
        if !old.is_trunk() || !new.is_trunk() {
            return;
        }
        if let (Some(from), Some(to)) = (old.native_vlan, new.native_vlan)
            && from != to
        {
            let message = format!("the native VLAN of {name} is {to}, it was {from}");
            self.push(
                found,
                "native_vlan",
                "native-vlan-changed",
                Effect::Change,
                message,
            );
        }
        if self.both("allowed_vlans") {
            let all = || (1..=vlan_list::LAST).collect();
            let list = |port: &SwitchPort| port.allowed_vlans.clone().unwrap_or_else(all);
            self.set(
                found,
                "allowed_vlans",
                ["trunk-lost-vlan", "trunk-gained-vlan"],
                ["no longer carries", "now carries"],
                &list(old),
                &list(new),
            );
        }
        if let (Some(from), Some(to)) = (&old.forwarding_vlans, &new.forwarding_vlans) {
            // What the trunk lost or gained altogether was just told.
            let common = |list: &[u16]| -> Vec<u16> {
                let allowed = |port: &SwitchPort, v: &u16| {
                    port.allowed_vlans.as_ref().is_none_or(|l| l.contains(v))
                };
                list.iter()
                    .copied()
                    .filter(|v| allowed(old, v) && allowed(new, v))
                    .collect()
            };
            self.set(
                found,
                "forwarding_vlans",
                ["trunk-blocks-vlan", "trunk-forwards-vlan"],
                ["no longer forwards", "forwards"],
                &common(from),
                &common(to),
            );
        }
    }

    fn set(
        &self,
        found: &mut Diff,
        key: &str,
        kinds: [&'static str; 2],
        words: [&str; 2],
        from: &[u16],
        to: &[u16],
    ) {
        let less = |one: &[u16], other: &[u16]| {
            let rest = vlan_list::VlanSet::of(one).without(&vlan_list::VlanSet::of(other));
            rest.numbers()
        };
        let (lost, gained) = (less(from, to), less(to, from));
        if !lost.is_empty() {
            let message = format!("{} {} VLAN {}", self.name, words[0], vlan_list::show(&lost));
            self.push(found, key, kinds[0], Effect::Loss, message);
        }
        if !gained.is_empty() {
            let message = format!(
                "{} {} VLAN {}",
                self.name,
                words[1],
                vlan_list::show(&gained)
            );
            self.push(found, key, kinds[1], Effect::Gain, message);
        }
    }

    fn state(&self, found: &mut Diff) {
        if let (Some(from), Some(to)) = (&self.old.status, &self.new.status)
            && from != to
        {
            let effect = match (from.as_str(), to.as_str()) {
                (_, "up") => Effect::Gain,
                ("up", _) | (_, "err-disabled") => Effect::Loss,
                _ => Effect::Change,
            };
            let why = self
                .new
                .err_disabled_reason
                .as_deref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default();
            let message = format!("{} is {to}{why}, it was {from}", self.name);
            self.push(found, "status", "port-state-changed", effect, message);
        } else if let (Some(from), Some(to)) = (self.old.shutdown, self.new.shutdown)
            && from != to
        {
            let (effect, word) = if to {
                (Effect::Loss, "shut down")
            } else {
                (Effect::Gain, "enabled")
            };
            self.push(
                found,
                "shutdown",
                "port-shutdown-changed",
                effect,
                format!("{} is {word} now", self.name),
            );
        }
        if let (Some(from), Some(to)) = (&self.old.channel_state, &self.new.channel_state)
            && from != to
        {
            let effect = if to == "bundled" {
                Effect::Gain
            } else {
                Effect::Loss
            };
            let message = format!("{} is {to} in its port-channel, it was {from}", self.name);
            self.push(
                found,
                "channel_state",
                "channel-state-changed",
                effect,
                message,
            );
        }
    }

    fn counters(&self, found: &mut Diff) {
        let (Some(from), Some(to)) = (self.old.crc_errors, self.new.crc_errors) else {
            return;
        };
        if to > from {
            let message = format!(
                "{} counts {} more CRC errors ({from} before, {to} now)",
                self.name,
                to - from
            );
            self.push(
                found,
                "crc_errors",
                "crc-errors-grew",
                Effect::Loss,
                message,
            );
        } else if to < from {
            let since = match self.new.counters_cleared.as_deref() {
                None | Some("never") => String::new(),
                Some(time) => format!(", {time} before the later capture"),
            };
            let message = format!(
                "the counters of {} were cleared{since}: {to} CRC errors since, {from} before",
                self.name
            );
            self.push(
                found,
                "crc_errors",
                "counters-cleared",
                Effect::Change,
                message,
            );
        }
    }

    fn plain(
        &self,
        found: &mut Diff,
        key: &'static str,
        of: impl Fn(&SwitchPort) -> Option<String>,
        what: &str,
    ) {
        let (from, to) = (of(self.old), of(self.new));
        if from == to || !(self.both(key) || self.removed) {
            return;
        }
        let kind = match key {
            "description" => "description-changed",
            "channel_group" => "channel-group-changed",
            _ => "portfast-changed",
        };
        let message = match (from, to) {
            (Some(from), Some(to)) => format!("{} is {what} {to}, it was {from}", self.name),
            (Some(from), None) => format!("{} is no longer {what} {from}", self.name),
            (_, to) => format!("{} is {what} {}", self.name, to.unwrap_or_default()),
        };
        self.push(
            found,
            key,
            kind,
            Effect::Change,
            message
                .replace("is PortFast", "has PortFast")
                .replace("is no longer PortFast", "no longer has PortFast"),
        );
    }

    fn flag(
        &self,
        found: &mut Diff,
        key: &'static str,
        of: impl Fn(&SwitchPort) -> Option<bool>,
        what: &str,
    ) {
        // Off unless said, in a whole configuration.
        let told = |port: &SwitchPort| of(port).or(self.removed.then_some(false));
        let (Some(from), Some(to)) = (told(self.old), told(self.new)) else {
            return;
        };
        if from == to {
            return;
        }
        let kind = match key {
            "bpdu_guard" => "bpdu-guard-changed",
            "port_security" => "port-security-changed",
            _ => "native-tagging-changed",
        };
        let message = format!(
            "{} {} {what}",
            self.name,
            if to { "now has" } else { "no longer has" }
        );
        self.push(found, key, kind, Effect::Change, message);
    }
}
