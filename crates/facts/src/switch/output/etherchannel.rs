//! `show etherchannel summary`: port-channels and their members.

use super::super::terminal::Line;
use super::{Reader, canonical_port_name};

/// Reads the table; members of a group go on in the next lines.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut group = None;
    let mut in_table = false;
    for line in lines {
        let text = line.text.as_str();
        if text.starts_with("Group") {
            in_table = true;
            continue;
        }
        if !in_table {
            continue;
        }
        let mut words = text.split_whitespace().peekable();
        if let Some(number) = words.next_if(|_| text.starts_with(|c: char| c.is_ascii_digit())) {
            group = number.parse::<u16>().ok();
            if group.is_none() {
                reader.doubt(line, format!("{number:?} is no number of a port-channel"));
            }
        } else if !text.starts_with([' ', '\t']) {
            group = None;
        }
        let Some(group) = group else {
            continue;
        };
        for (name, flags) in words.filter_map(flagged) {
            if name.starts_with("Port-channel") {
                let state = if flags.contains('U') || flags == "RU" {
                    "up"
                } else {
                    "down"
                };
                reader.port(&name, line, &["status"], |port| {
                    port.status = Some(state.to_owned())
                });
                continue;
            }
            reader.port(&name, line, &["channel_group", "channel_state"], |port| {
                port.channel_group = Some(group);
                port.channel_state = Some(member_state(flags).to_owned());
            });
        }
    }
}

/// Port and flags of `Te1/0/1(P)`.
fn flagged(word: &str) -> Option<(String, &str)> {
    let (name, flags) = word.strip_suffix(')')?.split_once('(')?;
    Some((canonical_port_name(name)?, flags))
}

fn member_state(flags: &str) -> &str {
    match flags {
        "bndl" => return "bundled",
        "susp" => return "suspended",
        _ => {}
    }
    // Several letters may stand together (`Ds`); the first that says something counts.
    flags
        .chars()
        .find_map(|flag| {
            Some(match flag {
                'P' => "bundled",
                's' => "suspended",
                'I' => "stand-alone",
                'H' => "hot-standby",
                'D' => "down",
                'w' => "waiting",
                'u' => "unsuitable",
                _ => return None,
            })
        })
        .unwrap_or(flags)
}
