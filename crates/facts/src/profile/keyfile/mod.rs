//! NetworkManager's keyfiles (nm-settings-keyfile(5)): GLib's key file format, kept losslessly.
//!
//! [`Keyfile`] writes back byte for byte what it has read, and changes only the lines that it is
//! told to change. [`parse`] makes a [`Profile`](super::Profile) of one.

mod connection;
mod value;

pub use connection::parse;
pub use value::{escape, list, unescape};

use crate::SyntaxError;
use std::fmt;

/// One line, as it stands, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// The text with its line ending.
    raw: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Blank, or a comment.
    Other,
    /// `[section]`.
    Section(String),
    /// `key=value`; where the value begins and ends in `raw`.
    Entry { key: String, from: usize, to: usize },
}

/// A key file as text that can be asked and edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyfile {
    lines: Vec<Line>,
}

impl Keyfile {
    /// Reads a key file.
    ///
    /// As GLib does: sections of one name are one section, of several equal keys the last one
    /// counts, only `#` begins a comment, space around `=` and before a line is not meant.
    ///
    /// # Errors
    /// A line that is no section, entry or comment, or an entry before the first section.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut lines = Vec::new();
        let mut in_section = false;
        for (index, raw) in text.split_inclusive('\n').enumerate() {
            let kind = classify(raw).map_err(|(column, message)| {
                SyntaxError::new(super::text::number(index), column, message)
            })?;
            match kind {
                Kind::Section(_) => in_section = true,
                Kind::Entry { .. } if !in_section => {
                    return Err(SyntaxError::new(
                        super::text::number(index),
                        1,
                        "an entry before the first `[section]`",
                    ));
                }
                _ => {}
            }
            lines.push(Line {
                raw: raw.to_owned(),
                kind,
            });
        }
        Ok(Self { lines })
    }

    /// The raw value of a key (still escaped); of several the last.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.find(section, key).and_then(|at| self.value_at(at))
    }

    /// The line (from 1) at which the value of a key stands.
    pub fn line_of(&self, section: &str, key: &str) -> Option<u32> {
        self.find(section, key).map(super::text::number)
    }

    /// The column (from 1) at which the value of a key begins.
    pub fn column_of(&self, section: &str, key: &str) -> Option<u32> {
        let line = self.lines.get(self.find(section, key)?)?;
        match line.kind {
            Kind::Entry { from, .. } => {
                Some(super::text::number(line.raw.get(..from)?.chars().count()))
            }
            _ => None,
        }
    }

    /// The line (from 1) of a section's first header.
    pub fn line_of_section(&self, section: &str) -> Option<u32> {
        self.lines
            .iter()
            .position(|l| matches!(&l.kind, Kind::Section(name) if name == section))
            .map(super::text::number)
    }

    /// Names of the sections, each once, in order.
    pub fn sections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for line in &self.lines {
            if let Kind::Section(name) = &line.kind
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// Keys of a section with their raw values, in order; of equal keys each.
    pub fn entries<'a>(&'a self, section: &str) -> Vec<(&'a str, &'a str)> {
        let mut entries = Vec::new();
        for (at, line) in self.in_section(section) {
            if let (Kind::Entry { key, .. }, Some(value)) = (&line.kind, self.value_at(at)) {
                entries.push((key.as_str(), value));
            }
        }
        entries
    }

    /// Sets a key to a raw value (escape it first, see [`escape`]). Comments, order, spacing and
    /// line endings stay; a new key goes to the end of its section, a new section to the end.
    ///
    /// # Errors
    /// When section, key or value could not be read back: a line break in any of them, a value
    /// with leading space, a key with `=`, brackets in the section's name.
    pub fn set(&mut self, section: &str, key: &str, value: &str) -> Result<(), SyntaxError> {
        let fault = |what: &str| Err(SyntaxError::new(1, 1, format!("cannot be written: {what}")));
        if section.is_empty() || section.contains(['[', ']', '\n', '\r']) {
            return fault("the section's name");
        }
        if key.is_empty()
            || key.trim() != key
            || key.contains(['=', '\n', '\r'])
            || key.starts_with(['#', '['])
        {
            return fault("the key");
        }
        if value.contains(['\n', '\r']) || value.trim_start() != value {
            return fault("the value; escape it");
        }
        if let Some(at) = self.find(section, key) {
            if let Some(line) = self.lines.get_mut(at)
                && let Kind::Entry { from, to, .. } = &mut line.kind
            {
                line.raw.replace_range(*from..*to, value);
                *to = *from + value.len();
            }
            return Ok(());
        }
        let ending = self.ending();
        let spacing = self.spacing(section);
        let after = match self.last_of(section) {
            Some(at) => at,
            None => {
                self.close_last_line(ending);
                if self.lines.last().is_some_and(|l| !l.raw.trim().is_empty()) {
                    self.push(self.lines.len(), ending.to_owned(), Kind::Other);
                }
                let header = format!("[{section}]{ending}");
                self.push(self.lines.len(), header, Kind::Section(section.to_owned()));
                self.lines.len() - 1
            }
        };
        if after + 1 == self.lines.len() {
            self.close_last_line(ending);
        }
        let start = format!("{key}{spacing}");
        let kind = Kind::Entry {
            key: key.to_owned(),
            from: start.len(),
            to: start.len() + value.len(),
        };
        self.push(after + 1, format!("{start}{value}{ending}"), kind);
        Ok(())
    }

    /// Takes every occurrence of a key away; whether there was one.
    pub fn unset(&mut self, section: &str, key: &str) -> bool {
        let hits: Vec<usize> = self
            .in_section(section)
            .filter(|(_, l)| matches!(&l.kind, Kind::Entry { key: k, .. } if k == key))
            .map(|(at, _)| at)
            .collect();
        for at in hits.iter().rev() {
            self.lines.remove(*at);
        }
        !hits.is_empty()
    }

    fn push(&mut self, at: usize, raw: String, kind: Kind) {
        self.lines.insert(at, Line { raw, kind });
    }

    fn in_section<'a, 's>(
        &'a self,
        section: &'s str,
    ) -> impl Iterator<Item = (usize, &'a Line)> + use<'a, 's> {
        let mut inside = false;
        self.lines.iter().enumerate().filter(move |(_, line)| {
            if let Kind::Section(name) = &line.kind {
                inside = name == section;
            }
            inside
        })
    }

    fn find(&self, section: &str, key: &str) -> Option<usize> {
        self.in_section(section)
            .filter(|(_, l)| matches!(&l.kind, Kind::Entry { key: k, .. } if k == key))
            .last()
            .map(|(at, _)| at)
    }

    fn value_at(&self, at: usize) -> Option<&str> {
        let line = self.lines.get(at)?;
        match line.kind {
            Kind::Entry { from, to, .. } => line.raw.get(from..to),
            _ => None,
        }
    }

    /// The last line of a section that is not blank or a comment.
    fn last_of(&self, section: &str) -> Option<usize> {
        self.in_section(section)
            .filter(|(_, l)| l.kind != Kind::Other)
            .last()
            .map(|(at, _)| at)
    }

    /// The line ending in use.
    fn ending(&self) -> &'static str {
        if self.lines.first().is_some_and(|l| l.raw.ends_with("\r\n")) {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// How the section (or else the file) writes `=`.
    fn spacing(&self, section: &str) -> String {
        self.in_section(section)
            .map(|(_, l)| l)
            .chain(self.lines.iter())
            .find_map(|line| match &line.kind {
                Kind::Entry { from, .. } => {
                    let before = line.raw.get(..*from)?;
                    let equals = before.find('=')?;
                    let space = |text: &str| if text.is_empty() { "" } else { " " };
                    let left = before.get(..equals)?;
                    let right = before.get(equals + 1..)?;
                    Some(format!(
                        "{}={}",
                        space(left.get(left.trim_end().len()..)?),
                        space(right)
                    ))
                }
                _ => None,
            })
            .unwrap_or_else(|| "=".to_owned())
    }

    fn close_last_line(&mut self, ending: &str) {
        if let Some(last) = self.lines.last_mut()
            && !last.raw.ends_with('\n')
        {
            last.raw.push_str(ending);
        }
    }
}

