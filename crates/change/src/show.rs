//! Steps as a person reads them: a diff, or a command line that could be typed.

use crate::state::{Meta, State};
use similar::TextDiff;

/// A command line for a POSIX shell.
pub fn command(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// A word for the shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A change of what a path holds.
pub fn change(path: &str, before: &State, after: &State) -> String {
    let name = quoted(path);
    match (before, after) {
        (State::Directory { .. }, State::Absent) => format!("rmdir {name}"),
        (_, State::Absent) => format!("rm {name}"),
        (State::Absent, State::Directory { meta }) => format!("mkdir -m {:04o} {name}", meta.mode),
        (_, State::Link { target, .. }) => format!("ln -sfn {} {name}", quoted(target)),
        (
            State::File { content: old, meta },
            State::File {
                content: new,
                meta: new_meta,
            },
        ) if old == new => attributes(&name, meta, new_meta),
        (State::Directory { meta }, State::Directory { meta: new }) => attributes(&name, meta, new),
        (before, State::File { content, meta }) => {
            let mut text = diff(path, before.content(), &content.0);
            match before {
                State::File { meta: old, .. } if old != meta => {
                    text.push_str(&attributes(&name, old, meta));
                }
                State::Absent => text.push_str(&format!("chmod {:04o} {name}", meta.mode)),
                _ => {}
            }
            text.trim_end().to_owned()
        }
        (_, State::Directory { meta }) => format!("mkdir -m {:04o} {name}", meta.mode),
    }
}

/// chmod, chown and chcon, as far as they differ.
fn attributes(name: &str, old: &Meta, new: &Meta) -> String {
    let mut lines = Vec::new();
    if (old.uid, old.gid) != (new.uid, new.gid) {
        lines.push(format!("chown {}:{} {name}", new.uid, new.gid));
    }
    if old.mode != new.mode {
        lines.push(format!("chmod {:04o} {name}", new.mode));
    }
    for (attribute, value) in &new.xattrs {
        if old.xattrs.get(attribute) == Some(value) {
            continue;
        }
        let value = String::from_utf8_lossy(&value.0);
        let value = quoted(value.trim_end_matches('\0'));
        lines.push(if attribute == "security.selinux" {
            format!("chcon {value} {name}")
        } else {
            format!("setfattr -n {attribute} -v {value} {name}")
        });
    }
    lines.join("\n")
}

/// A unified diff that patch(1) reads; of bytes that are no text, only their number.
fn diff(path: &str, old: Option<&[u8]>, new: &[u8]) -> String {
    let from = match old {
        Some(_) => format!("a{path}"),
        None => "/dev/null".to_owned(),
    };
    let old = old.unwrap_or_default();
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return format!("write {} bytes to {}\n", new.len(), quoted(path));
    };
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(1)
        .header(&from, &format!("b{path}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Bytes;

    fn file(text: &str, mode: u32) -> State {
        State::File {
            content: Bytes::from(text),
            meta: Meta {
                mode,
                ..Meta::default()
            },
        }
    }

    #[test]
    fn a_write_is_a_diff_that_patch_reads() {
        let text = change(
            "/etc/fstab",
            &file("a\nb\nc\nd\n", 0o644),
            &file("a\nb\nX\nd\n", 0o644),
        );
        assert_eq!(
            text,
            "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -2,3 +2,3 @@\n b\n-c\n+X\n d"
        );
    }

    #[test]
    fn attributes_are_commands() {
        let mut labelled = file("x", 0o755);
        if let State::File { meta, .. } = &mut labelled {
            let label = Bytes(b"system_u:object_r:virt_etc_t:s0\0".to_vec());
            meta.xattrs.insert("security.selinux".to_owned(), label);
        }
        assert_eq!(
            change("/a b", &file("x", 0o644), &labelled),
            "chmod 0755 '/a b'\nchcon system_u:object_r:virt_etc_t:s0 '/a b'"
        );
    }

    #[test]
    fn commands_are_quoted() {
        let argv = ["virsh", "autostart", "it's"].map(str::to_owned);
        assert_eq!(command(&argv), r"virsh autostart 'it'\''s'");
    }
}
