//! The `hosts` line of `/etc/nsswitch.conf`, see nsswitch.conf(5).

use super::Action;
use crate::SyntaxError;

/// Sources in order, and the actions that follow them.
pub type Sources = (Vec<String>, Vec<Action>);

/// The sources of the `hosts` database in order, and the actions that follow each of them.
/// `None` where the file has no such line. The last such line counts, as in glibc.
///
/// # Errors
/// An action that is not closed or not of the form `[STATUS=ACTION]`.
pub fn parse(text: &str) -> Result<Option<Sources>, SyntaxError> {
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = line.split('#').next().unwrap_or("");
        let Some((database, sources)) = line.split_once(':') else {
            continue;
        };
        if database.trim() == "hosts" {
            let before = line.len() - sources.len();
            found = Some(sources_of(line, before, line_number)?);
        }
    }
    Ok(found)
}

fn sources_of(line: &str, start: usize, line_number: u32) -> Result<Sources, SyntaxError> {
    let mut sources = Vec::new();
    let mut actions = Vec::new();
    let mut rest = &line[start..];
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((sources, actions));
        }
        let at = line[..line.len() - rest.len()].chars().count() + 1;
        let wrong = |message: &str| {
            SyntaxError::new(line_number, u32::try_from(at).unwrap_or(u32::MAX), message)
        };
        if let Some(inside) = rest.strip_prefix('[') {
            let Some(end) = inside.find(']') else {
                return Err(wrong(
                    "this action is not closed; write `[NOTFOUND=return]`",
                ));
            };
            let Some(after) = sources.len().checked_sub(1) else {
                return Err(wrong("an action must follow a source"));
            };
            for word in inside[..end].split_whitespace() {
                let Some((status, action)) = word.split_once('=') else {
                    return Err(wrong("not of the form `[STATUS=ACTION]`"));
                };
                actions.push(Action {
                    after,
                    negated: status.starts_with('!'),
                    status: status.trim_start_matches('!').to_ascii_lowercase(),
                    action: action.to_ascii_lowercase(),
                });
            }
            rest = &inside[end + 1..];
        } else {
            let end = rest
                .find(|c: char| c.is_whitespace() || c == '[')
                .unwrap_or(rest.len());
            sources.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
}
