//! One field of fstab: where it lies in a line, and its octal escapes.

use std::ops::Range;

/// Byte ranges of the fields of a line. Only space and tab separate (libmount and glibc alike);
/// a carriage return at the end belongs to the line's end, not to the last field.
pub(super) fn spans(line: &str) -> Vec<Range<usize>> {
    let body = line.strip_suffix('\r').unwrap_or(line);
    let mut spans = Vec::new();
    let mut start = None;
    for (at, byte) in body.bytes().enumerate() {
        match (start, matches!(byte, b' ' | b'\t')) {
            (None, false) => start = Some(at),
            (Some(begin), true) => {
                spans.push(begin..at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(begin) = start {
        spans.push(begin..body.len());
    }
    spans
}

/// Resolves `\ooo` as libmount does: any three octal digits, the value modulo 256, a NUL ends
/// the field. Bytes that then are no UTF-8 become U+FFFD.
pub fn decode(field: &str) -> String {
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if let Some(value) = escape_at(bytes, at) {
            out.push(value);
            at += 4;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    if let Some(end) = out.iter().position(|&b| b == 0) {
        out.truncate(end);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that an escape at this place stands for.
pub(super) fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let digits = bytes.get(at..at + 4)?;
    if digits[0] != b'\\' || !digits[1..].iter().all(|d| (b'0'..=b'7').contains(d)) {
        return None;
    }
    let value = digits[1..]
        .iter()
        .fold(0_u32, |sum, d| sum * 8 + u32::from(d - b'0'));
    u8::try_from(value & 0xff).ok()
}

/// Writes a value so that libmount and glibc read it back: space, tab, newline and backslash as
/// octal escapes (glibc knows only these four). `None` for what no field can hold: the empty
/// value, NUL, a carriage return, or a `#` at the beginning (it would make a source a comment,
/// and glibc does not decode `\043`).
pub fn encode(value: &str) -> Option<String> {
    if value.is_empty() || value.starts_with('#') || value.contains(['\0', '\r']) {
        return None;
    }
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            ' ' => out.push_str("\\040"),
            '\t' => out.push_str("\\011"),
            '\n' => out.push_str("\\012"),
            '\\' => out.push_str("\\134"),
            other => out.push(other),
        }
    }
    Some(out)
}
