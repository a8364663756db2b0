//! What the parsers of profiles have in common: places, booleans, VLAN words.

use super::ProfileVlan;
use crate::SyntaxError;
use crate::bridge::vid;

/// The column (characters, from 1) at which `part` begins in `line`. `part` must be a slice of
/// it; otherwise the column is 1.
pub(super) fn column(line: &str, part: &str) -> u32 {
    let offset = (part.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    let before = line.get(..offset).unwrap_or("");
    u32::try_from(before.chars().count()).unwrap_or(u32::MAX - 1) + 1
}

/// Line numbers as they are counted here.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1) + 1
}

/// `1`, `yes`, `true`, `on` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// NetworkManager's list `100 pvid untagged, 10, 20-30` (nm-settings(5), `bridge.vlans`), also
/// that of ifcfg's `BRIDGE_VLANS`.
pub(super) fn nm_vlans(
    value: &str,
    line: u32,
    column: u32,
) -> Result<Vec<ProfileVlan>, SyntaxError> {
    let mut vlans = Vec::new();
    for part in value.split(',') {
        let mut words = part.split_whitespace();
        let Some(range) = words.next() else {
            // NetworkManager passes over empty members.
            continue;
        };
        let wrong = |message: String| SyntaxError::new(line, column, message);
        let mut vlan = ProfileVlan::tagged(vid::range(range).map_err(wrong)?, line);
        for word in words {
            match word {
                "pvid" => vlan.pvid = true,
                "untagged" => vlan.untagged = true,
                other => {
                    return Err(wrong(format!(
                        "`{other}` after VLAN {range}: only `pvid` and `untagged` may stand here"
                    )));
                }
            }
        }
        if vlan.pvid && vlan.first != vlan.last {
            return Err(wrong(format!("the range {range} cannot be the PVID")));
        }
        vlans.push(vlan);
    }
    Ok(vlans)
}

/// A PVID setting: 0 (none) to 4094.
pub(super) fn pvid(value: &str) -> Result<u16, String> {
    value
        .trim()
        .parse::<u16>()
        .ok()
        .filter(|pvid| *pvid <= vid::LAST)
        .ok_or_else(|| {
            format!(
                "`{}` is no PVID: a number from 0 (none) to 4094",
                value.trim()
            )
        })
}
