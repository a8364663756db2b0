//! One `interface` block of a configuration.

use super::super::{terminal::Line, vlan_list::VlanSet};
use super::{Reader, config::Defaults, unless_all};

/// Reads the lines of one interface, the first of which names it. Where `sure`, every line of the
/// block is there, and what it does not say has its default.
pub(super) fn read(
    reader: &mut Reader,
    name: &str,
    lines: &[Line],
    sure: bool,
    defaults: &Defaults,
) {
    let Some((head, rest)) = lines.split_first() else {
        return;
    };
    reader.port(name, head, &["interface"], |_| {});
    let mut allowed = None;
    for line in rest {
        let words: Vec<&str> = line.text.split_whitespace().collect();
        match words[..] {
            ["switchport", "trunk", "allowed", "vlan", ref list @ ..] => {
                allow(reader, name, line, list, &mut allowed);
            }
            _ => fact(reader, name, line, &words),
        }
    }
    if sure {
        fill_in(reader, name, head, defaults);
    }
}

/// `switchport trunk allowed vlan [add|remove|except] LIST|all|none`; a long list goes on in
/// `add` lines.
fn allow(reader: &mut Reader, name: &str, line: &Line, list: &[&str], known: &mut Option<VlanSet>) {
    let (verb, list) = match list {
        [verb @ ("add" | "remove" | "except"), list @ ..] => (*verb, list),
        list => ("", list),
    };
    let Some(set) = reader.vlans(line, &list.join(" ")) else {
        // Half a list would make VLANs look missing.
        *known = None;
        reader.port(name, line, &[], |port| {
            port.allowed_vlans = None;
            port.lines.remove("allowed_vlans");
        });
        return;
    };
    let before = known.take();
    let set = match verb {
        "add" => before.unwrap_or_else(VlanSet::none).with(&set),
        "remove" => before.unwrap_or_else(VlanSet::all).without(&set),
        "except" => VlanSet::all().without(&set),
        _ => set,
    };
    let vlans = unless_all(&set);
    *known = Some(set);
    reader.port(name, line, &["allowed_vlans"], |port| {
        port.allowed_vlans = vlans;
    });
}

fn fact(reader: &mut Reader, name: &str, line: &Line, words: &[&str]) {
    let mut mode = |mode: &str| {
        reader.port(name, line, &["mode"], |port| {
            port.mode = Some(mode.to_owned())
        });
    };
    match words {
        ["description", ..] => {
            let text = line
                .text
                .trim_start()
                .trim_start_matches("description")
                .trim();
            reader.port(name, line, &["description"], |port| {
                port.description = Some(text.to_owned());
            });
        }
        ["switchport", "mode", "trunk"] => mode("trunk"),
        ["switchport", "mode", "access"] => mode("access"),
        ["switchport", "mode", "dynamic", ..] => mode("dynamic"),
        ["no", "switchport"] => mode("routed"),
        ["no", "switchport", "trunk", "native", "vlan", "tag"] => {
            reader.port(name, line, &["native_tagged"], |port| {
                port.native_tagged = Some(false);
            });
        }
        ["switchport", "trunk", "native", "vlan", "tag"] => {}
        ["switchport", "trunk", "native", "vlan", vlan] => {
            number(reader, name, line, vlan, "native_vlan");
        }
        ["switchport", "access", "vlan", vlan] => number(reader, name, line, vlan, "access_vlan"),
        ["switchport", "port-security"] => {
            reader.port(name, line, &["port_security"], |port| {
                port.port_security = Some(true)
            });
        }
        ["channel-group", group, ..] => match group.parse() {
            Ok(group) => reader.port(name, line, &["channel_group"], |port| {
                port.channel_group = Some(group);
            }),
            Err(_) => reader.doubt(line, format!("{group:?} is no number of a port-channel")),
        },
        ["shutdown"] => reader.port(name, line, &["shutdown"], |port| port.shutdown = Some(true)),
        ["no", "shutdown"] => {
            reader.port(name, line, &["shutdown"], |port| {
                port.shutdown = Some(false)
            });
        }
        ["spanning-tree", "bpduguard", state] => {
            let on = *state == "enable";
            reader.port(name, line, &["bpdu_guard"], |port| {
                port.bpdu_guard = Some(on)
            });
        }
        ["spanning-tree", "portfast", kinds @ ..] => {
            let kind = kinds.last().copied().unwrap_or("edge").to_owned();
            reader.port(name, line, &["portfast"], |port| port.portfast = Some(kind));
        }
        _ => {}
    }
}

fn number(reader: &mut Reader, name: &str, line: &Line, vlan: &str, key: &'static str) {
    match vlan.parse::<u16>() {
        Ok(vlan @ 1..=4094) => reader.port(name, line, &[key], |port| match key {
            "native_vlan" => port.native_vlan = Some(vlan),
            _ => port.access_vlan = Some(vlan),
        }),
        // `switchport access vlan dynamic` asks a server.
        _ if vlan == "dynamic" => {}
        _ => reader.doubt(line, format!("{vlan:?} is no VLAN (1 to 4094)")),
    }
}

/// What an interface has that does not say otherwise: native VLAN 1, every VLAN allowed, up.
fn fill_in(reader: &mut Reader, name: &str, head: &Line, defaults: &Defaults) {
    let Some(port) = reader.switch.ports.get_mut(name) else {
        return;
    };
    let Some(own) = port.lines.get("interface").cloned() else {
        return;
    };
    // A fact of another output that was read before stays: only what the configuration told
    // elsewhere, or nobody told, is filled in.
    let mode = port
        .lines
        .get("mode")
        .cloned()
        .unwrap_or_else(|| own.clone());
    if port.mode.as_deref() == Some("trunk") {
        if port.native_vlan.is_none() {
            port.native_vlan = Some(1);
            port.lines.insert("native_vlan".to_owned(), mode.clone());
        }
        port.lines.entry("allowed_vlans".to_owned()).or_insert(mode);
    }
    if port.shutdown.is_none() {
        port.shutdown = Some(false);
        port.lines.insert("shutdown".to_owned(), own.clone());
    }
    if port.bpdu_guard.is_none() {
        let fast = port
            .portfast
            .as_deref()
            .is_some_and(|kind| kind != "disable");
        port.bpdu_guard = Some(defaults.bpdu_guard && fast);
        port.lines.insert("bpdu_guard".to_owned(), own.clone());
    }
    if port.port_security.is_none() {
        port.port_security = Some(false);
        port.lines.insert("port_security".to_owned(), own);
    }
    port.line = head.number;
}