impl fmt::Display for Keyfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines
            .iter()
            .try_for_each(|line| f.write_str(&line.raw))
    }
}

/// What a line is; else the column and the reason.
fn classify(raw: &str) -> Result<Kind, (u32, String)> {
    let line = raw.strip_suffix('\n').unwrap_or(raw);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let start = line.len() - line.trim_start().len();
    let body = line.get(start..).unwrap_or("");
    let column = super::text::column(line, body);
    if body.is_empty() || body.starts_with('#') {
        return Ok(Kind::Other);
    }
    if let Some(inside) = body.strip_prefix('[') {
        let Some((name, rest)) = inside.split_once(']') else {
            return Err((column, "a section without its closing `]`".to_owned()));
        };
        if name.is_empty() || name.contains('[') {
            return Err((column, "a section without a name".to_owned()));
        }
        if !rest.trim().is_empty() {
            return Err((column, "text after a section's `]`".to_owned()));
        }
        return Ok(Kind::Section(name.to_owned()));
    }
    let Some(equals) = body.find('=') else {
        return Err((
            column,
            "neither `[section]`, `key=value`, nor a comment (`#`)".to_owned(),
        ));
    };
    let key = body.get(..equals).unwrap_or("").trim_end();
    if key.is_empty() {
        return Err((column, "an entry without a key before `=`".to_owned()));
    }
    let value = body.get(equals + 1..).unwrap_or("").trim_start();
    Ok(Kind::Entry {
        key: key.to_owned(),
        from: line.len() - value.len(),
        to: line.len(),
    })
}

#[cfg(test)]
mod tests;
