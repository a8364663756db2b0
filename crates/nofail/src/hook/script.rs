//! The text that libvirt runs: a few lines of shell, so that a host without nofail starts its guests
//! all the same. Pure.

use crate::cli::hook::Policy;
use std::path::Path;
use std::time::Duration;

/// Name of the file below `qemu.d` and `network.d`.
pub const NAME: &str = "50-nofail";

/// By this line a file is known to be written by `nofail hook install`.
pub const MARK: &str = "# Written by `nofail hook install`; `nofail hook uninstall` removes it.";

/// Where the former `qemu` script goes where libvirt reads no `qemu.d` (before 6.5).
pub const FORMER: &str = "/etc/libvirt/hooks/qemu.local";

/// What the script is told.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The nofail to run.
    pub program: &'a Path,
    /// The VLAN map.
    pub site: &'a Path,
    /// Allow or block.
    pub policy: Policy,
    /// Seconds after which it ends.
    pub deadline: Duration,
}

impl Settings<'_> {
    fn command(&self) -> String {
        let policy = match self.policy {
            Policy::Allow => "allow",
            Policy::Block => "block",
        };
        format!(
            "{} hook run --site {} --policy {policy} --deadline {} -- \"$@\"",
            quoted(self.program),
            quoted(self.site),
            self.deadline.as_secs_f32()
        )
    }

    /// What to do where nofail itself is gone: say so, and go by the policy.
    fn missing(&self) -> String {
        let program = quoted(self.program);
        let end = match self.policy {
            Policy::Allow => "exit 0",
            // Only at `start`: libvirt kills a running guest whose hook fails.
            Policy::Block => "[ \"$2\" != start ]; exit",
        };
        format!(
            "if [ ! -x {program} ]; then\n    \
             logger -t {} -p daemon.err -- \"$1: \"{program}\" is missing: no VLANs were set\"\n    \
             {end}\nfi\n",
            super::IDENTIFIER
        )
    }

    fn head() -> String {
        format!(
            "#!/bin/sh\n# Gives guests' ports their VLANs. What it did: journalctl -t {}\n{MARK}\n",
            super::IDENTIFIER
        )
    }

    /// The script for `qemu.d`, or for `qemu` where there is none yet.
    pub fn script(&self) -> String {
        format!(
            "{}{}exec {}\n",
            Self::head(),
            self.missing(),
            self.command()
        )
    }

    /// The script for `qemu` where that exists and libvirt reads no `qemu.d`: both are run with the
    /// same input; what the former one prints is passed on.
    pub fn beside(&self) -> String {
        format!(
            "{}xml=$(cat)\nif [ -x {program} ]; then\n    \
             printf '%s\\n' \"$xml\" | {} || exit\nelse\n    \
             logger -t {} -p daemon.err -- \"$1: \"{program}\" is missing: no VLANs were set\"\nfi\n\
             printf '%s\\n' \"$xml\" | exec {FORMER} \"$@\"\n",
            Self::head(),
            self.command(),
            super::IDENTIFIER,
            program = quoted(self.program),
        )
    }
}

/// Whether a text is one of ours.
pub fn is_ours(text: &str) -> bool {
    text.lines().any(|line| line == MARK)
}

/// A word for the shell.
fn quoted(path: &Path) -> String {
    let word = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use facts::hook::script::analyse;

    fn settings(program: &str, policy: Policy) -> Settings<'_> {
        Settings {
            program: Path::new(program),
            site: Path::new("/etc/nofail/site.toml"),
            policy,
            deadline: Duration::from_secs(2),
        }
    }

    #[test]
    fn our_own_eye_knows_our_own_scripts() {
        for policy in [Policy::Allow, Policy::Block] {
            let settings = settings("/usr/local/bin/nofail", policy);
            for text in [settings.script(), settings.beside()] {
                let deeds = analyse("qemu", &text);
                assert!(deeds.is_nofail && deeds.sets_vlans, "{text}");
                assert!(deeds.calls_libvirt.is_empty(), "{text}");
                assert!(is_ours(&text));
                assert_eq!(
                    deeds.log_tags.first().map(String::as_str),
                    Some("nofail-hook")
                );
            }
            assert!(!analyse("qemu", &settings.script()).runs_others);
        }
        assert!(!is_ours("#!/bin/sh\nnofail hook run -- \"$@\"\n"));
    }

    #[test]
    fn odd_places_are_quoted() {
        let text = settings("/opt/it's here/nofail", Policy::Allow).script();
        assert!(
            text.contains(r"exec '/opt/it'\''s here/nofail' hook run"),
            "{text}"
        );
    }
}
