//! `show interfaces status` and `show interfaces status err-disabled`.

use super::super::terminal::Line;
use super::{Reader, leading_port};

const WORDS: [&str; 10] = [
    "connected",
    "notconnect",
    "err-disabled",
    "disabled",
    "inactive",
    "suspended",
    "monitoring",
    "faulty",
    "sfpAbsent",
    "up",
];

/// A row's status and what follows it. Names may hold blanks and even these words, so the column
/// of the heading decides, and the last such word where the columns do not fit.
fn status_of(row: &str, column: Option<usize>) -> Option<(&'static str, &str)> {
    let word_at = |at: usize| {
        let rest = row.get(at..)?;
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let word = WORDS.iter().find(|word| **word == &rest[..end])?;
        Some((*word, rest[end..].trim_start()))
    };
    column.and_then(word_at).or_else(|| {
        let starts = row.match_indices(' ').map(|(at, _)| at + 1);
        starts.filter_map(word_at).next_back()
    })
}

/// The state of a port in our words.
pub(super) fn state(word: &str) -> &str {
    match word {
        "connected" => "up",
        "notconnect" | "sfpAbsent" => "down",
        other => other,
    }
}

/// The rows of a table: line, port, and its status with what follows, where one stands there.
fn rows(lines: &[Line]) -> impl Iterator<Item = (&Line, String, Option<(&'static str, &str)>)> {
    let mut column = None;
    lines.iter().filter_map(move |line| {
        if line.text.starts_with("Port ") {
            column = line.text.find("Status");
            return None;
        }
        let (port, _) = leading_port(&line.text)?;
        Some((line, port, status_of(&line.text, column)))
    })
}

/// Reads the table of all ports.
pub(super) fn read(reader: &mut Reader, lines: &[Line]) {
    for (line, port, status) in rows(lines) {
        let Some((word, rest)) = status else {
            reader.doubt(line, "no status of a port stands in this line");
            continue;
        };
        reader.port(&port, line, &["status"], |port| {
            port.status = Some(state(word).to_owned());
        });
        if word == "disabled" {
            reader.port(&port, line, &["shutdown"], |port| {
                port.shutdown = Some(true)
            });
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [vlan, duplex, speed, ..] = words[..] else {
            continue;
        };
        reader.port(&port, line, &["duplex", "speed"], |port| {
            port.duplex = Some(duplex.to_owned());
            port.speed = Some(speed.to_owned());
        });
        match vlan {
            "trunk" => reader.port(&port, line, &["trunking"], |port| {
                port.trunking = Some(true);
            }),
            "routed" => reader.port(&port, line, &["mode"], |port| {
                port.mode = Some("routed".to_owned());
            }),
            number => {
                if let Ok(vlan @ 1..=4094) = number.parse() {
                    reader.port(&port, line, &["access_vlan"], |port| {
                        port.access_vlan = Some(vlan);
                    });
                    // Without a link the column does not tell what a trunk would be.
                    if word == "connected" {
                        reader.port(&port, line, &["trunking"], |port| {
                            port.trunking = Some(false);
                        });
                    }
                }
            }
        }
    }
}

/// Reads the table of the ports that the switch disabled, with the reason.
pub(super) fn read_err_disabled(reader: &mut Reader, lines: &[Line]) {
    for (line, port, status) in rows(lines) {
        let Some(("err-disabled", rest)) = status else {
            continue;
        };
        let reason = rest.split_whitespace().next().map(str::to_owned);
        reader.port(&port, line, &["status", "err_disabled_reason"], |port| {
            port.status = Some("err-disabled".to_owned());
            port.err_disabled_reason = reason;
        });
    }
}
