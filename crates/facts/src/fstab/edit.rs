//! Edits of one line that leave the rest of it, and every other line, as it was.

use super::document::{Document, Line, LineKind};
use super::field::{decode, encode, spans};
use super::options::{join_options, split_options};
use thiserror::Error;

/// Tab stops, for keeping columns.
const TAB: usize = 8;

/// The six fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// First.
    Source,
    /// Second.
    Target,
    /// Third.
    Fstype,
    /// Fourth.
    Options,
    /// Fifth.
    Dump,
    /// Sixth.
    Pass,
}

/// Why an edit was not made; the document is as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// No entry stands on that line.
    #[error("line {0} of fstab holds no entry")]
    NoEntry(u32),
    /// The value cannot stand in fstab.
    #[error("{0:?} cannot be written in a field of fstab")]
    Value(String),
    /// The text is not one line.
    #[error("the text holds a line break")]
    LineBreak,
}

impl Document {
    /// Sets one field. The fields behind keep their columns where the padding allows it. A field
    /// that the line lacks is added, with `defaults` and `0` before it where needed. A value that
    /// already stands there changes nothing.
    ///
    /// # Errors
    /// [`EditError`]; nothing was changed then.
    pub fn set_field(&mut self, line: u32, field: Field, value: &str) -> Result<(), EditError> {
        let encoded = encode(value).ok_or_else(|| EditError::Value(value.to_owned()))?;
        let entry = self.entry_line(line)?;
        let index = field as usize;
        let fields = spans(&entry.text);
        if let Some(span) = fields.get(index) {
            if decode(&entry.text[span.clone()]) == value {
                return Ok(());
            }
            let next = fields.get(index + 1).map(|n| n.start);
            entry.text = replace(&entry.text, span.clone(), next, &encoded);
        } else {
            // The grammar demands three fields; an entry has them.
            let end = fields.last().map_or(entry.text.len(), |f| f.end);
            let mut added = String::new();
            for missing in fields.len()..=index {
                added.push(' ');
                added.push_str(match missing {
                    i if i == index => &encoded,
                    3 => "defaults",
                    _ => "0",
                });
            }
            entry.text.insert_str(end, &added);
        }
        self.refresh();
        Ok(())
    }

    /// Sets the options; an empty list becomes `defaults`.
    ///
    /// # Errors
    /// As [`Document::set_field`]; also where the options would not be read back as they are, as
    /// behind one whose quotation mark is never closed: it would swallow what follows.
    pub fn set_options(&mut self, line: u32, options: &[String]) -> Result<(), EditError> {
        let value = join_options(options);
        if !options.is_empty() && split_options(&value) != options {
            return Err(EditError::Value(value));
        }
        self.set_field(line, Field::Options, &value)
    }

    /// Adds a line at the end (a newline is added to a last line that lacks it). A file whose
    /// lines end with CR LF gets such a line.
    ///
    /// # Errors
    /// [`EditError::LineBreak`].
    pub fn append_line(&mut self, text: &str) -> Result<(), EditError> {
        self.insert_line(u32::try_from(self.lines.len()).unwrap_or(u32::MAX), text)
    }

    /// Adds a line after line `after` (0: before the first).
    ///
    /// # Errors
    /// [`EditError::LineBreak`].
    pub fn insert_line(&mut self, after: u32, text: &str) -> Result<(), EditError> {
        if text.contains(['\n', '\r']) {
            return Err(EditError::LineBreak);
        }
        let dos = self.lines.first().is_some_and(|l| l.text.ends_with('\r'));
        let at = usize::try_from(after)
            .unwrap_or(usize::MAX)
            .min(self.lines.len());
        if at == self.lines.len()
            && let Some(last) = self.lines.last_mut()
            && !last.newline
        {
            last.newline = true;
            if dos {
                last.text.push('\r');
            }
        }
        let text = format!("{text}{}", if dos { "\r" } else { "" });
        self.lines.insert(
            at,
            Line {
                text,
                kind: LineKind::Blank,
                newline: true,
            },
        );
        self.refresh();
        Ok(())
    }

    /// Turns an entry into a comment, so that it can be read later what stood there.
    ///
    /// # Errors
    /// [`EditError::NoEntry`].
    pub fn comment_out(&mut self, line: u32) -> Result<(), EditError> {
        let entry = self.entry_line(line)?;
        entry.text.insert_str(0, "# ");
        self.refresh();
        Ok(())
    }

    fn entry_line(&mut self, line: u32) -> Result<&mut Line, EditError> {
        usize::try_from(line)
            .ok()
            .and_then(|l| self.lines.get_mut(l.checked_sub(1)?))
            .filter(|l| l.kind == LineKind::Entry)
            .ok_or(EditError::NoEntry(line))
    }
}

/// Puts `value` in place of `span`, and adapts the blanks up to the next field so that it keeps
/// its column where they suffice.
fn replace(text: &str, span: std::ops::Range<usize>, next: Option<usize>, value: &str) -> String {
    let before = &text[..span.start];
    let Some(next) = next else {
        return format!("{before}{value}{}", &text[span.end..]);
    };
    let gap = &text[span.end..next];
    let old_end = width(&text[..span.end]);
    let new_end = width(before) + value.chars().count();
    let goal = width(&text[..next]);
    let gap = if gap.contains('\t') {
        if !gap.bytes().all(|b| b == b'\t') {
            gap.to_owned()
        } else if new_end < goal {
            "\t".repeat(goal / TAB - new_end / TAB)
        } else {
            "\t".to_owned()
        }
    } else if gap.len() == 1 && goal == old_end + 1 {
        // One blank is no alignment.
        gap.to_owned()
    } else {
        " ".repeat(goal.saturating_sub(new_end).max(1))
    };
    format!("{before}{value}{gap}{}", &text[next..])
}

/// Width on a screen: characters, tabs to the next stop.
fn width(text: &str) -> usize {
    text.chars().fold(0, |width, character| {
        if character == '\t' {
            (width / TAB + 1) * TAB
        } else {
            width + 1
        }
    })
}
