//! fstab's fourth field as systemd searches it, see systemd.mount(5) "fstab".
//!
//! Options are separated by commas; `\,` and `\\` stand for a comma and a backslash inside one.

/// The options, with `\,` and `\\` decoded and every other backslash kept.
pub fn split(options: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    let mut characters = options.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ',' => {
                all.push(std::mem::take(&mut current));
            }
            '\\' => match characters.peek() {
                Some(&next @ (',' | '\\')) => {
                    characters.next();
                    current.push(next);
                }
                _ => current.push('\\'),
            },
            other => current.push(other),
        }
    }
    all.push(current);
    // A field cannot hold two separators' worth of nothing: empty options are dropped.
    all.retain(|option| !option.is_empty());
    all
}

/// The last of `names` that stands among the options, with or without a value.
pub fn last<'n>(options: &str, names: &[&'n str]) -> Option<&'n str> {
    split(options).iter().rev().find_map(|option| {
        names
            .iter()
            .copied()
            .find(|name| rest(option, name).is_some())
    })
}

/// Whether any of `names` stands among the options.
pub fn has(options: &str, names: &[&str]) -> bool {
    last(options, names).is_some()
}

/// Of a pair of opposites, whether the first is the one that comes last.
pub fn yes(options: &str, yes: &str, no: &str) -> bool {
    last(options, &[yes, no]) == Some(yes)
}

/// The value of the last occurrence: `Some(None)` where it stands without `=`.
pub fn value(options: &str, names: &[&str]) -> Option<Option<String>> {
    split(options)
        .iter()
        .rev()
        .find_map(|option| names.iter().find_map(|name| rest(option, name)))
        .map(|rest| rest.strip_prefix('=').map(str::to_owned))
}

/// The values of every occurrence that has one, in order.
pub fn values(options: &str, name: &str) -> Vec<String> {
    split(options)
        .iter()
        .filter_map(|option| option.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// What follows a name in an option: nothing, or `=` and a value. The name may hold a `=` itself
/// (`comment=systemd.automount`).
fn rest<'o>(option: &'o str, name: &str) -> Option<&'o str> {
    option
        .strip_prefix(name)
        .filter(|rest| rest.is_empty() || rest.starts_with('='))
}

/// Whether the line is a bind mount.
pub fn is_bind(options: &str, fstype: &str) -> bool {
    has(options, &["bind", "rbind"]) || matches!(fstype, "bind" | "rbind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts() {
        assert!(yes("defaults,nofail", "nofail", "fail"));
        assert!(!yes("nofail,fail", "nofail", "fail"));
        assert!(has("rw,_netdev", &["_netdev"]));
        assert!(!has("rw,_netdevice", &["_netdev"]));
        assert_eq!(value("x=1,y,x=2", &["x"]), Some(Some("2".to_owned())));
        assert_eq!(
            value("x-systemd.device-timeout", &["x-systemd.device-timeout"]),
            Some(None)
        );
        assert_eq!(values("a=1,b=2,a=3", "a"), ["1", "3"]);
        assert_eq!(split("a\\,b,c\\\\d,e\\040"), ["a,b", "c\\d", "e\\040"]);
    }
}
