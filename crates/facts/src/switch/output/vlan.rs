//! `show vlan` and `show vlan brief`: the VLANs that exist on the switch.

use super::super::terminal::Line;
use super::{Reader, canonical_port_name};
use std::collections::BTreeMap;

/// Where each port is listed.
type Listed<'a> = BTreeMap<String, Vec<(u16, &'a Line)>>;

/// Reads the first table; what `show vlan` prints below it (types, MTUs) is passed over.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut columns = None;
    let mut current = None;
    let mut listed = Listed::new();
    let mut rows = 0;
    let mut ended = reader.closed;
    for line in lines {
        let text = line.text.as_str();
        if text.starts_with("VLAN ") {
            let column = text.find("Status").filter(|_| text.contains("Ports"));
            if column.is_none() && columns.is_some() {
                ended = true;
                break;
            }
            columns = column;
            continue;
        }
        let Some(column) = columns else {
            continue;
        };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            current = row(reader, line, column, &mut listed);
            rows += usize::from(current.is_some());
            // The last VLAN that every switch lists.
            ended |= current == Some(1005);
        } else if text.starts_with(' ')
            && let Some(vlan) = current
        {
            ports(&mut listed, line, text, vlan);
        }
    }
    access(reader, &listed);
    if rows > 0 && ended && !reader.command.partial {
        reader.switch.vlans_complete = true;
    }
}

/// `100  MGMT                             active    Te1/0/1, Te1/0/4`
fn row<'a>(
    reader: &mut Reader,
    line: &'a Line,
    column: usize,
    listed: &mut Listed<'a>,
) -> Option<u16> {
    let text = line.text.as_str();
    let number = text.split_whitespace().next()?;
    let vlan = number
        .parse::<u16>()
        .ok()
        .filter(|v| (1..=4094).contains(v));
    // A name may fill its column to the last character and may hold blanks.
    let cut = text.is_char_boundary(column.min(text.len()));
    let (Some(vlan), true) = (vlan, cut && text.len() > column) else {
        reader.doubt(line, "expected number, name and status of a VLAN");
        return None;
    };
    let name = text[number.len()..column].trim();
    let rest = &text[column..];
    let status = rest.split_whitespace().next().unwrap_or("");
    reader.switch.vlans.insert(vlan, name.to_owned());
    reader.switch.vlan_status.insert(vlan, status.to_owned());
    ports(
        listed,
        line,
        rest.trim_start().trim_start_matches(status),
        vlan,
    );
    Some(vlan)
}

fn ports<'a>(listed: &mut Listed<'a>, line: &'a Line, list: &str, vlan: u16) {
    for name in list.split(',').filter_map(canonical_port_name) {
        listed.entry(name).or_default().push((vlan, line));
    }
}

/// A port that is listed once is an access port of that VLAN. One listed more often is not told: it
/// has a voice VLAN besides (IOS lists no trunks), or is a trunk (NX-OS lists it with each).
fn access(reader: &mut Reader, listed: &Listed<'_>) {
    for (name, places) in listed {
        if let [(vlan, line)] = places[..] {
            reader.port(name, line, &["access_vlan"], |port| {
                port.access_vlan = Some(vlan);
            });
        }
    }
}
