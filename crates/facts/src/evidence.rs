//! Where a fact was read: the file (or device, or guest), the place in it, and the text there.

use serde::{Deserialize, Serialize};

/// One piece of evidence. `file` is a path on the host, or a thing that has no file
/// (`netlink:br-mgmt`, `site.toml`, `switch:sw-01 show running-config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// Path or name of what was read.
    pub file: String,
    /// Line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The offending line as it stands there, or what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many characters from `column` on are meant; for the caret, not part of the JSON contract.
    #[serde(skip)]
    pub width: u32,
}

impl Evidence {
    /// Evidence that is a whole file or thing.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            ..Self::default()
        }
    }

    /// Evidence that is one line of a file.
    pub fn line(file: impl Into<String>, line: u32, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Evidence that was measured, not read from a line: netlink, sysfs, a probe.
    pub fn measured(thing: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: thing.into(),
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Marks `needle` in the line's text (its first occurrence) for the caret.
    /// Without such an occurrence the evidence stays as it is.
    #[must_use]
    pub fn mark(mut self, needle: &str) -> Self {
        if let Some(text) = &self.text
            && !needle.is_empty()
            && let Some(at) = text.find(needle)
        {
            self.column = u32::try_from(text[..at].chars().count() + 1).ok();
            self.width = u32::try_from(needle.chars().count()).unwrap_or(1);
        }
        self
    }

    /// Marks `width` characters from `column` (counted from 1) on.
    #[must_use]
    pub fn at(mut self, column: u32, width: u32) -> Self {
        self.column = Some(column);
        self.width = width;
        self
    }
}
