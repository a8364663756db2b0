//! SELinux as far as hooks are concerned: see selinux(8), file_contexts(5), booleans(5).
//!
//! What the policies say (Fedora's selinux-policy, `virt.fc` and `virt.te`): since the middle of
//! 2024 (Fedora 40, RHEL 9.5 and 10) everything below `/etc/libvirt/hooks` is labelled
//! `virt_hook_t`, and the confined modular daemons may run it only while the boolean
//! `virt_hooks_unconfined` is on (it is off by default), then in the unconfined domain
//! `virt_hook_unconfined_t`. Older policies, and Debian's, label these files `virt_etc_rw_t`
//! and know no such boolean. The monolithic libvirtd runs as `virtd_t`, which the targeted
//! policy leaves unconfined: it runs a hook whatever its label.

use regex_lite::Regex;

/// The mode in `/sys/fs/selinux/enforce`.
pub fn mode_of_enforce(text: &str) -> Option<&'static str> {
    match text.trim() {
        "1" => Some("enforcing"),
        "0" => Some("permissive"),
        _ => None,
    }
}

/// `SELINUX=` and `SELINUXTYPE=` of `/etc/selinux/config` (selinux_config(5)).
pub fn config(text: &str) -> (Option<String>, Option<String>) {
    let mut found = (None, None);
    for line in text.lines().map(str::trim) {
        if let Some(value) = line.strip_prefix("SELINUX=") {
            found.0 = Some(value.trim().to_ascii_lowercase());
        } else if let Some(value) = line.strip_prefix("SELINUXTYPE=") {
            found.1 = Some(value.trim().to_owned());
        }
    }
    found
}

/// The current value in `/sys/fs/selinux/booleans/NAME`, which holds the current and the pending
/// value.
pub fn boolean_of_kernel(text: &str) -> Option<bool> {
    match text.split_whitespace().next()? {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// A boolean in `booleans.local` (booleans(5)): `name=1`; the last line counts.
pub fn boolean_of_file(text: &str, name: &str) -> Option<bool> {
    text.lines()
        .filter_map(|line| line.split('#').next()?.split_once('='))
        .rfind(|(key, _)| key.trim() == name)
        .and_then(|(_, value)| crate::unit::ini::boolean(value.trim()))
}

/// The type in a context `user:role:type:level`.
pub fn type_of(context: &str) -> Option<&str> {
    context.split(':').nth(2).filter(|t| !t.is_empty())
}

/// The context that a `file_contexts` gives to a regular file: the last line that matches, as
/// libselinux keeps them from the least to the most specific. `None` where no line does, or the
/// one that does says `<<none>>`. Lines whose expression cannot be read are passed over.
pub fn expected(file_contexts: &str, path: &str) -> Option<String> {
    // Only the lines that can match: the fixed part of a path before its first special character
    // must begin alike. A policy has some 6,000 lines.
    let mut found = None;
    for line in file_contexts.lines() {
        let mut fields = line.split_whitespace();
        let (Some(pattern), Some(second)) = (fields.next(), fields.next()) else {
            continue;
        };
        if pattern.starts_with('#') {
            continue;
        }
        let (kind, context) = match fields.next() {
            Some(context) => (second, context),
            None => ("", second),
        };
        if !matches!(kind, "" | "--") {
            continue;
        }
        let fixed = pattern
            .find(['.', '*', '?', '+', '(', '[', '\\', '|', '{', '^', '$'])
            .unwrap_or(pattern.len());
        // A `?` or `*` also takes back the character before it.
        let fixed = fixed.saturating_sub(1);
        if !pattern.is_char_boundary(fixed) || !path.starts_with(&pattern[..fixed]) {
            continue;
        }
        if Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|r| r.is_match(path)) {
            found = Some(context);
        }
    }
    found.filter(|c| *c != "<<none>>").map(str::to_owned)
}
