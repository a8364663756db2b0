//! `show interfaces trunk`: four tables of the same ports. NX-OS prints the first without mode and
//! encapsulation, and calls the last "STP Forwarding".

use super::super::{terminal::Line, vlan_list::VlanSet};
use super::{Reader, leading_port, unless_all};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Modes,
    /// NX-OS: native VLAN, status, port-channel.
    Natives,
    Allowed,
    Active,
    Forwarding,
    Unknown,
}

/// Width at which IOS breaks a line when the terminal is 80 wide.
const WIDTH: usize = 79;

/// Reads the tables. A long list of VLANs goes on in the next line, indented or not.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut table = Table::Unknown;
    let mut row: Option<(String, &Line, String)> = None;
    for line in lines {
        let text = line.text.as_str();
        if let Some((_, _, list)) = &mut row
            && !text.trim().is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, ',' | '-' | ' ' | '\t'))
        {
            go_on(list, text.trim());
            continue;
        }
        end(reader, table, row.take());
        if text.starts_with("Port ") {
            table = heading(text);
            continue;
        }
        let Some((port, rest)) = leading_port(text) else {
            continue;
        };
        match table {
            Table::Unknown => {}
            _ => row = Some((port, line, rest.to_owned())),
        }
    }
    end(reader, table, row);
}

fn heading(text: &str) -> Table {
    let text = text.to_ascii_lowercase();
    if text.contains("encapsulation") {
        Table::Modes
    } else if text.contains("native") && text.contains("status") {
        Table::Natives
    } else if text.contains("allowed on trunk") {
        Table::Allowed
    } else if text.contains("allowed and active") {
        Table::Active
    } else if text.contains("forwarding state") || text.contains("stp forwarding") {
        Table::Forwarding
    } else {
        Table::Unknown
    }
}

/// Joins a broken list: IOS breaks after a comma; a terminal anywhere.
fn go_on(list: &mut String, more: &str) {
    let joined = list.ends_with([',', '-']) || more.starts_with([',', '-']);
    let port_and_blanks = 12;
    if !joined && list.len() + port_and_blanks < WIDTH {
        list.push(',');
    }
    list.push_str(more);
}

fn modes(reader: &mut Reader, port: &str, line: &Line, rest: &str) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [mode, _encapsulation, status, .., native] = words[..] else {
        reader.doubt(
            line,
            "expected port, mode, encapsulation, status and native VLAN",
        );
        return;
    };
    let mode = match mode {
        "on" | "nonegotiate" => "trunk",
        "off" => "access",
        _ => "dynamic",
    };
    let trunking = status == "trunking" || status.starts_with("trnk");
    trunk(reader, port, line, mode, trunking);
    native_vlan(reader, port, line, native);
}

/// `Eth1/1        100     trnk-bndl     Po10`: NX-OS lists only ports in trunk mode.
fn natives(reader: &mut Reader, port: &str, line: &Line, rest: &str) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [native, status, ref channel @ ..] = words[..] else {
        reader.doubt(line, "expected port, native VLAN, status and port-channel");
        return;
    };
    let trunking = status == "trunking" || status.starts_with("trnk");
    trunk(reader, port, line, "trunk", trunking);
    native_vlan(reader, port, line, native);
    let group = channel.first().and_then(|word| word.strip_prefix("Po"));
    if let Some(group) = group.and_then(|number| number.parse::<u16>().ok()) {
        reader.port(port, line, &["channel_group"], |port| {
            port.channel_group = Some(group);
        });
    }
}

fn trunk(reader: &mut Reader, port: &str, line: &Line, mode: &str, trunking: bool) {
    reader.port(port, line, &["mode", "trunking"], |port| {
        port.mode = Some(mode.to_owned());
        port.trunking = Some(trunking);
    });
}

fn native_vlan(reader: &mut Reader, port: &str, line: &Line, native: &str) {
    match native.parse::<u16>() {
        Ok(vlan @ 1..=4094) => reader.port(port, line, &["native_vlan"], |port| {
            port.native_vlan = Some(vlan);
        }),
        _ => reader.doubt(line, format!("{native:?} is no VLAN (1 to 4094)")),
    }
}

fn end(reader: &mut Reader, table: Table, row: Option<(String, &Line, String)>) {
    let Some((port, line, list)) = row else {
        return;
    };
    match table {
        Table::Modes => return modes(reader, &port, line, &list),
        Table::Natives => return natives(reader, &port, line, &list),
        _ => {}
    }
    let Some(set) = vlans(reader, line, &list) else {
        return;
    };
    match table {
        Table::Allowed => reader.port(&port, line, &["allowed_vlans"], |port| {
            port.allowed_vlans = unless_all(&set);
        }),
        Table::Active => reader.port(&port, line, &["active_vlans"], |port| {
            port.active_vlans = Some(set.numbers());
        }),
        Table::Forwarding => reader.port(&port, line, &["forwarding_vlans"], |port| {
            port.forwarding_vlans = Some(set.numbers());
        }),
        Table::Modes | Table::Natives | Table::Unknown => {}
    }
}

/// A list that ends in the middle (the text was cut off there) is no list.
fn vlans(reader: &mut Reader, line: &Line, list: &str) -> Option<VlanSet> {
    if list.trim().is_empty() {
        reader.doubt(line, "the list of VLANs is cut off");
        return None;
    }
    reader.vlans(line, list)
}
