//! The fourth field: a list of options.

/// Splits at commas as libmount does (ul_optstr in util-linux): a comma inside double quotes
/// (`context="system_u:object_r:nfs_t:s0:c1,c2"`) or after a backslash does not split. Empty
/// parts (`ro,,rw,`) are left out.
pub fn split_options(field: &str) -> Vec<String> {
    let mut options = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut before = '\0';
    for character in field.chars() {
        if character == '"' && before != '\\' {
            quoted = !quoted;
        }
        if character == ',' && !quoted && before != '\\' {
            if !current.is_empty() {
                options.push(std::mem::take(&mut current));
            }
        } else {
            current.push(character);
        }
        before = character;
    }
    if !current.is_empty() {
        options.push(current);
    }
    options
}

/// The field for a list of options; `defaults` for an empty list.
pub fn join_options(options: &[String]) -> String {
    if options.is_empty() {
        "defaults".to_owned()
    } else {
        options.join(",")
    }
}
