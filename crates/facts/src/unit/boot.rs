//! Earlier boots: `journalctl --list-boots -o json`, and whether one entered emergency mode.

use super::{Boot, journal::Record};
use crate::SyntaxError;
use serde::Deserialize;

/// Catalogue identifier of the message "unit started" (systemd's `SD_MESSAGE_UNIT_STARTED`).
pub const UNIT_STARTED: &str = "39f53479d3a045ac8e11786248231fbf";

/// Catalogue identifier of the message "unit is being started" (`SD_MESSAGE_UNIT_STARTING`).
pub const UNIT_STARTING: &str = "7d4958e842da4a758f6c1cdc7b36dcc5";

/// One boot as journalctl lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// 0 for the newest in the journal, -1 for the one before.
    pub index: i32,
    /// Boot identifier, 32 hexadecimal digits.
    pub boot_id: String,
    /// First entry, microseconds since 1970.
    #[serde(default)]
    pub first_entry: Option<i64>,
    /// Last entry, microseconds since 1970.
    #[serde(default)]
    pub last_entry: Option<i64>,
}

/// The list of boots as JSON (systemd 252 and later), oldest first as printed.
///
/// # Errors
/// Not a JSON array of boots.
pub fn parse_list(text: &str) -> Result<Vec<Listed>, SyntaxError> {
    serde_json::from_str(text).map_err(|error| {
        SyntaxError::new(
            u32::try_from(error.line()).unwrap_or(u32::MAX),
            u32::try_from(error.column()).unwrap_or(u32::MAX),
            format!("not a list of boots: {error}"),
        )
    })
}

/// The same list as plain text, which older systemd prints: offset, identifier, then times that
/// depend on the locale and are passed over. Oldest first.
///
/// # Errors
/// A line that does not begin with an offset and an identifier.
pub fn parse_plain_list(text: &str) -> Result<Vec<Listed>, SyntaxError> {
    let mut boots = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut fields = line.split_whitespace();
        let (Some(offset), Some(id)) = (fields.next(), fields.next()) else {
            continue;
        };
        if offset == "IDX" {
            continue;
        }
        let hexadecimal = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        match offset.parse() {
            Ok(offset) if hexadecimal => boots.push(Listed {
                index: offset,
                boot_id: id.to_owned(),
                first_entry: None,
                last_entry: None,
            }),
            _ => {
                return Err(SyntaxError::new(
                    u32::try_from(index + 1).unwrap_or(u32::MAX),
                    1,
                    "not a boot: expected an offset and an identifier of 32 digits",
                ));
            }
        }
    }
    Ok(boots)
}

/// Whether a boot entered emergency or rescue mode, from its journal entries that concern the
/// units `emergency.*` and `rescue.*`: the first that says so, as (mode, message).
///
/// A stop of these units, or their shell's output, is no proof; the start of one is.
pub fn mode_of(records: &[Record]) -> Option<(&'static str, String)> {
    records.iter().find_map(|record| {
        let unit = record.field("UNIT")?;
        let mode = match unit {
            "emergency.service" | "emergency.target" => "emergency",
            "rescue.service" | "rescue.target" => "rescue",
            _ => return None,
        };
        let id = record.field("MESSAGE_ID").unwrap_or("");
        let done = record.field("JOB_RESULT").is_none_or(|r| r == "done");
        if !matches!(id, UNIT_STARTED | UNIT_STARTING) || !done {
            return None;
        }
        let message = record.field("MESSAGE").unwrap_or(unit).to_owned();
        Some((mode, message))
    })
}

/// A boot for the snapshot. `began` is RFC 3339.
pub fn boot(listed: &Listed, began: Option<String>, mode: Option<(&str, String)>) -> Boot {
    Boot {
        offset: listed.index,
        id: listed.boot_id.clone(),
        began,
        mode: mode.as_ref().map(|(mode, _)| (*mode).to_owned()),
        text: mode.map(|(_, text)| text),
    }
}
