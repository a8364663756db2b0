//! Lines that mount(8) reads and systemd reads differently, or that nobody can mean so.
//!
//! systemd-fstab-generator reads fstab with getmntent(3). What follows was seen with glibc 2.36
//! and with systemd 252's generator.

use super::document::{Read, column, read};
use super::field::{escape_at, spans};
use crate::syntax::SyntaxError;

/// glibc reads lines into a buffer of this size and drops the rest.
const GLIBC_LINE: usize = 4095;

/// What is odd about a line that libmount reads: the place and what follows from it.
/// Empty for a blank line, a comment, and a line that libmount rejects (see
/// [`super::Document::errors`]).
pub fn remarks(text: &str, number: u32) -> Vec<SyntaxError> {
    let Read::Entry(entry) = read(text, number) else {
        return Vec::new();
    };
    let fields = spans(text);
    let mut found = Vec::new();
    let mut note = |at: usize, message: String| {
        found.push(SyntaxError::new(number, column(text, at), message));
    };
    for span in fields.iter().take(4) {
        let bytes = text.as_bytes();
        let mut at = span.start;
        while at < span.end {
            match escape_at(&bytes[..span.end], at) {
                Some(0) => note(at, "\\000 ends the field here".to_owned()),
                Some(b' ' | b'\t' | b'\n' | b'\\') | None => {}
                Some(_) => note(
                    at,
                    format!(
                        "{} is decoded by mount(8), but not by getmntent(3), with which systemd reads fstab: both see different names",
                        &text[at..at + 4]
                    ),
                ),
            }
            at += if escape_at(&bytes[..span.end], at).is_some() {
                4
            } else {
                1
            };
        }
    }
    if text.ends_with('\r') && fields.len() <= 4 {
        note(
            text.len() - 1,
            "the line ends with a carriage return (a DOS line end), which systemd takes for part of the last field".to_owned(),
        );
    }
    if text.len() > GLIBC_LINE {
        note(
            GLIBC_LINE,
            format!(
                "the line has {} bytes; systemd reads only the first {GLIBC_LINE}",
                text.len()
            ),
        );
    }
    if let Some(seventh) = fields.get(6)
        && !text[seventh.clone()].starts_with('#')
    {
        note(
            seventh.start,
            "a seventh field: fstab has six, the rest is ignored (is a blank in an earlier field not written as \\040?)".to_owned(),
        );
    }
    if !entry.is_swap() && !entry.target.starts_with('/') && entry.target != "none" {
        note(
            fields[1].start,
            format!(
                "the mount point {:?} is no absolute path: systemd ignores this line",
                entry.target
            ),
        );
    }
    if entry
        .options
        .iter()
        .filter(|o| o.matches('"').count() % 2 == 1)
        .count()
        > 0
    {
        note(
            fields.get(3).map_or(0, |f| f.start),
            "a double quote is not closed: mount(8) loses the options from there on".to_owned(),
        );
    }
    found
}
