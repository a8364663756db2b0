//! Entries of the journal as `journalctl -o json` prints them: one JSON object a line, see
//! journalctl(1) and systemd.journal-fields(7).

use crate::SyntaxError;
use serde_json::Value;
use std::collections::BTreeMap;

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    fields: BTreeMap<String, String>,
}

impl Record {
    /// A field, as text. A field that occurs several times gives its first value, a binary one
    /// its text with U+FFFD for what is none.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// When the entry was written, microseconds since 1970.
    pub fn realtime(&self) -> Option<i64> {
        self.field("__REALTIME_TIMESTAMP")?.parse().ok()
    }
}

/// Reads such output.
///
/// # Errors
/// The line that is no JSON object.
pub fn parse(text: &str) -> Result<Vec<Record>, SyntaxError> {
    let mut records = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let value: Value = serde_json::from_str(line).map_err(|error| {
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
            SyntaxError::new(line_number, column, format!("not a journal entry: {error}"))
        })?;
        let Value::Object(object) = value else {
            return Err(SyntaxError::new(
                line_number,
                1,
                "not a journal entry: expected a JSON object",
            ));
        };
        let fields = object
            .into_iter()
            .filter_map(|(name, value)| Some((name, text_of(value)?)))
            .collect();
        records.push(Record { fields });
    }
    Ok(records)
}

/// journalctl prints a field as a string, as an array of byte values where it is not printable,
/// as an array of these where it occurs several times, and as null where it is too large.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let bytes: Option<Vec<u8>> = items
                .iter()
                .map(|item| item.as_u64().and_then(|n| u8::try_from(n).ok()))
                .collect();
            match bytes {
                Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                None => text_of(items.into_iter().next()?),
            }
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}
