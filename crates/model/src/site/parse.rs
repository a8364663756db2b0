//! From text to a [`Site`]: positions and did-you-mean for whatever is wrong.

use super::{Site, check};
use facts::SyntaxError;
use std::collections::HashMap;
use thiserror::Error;

/// What is wrong with a site.toml; at least one error.
#[derive(Debug, Error)]
#[error("{}", .errors.iter().map(|e| format!("{file}:{e}")).collect::<Vec<_>>().join("\n"))]
pub struct SiteError {
    /// The file.
    pub file: String,
    /// Every error that was found, in order of position.
    pub errors: Vec<SyntaxError>,
}

impl Site {
    /// Reads a site.toml.
    ///
    /// # Errors
    /// [`SiteError`] with a position for each thing that is wrong: TOML's grammar, unknown keys
    /// (with the nearest known one), references to what is not there, addresses that are none.
    pub fn parse(file: &str, text: &str) -> Result<Self, SiteError> {
        let mut site: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            SiteError {
                file: file.to_owned(),
                errors: vec![SyntaxError::at_offset(
                    text,
                    offset,
                    explain(error.message()),
                )],
            }
        })?;
        file.clone_into(&mut site.file);
        text.clone_into(&mut site.text);
        site.places = places(text);
        let mut errors = check::check(&site);
        if errors.is_empty() {
            return Ok(site);
        }
        errors.sort();
        Err(SiteError {
            file: file.to_owned(),
            errors,
        })
    }
}

/// Where each table and each key of it stands; the first one counts. A key of a table below
/// (`[hosts.a.bmc]`) counts for the one above as well.
fn places(text: &str) -> HashMap<String, (u32, usize)> {
    let mut places = HashMap::new();
    let mut tables: Vec<String> = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let place = (u32::try_from(index + 1).unwrap_or(u32::MAX), offset);
        offset += line.len();
        let line = line.trim();
        let header = line.split('#').next().unwrap_or("").trim_end();
        if let Some(table) = header.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            let table = table.trim_matches(['[', ']']).replace(['"', '\''], "");
            tables = vec![table.clone()];
            // `hosts.kvm-01.bmc` lies under `hosts.kvm-01`; a name may itself hold dots.
            let parts: Vec<&str> = table.split('.').collect();
            tables.extend((2..parts.len()).map(|n| parts[..n].join(".")));
            for table in &tables {
                places.entry(table.clone()).or_insert(place);
            }
        } else if let Some((key, _)) = line.split_once('=') {
            for table in &tables {
                places
                    .entry(format!("{table}#{}", key.trim()))
                    .or_insert(place);
            }
        }
    }
    places
}

/// serde's "unknown field `x`, expected one of `a`, `b`" with the nearest name put first.
fn explain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let ([wrong, known @ ..], true) = (quoted.as_slice(), message.starts_with("unknown field"))
        && let Some(near) = nearest(wrong, known.iter().copied())
    {
        return format!("unknown key `{wrong}`: did you mean `{near}`?");
    }
    message.replacen("unknown field", "unknown key", 1)
}

/// The name most like `wrong`, where one is like it at all.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(3)) / 3)
        .min()
        .map(|(_, name)| name)
}
