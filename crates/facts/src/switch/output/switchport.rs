//! `show interfaces switchport`: one block of `key: value` lines per port.

use super::super::{SwitchPort, terminal::Line};
use super::{Reader, canonical_port_name, unless_all};

/// Reads mode, native VLAN and allowed VLANs as configured, and the mode that is at work.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut current: Option<String> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let Some((key, value)) = line.text.split_once(':') else {
            continue;
        };
        let (key, mut value) = (key.trim(), value.trim().to_owned());
        if key == "Name" {
            current = canonical_port_name(&value);
            continue;
        }
        let Some(port) = &current else {
            continue;
        };
        if key == "Trunking VLANs Enabled" {
            // A long list goes on below, indented.
            while let Some(more) = lines.get(at).map(|next| next.text.trim())
                && !more.is_empty()
                && more
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, ',' | '-'))
            {
                value.push_str(more);
                at += 1;
            }
        }
        fact(reader, port, line, key, &value);
    }
}

fn fact(reader: &mut Reader, port: &str, line: &Line, key: &str, value: &str) {
    let first = value.split_whitespace().next().unwrap_or("");
    let vlan = first
        .parse::<u16>()
        .ok()
        .filter(|vlan| (1..=4094).contains(vlan));
    let mut set = |key: &str, change: &dyn Fn(&mut SwitchPort)| {
        reader.port(port, line, &[key], |port| change(port));
    };
    match key {
        "Switchport" if first == "Disabled" => {
            set("mode", &|port| port.mode = Some("routed".to_owned()));
        }
        "Administrative Mode" => {
            let mode = match first {
                "static" => "access",
                mode => mode,
            };
            set("mode", &|port| port.mode = Some(mode.to_owned()));
        }
        "Operational Mode" => set("trunking", &|port| port.trunking = Some(first == "trunk")),
        "Access Mode VLAN" if vlan.is_some() => set("access_vlan", &|port| port.access_vlan = vlan),
        "Trunking Native Mode VLAN" if vlan.is_some() => {
            set("native_vlan", &|port| port.native_vlan = vlan);
        }
        // The administrative state is `enabled` by default and tags nothing by itself.
        "Administrative Native VLAN tagging" if first == "disabled" => {
            set("native_tagged", &|port| port.native_tagged = Some(false));
        }
        "Operational Native VLAN tagging" => {
            let tagged = first == "enabled";
            set("native_tagged", &|port| port.native_tagged = Some(tagged));
        }
        "Trunking VLANs Enabled" => {
            if let Some(list) = reader.vlans(line, value) {
                reader.port(port, line, &["allowed_vlans"], |port| {
                    port.allowed_vlans = unless_all(&list);
                });
            }
        }
        _ => {}
    }
}
