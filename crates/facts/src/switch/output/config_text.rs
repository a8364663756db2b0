//! The text of a configuration, made comparable: without what changes by itself, without secrets.

use super::super::{Capture, Stamp, session::banner_end, terminal::Line, terminal::MONTHS};
use super::Reader;

/// Keeps the lines of a configuration for the comparison of running and start-up. Comments (the
/// headers with times and sizes are among them), certificates (the start-up one holds the name of
/// a file where the running one holds the bytes) and values that the switch itself tunes go.
pub(super) fn comparable(reader: &Reader, lines: &[Line]) -> (Vec<String>, Capture) {
    let mut kept = Vec::new();
    let mut capture = Capture {
        file: reader.file.to_owned(),
        ..Capture::default()
    };
    let mut in_chain = false;
    let mut banner_until = None;
    for (index, line) in lines.iter().enumerate() {
        let text = line.text.as_str();
        let in_banner = banner_until.is_some_and(|end| index <= end);
        if !in_banner {
            banner_until = banner_end(lines, index);
            if in_chain && (text.starts_with(' ') || text.trim() == "quit") {
                continue;
            }
            in_chain = text.starts_with("crypto ") && text.contains(" certificate chain ");
            if text == "end" {
                capture.complete = true;
                break;
            }
            if changes_by_itself(text) {
                continue;
            }
        }
        kept.push(without_secrets(text));
        capture.lines.push(line.number);
    }
    (kept, capture)
}

fn changes_by_itself(text: &str) -> bool {
    let trimmed = text.trim();
    trimmed.is_empty()
        || trimmed.starts_with('!')
        || [
            "Building configuration",
            "Current configuration",
            "ntp clock-period",
            "Load for five secs",
            "Time source is",
            "Uncompressed configuration from",
        ]
        .iter()
        .any(|start| trimmed.starts_with(start))
        || trimmed.starts_with("Using ") && trimmed.contains(" bytes")
}

/// The line with passwords, keys and communities replaced by a short mark, that differs where
/// they differ and from which they cannot be told.
pub(super) fn without_secrets(text: &str) -> String {
    const BEFORE: [&str; 8] = [
        "password",
        "secret",
        "key",
        "key-string",
        "community",
        "pre-shared-key",
        "pac",
        "md5",
    ];
    let words: Vec<&str> = text.split(' ').collect();
    // Only settings: a word in a description is no secret.
    if words
        .iter()
        .any(|w| matches!(*w, "description" | "name" | "remark" | "chain"))
    {
        return text.to_owned();
    }
    let Some(at) = words.iter().position(|word| BEFORE.contains(word)) else {
        return text.to_owned();
    };
    // `key 7 0822455D0A16`, `secret 9 $9$…`, `key cisco`: the kind is no secret.
    let kind = |w: &&str| w.len() <= 2 && w.chars().all(|c| c.is_ascii_digit());
    let from = match words.get(at + 1) {
        Some(word) if kind(word) && words.len() > at + 2 => at + 2,
        Some(word) if !word.is_empty() => at + 1,
        _ => return text.to_owned(),
    };
    // FNV-1a, folded to 16 bits: far too short to tell the secret by.
    let mark = words[from].bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mark = format!("<hidden-{:04x}>", (mark >> 16) ^ (mark & 0xffff));
    let mut shown = words[..from].to_vec();
    shown.push(&mark);
    shown.extend(&words[from + 1..]);
    shown.join(" ")
}

/// A moment in a configuration's header: `… at 21:52:07 UTC Mon Apr 13 2026 by admin`.
pub(super) fn stamp(reader: &Reader, line: &Line) -> Option<Stamp> {
    let text = line.text.split_once(" at ")?.1;
    let text = text.split(" by ").next()?.trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [clock, .., month, day, year] = words[..] else {
        return None;
    };
    let mut parts = [0; 6];
    parts[0] = year.parse().ok()?;
    parts[1] = u16::try_from(MONTHS.iter().position(|m| *m == month)? + 1).ok()?;
    parts[2] = day.parse().ok()?;
    let mut clock = clock.trim_start_matches(['*', '.']).split(':');
    for part in &mut parts[3..] {
        *part = clock.next()?.split('.').next()?.parse().ok()?;
    }
    Some(Stamp {
        text: text.to_owned(),
        parts,
        place: reader.place(line),
    })
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn secrets_are_hidden_and_still_compare() {
        for (text, shown) in [
            ("enable secret 9 $9$abc", "enable secret 9 <hidden-"),
            (" key 7 0822455D0A16", " key 7 <hidden-"),
            (
                "radius-server host 10.50.1.31 auth-port 1812 key cisco",
                "radius-server host 10.50.1.31 auth-port 1812 key <hidden-",
            ),
            (
                "snmp-server community public RO",
                "snmp-server community <hidden-",
            ),
            (
                "username admin privilege 15 secret 5 $1$x",
                "username admin privilege 15 secret 5 <hidden-",
            ),
        ] {
            assert!(
                without_secrets(text).starts_with(shown),
                "{}",
                without_secrets(text)
            );
        }
        assert!(without_secrets("snmp-server community public RO").ends_with("> RO"));
        assert_ne!(without_secrets("key 7 0822"), without_secrets("key 7 0823"));
        assert_eq!(without_secrets("key 7 0822"), without_secrets("key 7 0822"));
        for same in [
            " description secret garden key",
            "service password-encryption",
            " key",
            "",
        ] {
            assert_eq!(without_secrets(same), same);
        }
    }
}
