//! Files of shell assignments that a script sources: `/etc/sysconfig/libvirt-guests` (Fedora,
//! RHEL, SUSE), `/etc/default/libvirt-guests` (Debian, Ubuntu).
//!
//! What libvirt-guests does where a setting is not made stands in [`GUESTS_DEFAULTS`].

use super::Setting;

/// Defaults of libvirt's `libvirt-guests.sh` (libvirt-guests(8)).
///
/// `ON_SHUTDOWN` is `suspend` as libvirt ships it; Debian's and Ubuntu's build of the script
/// says `shutdown`. See [`guests_default`].
pub const GUESTS_DEFAULTS: &[(&str, &str)] = &[
    ("URIS", "default"),
    ("ON_BOOT", "start"),
    ("START_DELAY", "0"),
    ("ON_SHUTDOWN", "suspend"),
    ("PARALLEL_SHUTDOWN", "0"),
    ("SHUTDOWN_TIMEOUT", "300"),
    ("BYPASS_CACHE", "0"),
    ("SYNC_TIME", "0"),
];

/// The default of a setting of libvirt-guests. `debian`: whether the script is Debian's or
/// Ubuntu's, where `ON_BOOT` is `ignore` and `ON_SHUTDOWN` is `shutdown`.
pub fn guests_default(name: &str, debian: bool) -> Option<&'static str> {
    match (debian, name) {
        (true, "ON_BOOT") => Some("ignore"),
        (true, "ON_SHUTDOWN") => Some("shutdown"),
        _ => GUESTS_DEFAULTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value),
    }
}

/// The value that counts: the last assignment (a shell script that is sourced), else the default
/// of the script that `file` belongs to. `None` for a name that libvirt-guests does not know.
pub fn guests_setting<'a>(
    settings: &'a [Setting],
    file: Option<&str>,
    name: &str,
) -> Option<&'a str> {
    let debian = file.is_some_and(|f| f.starts_with("/etc/default/"));
    settings
        .iter()
        .rfind(|s| s.name == name)
        .map(|s| s.value.as_str())
        .or_else(|| guests_default(name, debian))
}

/// The assignments of such a file, in order; the last of a name counts. Handles `export`,
/// comments, single and double quotes; passes over lines that are no plain assignment.
pub fn parse(file: &str, text: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, rest)) = line.split_once('=') else {
            continue;
        };
        let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty();
        if valid {
            settings.push(Setting {
                name: name.to_owned(),
                value: unquote(rest),
                line: u32::try_from(index + 1).unwrap_or(u32::MAX),
                file: file.to_owned(),
            });
        }
    }
    settings
}

/// The first word of a shell text without its quotes.
fn unquote(text: &str) -> String {
    let mut value = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('\\', None | Some('"')) => value.extend(characters.next()),
            (c, None) if c.is_whitespace() || c == ';' => break,
            (c, _) => value.push(c),
        }
    }
    value
}
