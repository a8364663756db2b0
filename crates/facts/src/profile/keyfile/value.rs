//! Values of key files: GLib's escapes and lists.

/// Resolves GLib's escapes: `\s` space, `\t`, `\n`, `\r`, `\\`.
///
/// # Errors
/// Another letter after a backslash, or a backslash at the end.
pub fn unescape(raw: &str) -> Result<String, String> {
    let mut text = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        text.push(match letters.next() {
            Some('s') => ' ',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('\\') => '\\',
            Some(other) => return Err(format!("`\\{other}` is no escape of key files")),
            None => return Err("a backslash ends the value".to_owned()),
        });
    }
    Ok(text)
}

/// The opposite of [`unescape`]; leading space is escaped, since GLib drops it.
pub fn escape(text: &str) -> String {
    let mut raw = String::with_capacity(text.len());
    let mut leading = true;
    for letter in text.chars() {
        match letter {
            ' ' if leading => raw.push_str("\\s"),
            '\t' if leading => raw.push_str("\\t"),
            '\n' => raw.push_str("\\n"),
            '\r' => raw.push_str("\\r"),
            '\\' => raw.push_str("\\\\"),
            other => raw.push(other),
        }
        leading &= matches!(letter, ' ' | '\t');
    }
    raw
}

/// Splits a list at `;` (`\;` is none of them) and resolves the escapes. A separator at the end
/// adds no empty member.
///
/// # Errors
/// As for [`unescape`].
pub fn list(raw: &str) -> Result<Vec<String>, String> {
    let mut members = Vec::new();
    let mut member = String::new();
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ';' => members.push(unescape(&std::mem::take(&mut member))?),
            '\\' => match letters.next() {
                Some(';') => member.push(';'),
                Some(next) => member.extend(['\\', next]),
                None => member.push('\\'),
            },
            other => member.push(other),
        }
    }
    if !member.is_empty() {
        members.push(unescape(&member)?);
    }
    Ok(members)
}
