//! Scripts, cron tables and units that reboot the host by themselves.
//!
//! A reboot command alone is no defect (an update script may reboot at night). What counts is a
//! reboot beside a test of storage or of the network: that turns a dead NAS into a dead host.

use super::Rebooter;
use crate::hook::shell;

/// Text of a script, unit or cron table above this many bytes is not read.
pub const MAX_BYTES: usize = 256 * 1024;

/// Programs that reboot or halt the host when they are run as a command.
const REBOOTS: &[&str] = &["reboot", "poweroff", "halt", "shutdown", "telinit"];

/// Words in a command that test a mount or the network, and what they stand for.
const TESTS: &[(&str, &str)] = &[
    ("mountpoint", "a mount point is tested"),
    ("findmnt", "the mount table is tested"),
    ("/proc/mounts", "the mount table is tested"),
    ("/proc/self/mountinfo", "the mount table is tested"),
    ("nfsstat", "NFS is tested"),
    ("showmount", "the NFS server is tested"),
    ("rpcinfo", "the NFS server is tested"),
    ("nfs", "NFS is tested"),
    ("cifs", "a CIFS mount is tested"),
    ("/mnt/", "a path under /mnt is tested"),
    ("heartbeat", "a heartbeat is tested"),
    ("ping", "a ping is tested"),
    ("fping", "a ping is tested"),
    ("arping", "a ping is tested"),
    ("df", "free space of a mount is tested"),
];

/// The lines of a script (or cron table, or unit) that reboot the host, where the same text also
/// tests a mount or the network; else nothing.
pub fn scan(file: &str, text: &str) -> Vec<Rebooter> {
    let commands = shell::commands(text);
    let Some((_, trigger)) = TESTS.iter().find(|(word, _)| {
        commands
            .iter()
            .any(|command| command.words.iter().any(|w| mentions(w, word)))
    }) else {
        return Vec::new();
    };
    let mut found: Vec<Rebooter> = Vec::new();
    for command in &commands {
        if !reboots(&command.words) || found.iter().any(|f| f.line == command.line) {
            continue;
        }
        let index = usize::try_from(command.line).unwrap_or(1).saturating_sub(1);
        found.push(Rebooter {
            program: "script".into(),
            file: file.to_owned(),
            line: command.line,
            text: text.lines().nth(index).unwrap_or("").to_owned(),
            trigger: (*trigger).to_owned(),
        });
    }
    found
}

/// Whether a word of a command mentions a test: as a whole word, a path's last part, or a part
/// between punctuation. `pinger` is no `ping`.
fn mentions(word: &str, test: &str) -> bool {
    if test.contains('/') {
        return word.contains(test);
    }
    word.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| part.eq_ignore_ascii_case(test))
}

/// Whether a command reboots the host: `reboot`, `systemctl reboot`, `shutdown -r now`,
/// `init 6`, `echo b > /proc/sysrq-trigger`; also behind `sudo`, `exec`, `timeout 5` and in a
/// cron line after its time fields, or after `ExecStart=`.
pub fn reboots(words: &[String]) -> bool {
    if words.iter().any(|w| w == "/proc/sysrq-trigger") {
        return words
            .iter()
            .any(|w| matches!(w.as_str(), "b" | "c" | "o" | "tee"));
    }
    let base = |w: &str| -> String {
        let w = w.rsplit_once('=').map_or(w, |(_, value)| value);
        let w = w.trim_start_matches(['-', '@', '+', '!', ':']);
        w.rsplit('/').next().unwrap_or(w).to_owned()
    };
    for (index, word) in words.iter().enumerate() {
        let name = base(word);
        let rest = &words[index + 1..];
        let has = |options: &[&str]| rest.iter().any(|w| options.contains(&w.as_str()));
        let hit = match name.as_str() {
            // `shutdown -c` cancels, `-k` only warns.
            "shutdown" => !has(&["-c", "-k"]),
            "systemctl" => has(&["reboot", "poweroff", "halt", "kexec"]),
            "init" | "telinit" => has(&["0", "6"]),
            name if REBOOTS.contains(&name) => !has(&["-w", "--wtmp-only"]),
            name if is_prefix(name) || is_time_field(word) || word.starts_with('-') => continue,
            _ => false,
        };
        // Only the command position counts: `grep reboot log` reboots nothing.
        return hit;
    }
    false
}

fn is_prefix(name: &str) -> bool {
    matches!(
        name,
        "sudo"
            | "exec"
            | "nohup"
            | "command"
            | "nice"
            | "ionice"
            | "timeout"
            | "setsid"
            | "env"
            | "root"
            | "then"
            | "do"
            | "else"
            | "if"
            | "while"
            | "until"
            | "time"
            | "{"
            | "!"
    )
}

/// A time field of a cron line (crontab(5)), or the duration of `timeout 5`.
fn is_time_field(word: &str) -> bool {
    !word.is_empty()
        && (word.starts_with('@')
            || word
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '*' | '/' | ',' | '-' | '.' | 's')))
}
