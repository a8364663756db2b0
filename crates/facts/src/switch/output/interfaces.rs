//! `show interfaces` and `show interfaces counters errors`.

use super::super::terminal::Line;
use super::{Reader, leading_port, status};

/// Reads state, description, duplex and error counters of each interface.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    let mut current: Option<String> = None;
    for line in lines {
        if let Some((port, rest)) = leading_port(&line.text)
            && let Some((administrative, protocol)) = rest
                .strip_prefix("is ")
                .and_then(|rest| rest.split_once(", line protocol is "))
        {
            head(reader, &port, line, administrative, protocol);
            current = Some(port);
        } else if !line.text.starts_with([' ', '\t']) && !line.text.is_empty() {
            // The next interface, of a type that is not known: its counters are not of this one.
            if line.text.contains(" is ") {
                current = None;
            }
        } else if let Some(port) = &current {
            detail(reader, port, line);
        }
    }
}

fn head(reader: &mut Reader, port: &str, line: &Line, administrative: &str, protocol: &str) {
    let mut words = protocol.split_whitespace();
    let up = words.next() == Some("up");
    // `(connecte` is the end of a line that was cut off, and no state.
    let told = words
        .next()
        .and_then(|word| word.strip_prefix('(')?.strip_suffix(')'));
    let state = match told {
        Some("connected") | None if up => "up",
        Some(word @ ("err-disabled" | "suspended" | "monitoring" | "inactive")) => word,
        _ if administrative.starts_with("administratively") => "disabled",
        Some(word) => status::state(word),
        None => "down",
    };
    let shutdown = administrative.starts_with("administratively");
    reader.port(port, line, &["status", "shutdown"], |port| {
        port.status = Some(state.to_owned());
        port.shutdown = Some(shutdown);
    });
}

fn detail(reader: &mut Reader, port: &str, line: &Line) {
    let text = line.text.trim();
    if let Some(description) = text.strip_prefix("Description: ") {
        reader.port(port, line, &["description"], |port| {
            port.description = Some(description.trim().to_owned());
        });
    } else if let Some(cleared) = text.strip_prefix("Last clearing of \"show interface\" counters ")
    {
        reader.port(port, line, &["counters_cleared"], |port| {
            port.counters_cleared = Some(cleared.trim().to_owned());
        });
    } else if text.contains(" CRC") || text.contains(" input errors") {
        for part in text.split(',') {
            let Some((count, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what.trim() {
                "input errors" => reader.port(port, line, &["input_errors"], |port| {
                    port.input_errors = Some(count);
                }),
                "CRC" => reader.port(port, line, &["crc_errors"], |port| {
                    port.crc_errors = Some(count);
                }),
                _ => {}
            }
        }
    } else if let Some((duplex, rest)) = text.split_once("-duplex, ") {
        let duplex = duplex.to_ascii_lowercase();
        let speed = rest.split(',').next().unwrap_or("").trim().to_owned();
        if !duplex.contains(' ') {
            reader.port(port, line, &["duplex", "speed"], |port| {
                port.duplex = Some(duplex);
                port.speed = Some(speed);
            });
        }
    }
}

/// Reads the column `FCS-Err` of the first table: frames with a wrong checksum.
pub(super) fn read_counter_errors(reader: &mut Reader, lines: &[Line]) {
    let mut column = None;
    for line in lines {
        if line.text.starts_with("Port ") {
            column = line.text.split_whitespace().position(|w| w == "FCS-Err");
            continue;
        }
        let (Some(column), Some((port, _))) = (column, leading_port(&line.text)) else {
            continue;
        };
        let count = line
            .text
            .split_whitespace()
            .nth(column)
            .map(str::parse::<u64>);
        match count {
            Some(Ok(count)) => reader.port(&port, line, &["crc_errors"], |port| {
                port.crc_errors = Some(count);
            }),
            _ => reader.doubt(line, "no number stands in the column FCS-Err"),
        }
    }
}
