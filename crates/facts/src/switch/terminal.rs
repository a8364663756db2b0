//! What a terminal does to a text, undone: backspaces, carriage returns, escape sequences,
//! `--More--` leftovers, and log messages thrown into the output.

/// One line of a capture as a person saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u32,
    /// Its text, without blanks at its end.
    pub text: String,
}

/// The lines of a capture. Lines that were nothing but a pager's prompt, and the switch's log
/// messages, are left out; the others keep their numbers.
pub fn lines(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .zip(1..)
        .filter_map(|(raw, number)| {
            let seen = display(raw);
            let text = without_pager(&seen)?;
            (!is_log_message(&text)).then_some(Line { number, text })
        })
        .collect()
}

/// What stands in a terminal's row after these characters went to it.
fn display(raw: &str) -> String {
    let raw = raw.trim_end_matches(['\r', '\n']);
    if !raw.contains(|c: char| c.is_control() && c != '\t') {
        return raw.trim_end().to_owned();
    }
    let mut row: Vec<char> = Vec::with_capacity(raw.len());
    let mut cursor = 0;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => cursor = 0,
            '\u{8}' => cursor = usize::saturating_sub(cursor, 1),
            '\u{1b}' => {
                if chars.next_if_eq(&'[').is_none() {
                    chars.next();
                    continue;
                }
                // CSI: parameters and intermediates, then one final character (ECMA-48, 5.4).
                let mut parameters = String::new();
                let end = loop {
                    match chars.next() {
                        Some(p @ ' '..='?') => parameters.push(p),
                        end => break end,
                    }
                };
                match (end, parameters.as_str()) {
                    (Some('K'), "" | "0") => row.truncate(cursor),
                    (Some('K'), "2") => row.clear(),
                    (Some('D'), n) => cursor = cursor.saturating_sub(n.parse().unwrap_or(1)),
                    _ => {}
                }
            }
            c if c.is_control() && c != '\t' && c != '\u{3}' => {}
            c => {
                if row.len() <= cursor {
                    row.resize(cursor + 1, ' ');
                }
                row[cursor] = c;
                cursor += 1;
            }
        }
    }
    String::from_iter(row).trim_end().to_owned()
}

/// The line without the pager's prompt; `None` where nothing else was on it.
///
/// Where a tool stripped the backspaces, the eight blanks that wiped the prompt out remain
/// between it and the line: they go too, so that the line keeps its own indentation.
fn without_pager(line: &str) -> Option<String> {
    const PROMPT: &str = "--More--";
    let Some(rest) = line.trim_start().strip_prefix(PROMPT) else {
        return Some(line.to_owned());
    };
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    let wiped = if blanks >= 9 { 9 } else { blanks };
    let rest = &rest[wiped..];
    (!rest.trim().is_empty()).then(|| rest.to_owned())
}

/// `*Apr 13 21:52:07.123: %LINK-3-UPDOWN: …`, `000123: Apr 13 …: %SYS-5-CONFIG_I: …`,
/// `1d02h: %LINEPROTO-5-UPDOWN: …`, or the message alone.
fn is_log_message(line: &str) -> bool {
    let Some((before, message)) = line.split_once('%') else {
        return false;
    };
    let stamp = before.trim();
    if !stamp.is_empty() {
        let starts = stamp.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '.'))
            || MONTHS.iter().any(|month| stamp.starts_with(month));
        if !starts || !stamp.ends_with(':') || stamp.len() > 80 {
            return false;
        }
    }
    // %FACILITY-SEVERITY-MNEMONIC: (the facility may have dashes of its own)
    let Some((code, _)) = message.split_once(": ") else {
        return false;
    };
    let parts: Vec<&str> = code.split('-').collect();
    parts.len() >= 3
        && parts.iter().all(|p| {
            !p.is_empty()
                && p.chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
        && parts[1..parts.len() - 1]
            .iter()
            .any(|p| p.len() == 1 && matches!(p.as_bytes()[0], b'0'..=b'7'))
}

/// Months as IOS abbreviates them.
pub(super) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_pager_wiped_out_with_backspaces_leaves_nothing() {
        let wipe = "\u{8}".repeat(9) + "        " + &"\u{8}".repeat(9);
        let text = format!("interface Te1/0/2\r\n --More-- {wipe} switchport mode trunk\r\n");
        assert_eq!(
            texts(&text),
            ["interface Te1/0/2", " switchport mode trunk", ""]
        );
        assert_eq!(
            texts(" --More-- \r                 \rinterface Te1/0/3\n --More-- \u{1b}[2K\rend"),
            ["interface Te1/0/3", "end"]
        );
    }

    #[test]
    fn a_pager_whose_backspaces_were_stripped_keeps_the_indentation() {
        assert_eq!(
            texts(
                " --More--          switchport mode trunk\n --More--         interface Te1/0/3\n--More--"
            ),
            [" switchport mode trunk", "interface Te1/0/3"]
        );
    }

    #[test]
    fn log_messages_go_and_lines_that_look_alike_stay() {
        let text = "a\n*Apr 13 21:52:07.123: %LINK-3-UPDOWN: Interface Te1/0/2, changed state to down\n\
            000123: Apr 13 21:52:08 CEST: %SYS-5-CONFIG_I: Configured from console by admin\n\
            1d02h: %LINEPROTO-5-UPDOWN: Line protocol on Interface Te1/0/2\n\
            %PM-SP-4-ERR_DISABLE: bpduguard error detected on Gi4/1\n \
            event syslog pattern \"%LINK-3-UPDOWN: x\"\n\
            Load for five secs: 5%/0%; one minute: 6%";
        let kept = lines(text);
        let numbers: Vec<u32> = kept.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 6, 7]);
    }
}
