//! From text to an [`Incident`], with a position for whatever is wrong.

use super::Incident;
use crate::registry;
use facts::SyntaxError;

pub(super) fn parse(text: &str) -> Result<Incident, SyntaxError> {
    let incident: Incident = toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        SyntaxError::at_offset(text, offset, error.message())
    })?;
    for (index, item) in incident.items.iter().enumerate() {
        let at = |needle: &str, message: String| {
            let line = place(text, index, needle);
            Err(SyntaxError::new(line, 1, message))
        };
        if incident.items[..index].iter().any(|i| i.id == item.id) {
            return at("id", format!("the item {} stands here twice", item.id));
        }
        for rule in item.checks.iter().flat_map(|c| &c.rules) {
            if registry::find(rule).is_none() {
                let near = registry::ALL
                    .iter()
                    .min_by_key(|r| strsim::damerau_levenshtein(r.id, rule))
                    .map_or("", |r| r.id);
                return at(rule, format!("no rule `{rule}`: did you mean `{near}`?"));
            }
        }
        if let Some(word) = &item.confirmed
            && word.until < word.on
        {
            let message = format!("confirmed on {} until {}: ends before", word.on, word.until);
            return at("until", message);
        }
    }
    Ok(incident)
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Line of the first `needle` in the item of that index.
fn place(text: &str, index: usize, needle: &str) -> u32 {
    let mut seen = 0;
    for (at, line) in text.lines().enumerate() {
        if line.trim() == "[[items]]" {
            seen += 1;
        }
        if seen == index + 1 && line.contains(needle) {
            return number(at + 1);
        }
    }
    1
}
