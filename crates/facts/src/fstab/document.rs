//! A whole fstab, losslessly: every line as it stands, with what it is.

use super::Entry;
use super::field::{decode, spans};
use super::options::split_options;
use crate::syntax::SyntaxError;
use std::fmt;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Nothing, or blanks only.
    Blank,
    /// The first character that is no blank is `#`. There are no comments behind fields (but
    /// for what stands after the sixth, which nobody reads).
    Comment,
    /// A file system or swap.
    Entry,
    /// Something else, which mount(8) ignores with a warning.
    Bad,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its text, without the newline; a carriage return before it is kept.
    pub text: String,
    /// What it is.
    pub kind: LineKind,
    /// Whether a newline follows (not so at the end of a file that lacks it).
    pub newline: bool,
}

/// A parsed fstab that writes back byte for byte (`to_string`).
///
/// The text must be the file's own: a file that is not UTF-8 can be read with replacement
/// characters, but must not be edited and written back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub(super) lines: Vec<Line>,
    errors: Vec<SyntaxError>,
}

/// Reads an fstab. Never fails: bad lines are in [`Document::errors`], the others are good.
pub fn parse(text: &str) -> Document {
    let mut document = Document::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, newline, next) = match rest.find('\n') {
            Some(at) => (&rest[..at], true, &rest[at + 1..]),
            None => (rest, false, ""),
        };
        document.lines.push(Line {
            text: line.to_owned(),
            kind: LineKind::Blank,
            newline,
        });
        rest = next;
    }
    document.refresh();
    document
}

impl Document {
    /// Every line; the index is the line number less one.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Lines that libmount cannot read, with the place where each breaks the grammar.
    pub fn errors(&self) -> &[SyntaxError] {
        &self.errors
    }

    /// The good lines, decoded, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.lines
            .iter()
            .zip(1_u32..)
            .filter_map(|(line, number)| match read(&line.text, number) {
                Read::Entry(entry) => Some(entry),
                _ => None,
            })
            .collect()
    }

    /// Classifies every line again; after an edit.
    pub(super) fn refresh(&mut self) {
        self.errors.clear();
        for (line, number) in self.lines.iter_mut().zip(1_u32..) {
            line.kind = match read(&line.text, number) {
                Read::Blank => LineKind::Blank,
                Read::Comment => LineKind::Comment,
                Read::Entry(_) => LineKind::Entry,
                Read::Bad(error) => {
                    self.errors.push(error);
                    LineKind::Bad
                }
            };
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            f.write_str(&line.text)?;
            if line.newline {
                f.write_str("\n")?;
            }
        }
        Ok(())
    }
}

pub(super) enum Read {
    Blank,
    Comment,
    Entry(Entry),
    Bad(SyntaxError),
}

/// Reads one line as libmount's tab_parse.c does.
pub(super) fn read(text: &str, number: u32) -> Read {
    let fields = spans(text);
    let Some(first) = fields.first() else {
        return Read::Blank;
    };
    if text[first.clone()].starts_with('#') {
        return Read::Comment;
    }
    let bad =
        |at: usize, message: String| Read::Bad(SyntaxError::new(number, column(text, at), message));
    if let Some(at) = text.find('\0') {
        return bad(at, "a NUL byte: mount(8) cannot read this line".to_owned());
    }
    let end = text.trim_end_matches([' ', '\t', '\r']).len();
    if fields.len() < 3 {
        let what = if fields.len() == 1 {
            "the mount point and the type are missing"
        } else {
            "the type is missing; mount(8) ignores this line, but systemd mounts it with an automatic type"
        };
        return bad(
            end,
            format!("{} of at least 3 fields: {what}", fields.len()),
        );
    }
    let mut numbers = [0_i32; 2];
    for (slot, (name, index)) in numbers.iter_mut().zip([("dump", 4), ("pass", 5)]) {
        let Some(span) = fields.get(index) else { break };
        let field = &text[span.clone()];
        match number_of(field) {
            Some(value) => *slot = value,
            None if field.starts_with('#') => {
                return bad(
                    span.start,
                    format!(
                        "a comment after field {index}: comments stand on lines of their own; mount(8) ignores this line, systemd reads the fields before"
                    ),
                );
            }
            None => {
                return bad(
                    span.start,
                    format!(
                        "the {name} field is {field:?} and must be a number (is a blank in an earlier field not written as \\040?); mount(8) ignores this line, systemd reads it without that field"
                    ),
                );
            }
        }
    }
    let field = |index: usize| decode(&text[fields[index].clone()]);
    Read::Entry(Entry {
        line: number,
        source: field(0),
        target: field(1),
        fstype: field(2),
        options: if fields.len() > 3 {
            split_options(&field(3))
        } else {
            vec!["defaults".to_owned()]
        },
        dump: numbers[0],
        pass: numbers[1],
        text: text.to_owned(),
    })
}

/// A number as strtol(3) into an `int` gives it: optional sign, digits only, saturated to 64 bits
/// and cut to 32.
fn number_of(field: &str) -> Option<i32> {
    // strtol skips white space that does not separate fields (vertical tab, form feed).
    let field = field.trim_start_matches(['\u{b}', '\u{c}', '\r']);
    let (negative, digits) = match field.as_bytes().first()? {
        b'-' => (true, &field[1..]),
        b'+' => (false, &field[1..]),
        _ => (false, field),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.bytes().fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let value = value.saturating_mul(10);
        if negative {
            value.saturating_sub(digit)
        } else {
            value.saturating_add(digit)
        }
    });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "libmount assigns a long to an int: the low 32 bits are what it shows"
    )]
    let cut = value as i32;
    Some(cut)
}

/// Column in characters, from 1, of a byte offset.
pub(super) fn column(text: &str, at: usize) -> u32 {
    let before = text.get(..at).unwrap_or(text);
    u32::try_from(before.chars().count()).map_or(u32::MAX, |n| n.saturating_add(1))
}
