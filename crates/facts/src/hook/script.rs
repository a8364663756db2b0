//! What a hook script does, told from its text.
//!
//! For a shell script the commands are told apart from comments and from text that is only
//! printed; for other languages the same scan is a good guess, since `#` comments and quotes are
//! alike in Python, Perl and Ruby.

use super::shell::{self, Command};

/// The phases (second argument) that libvirt calls each hook with.
pub fn phases_of(hook: &str) -> &'static [&'static str] {
    match hook {
        "network" => &[
            "start",
            "started",
            "stopped",
            "updated",
            "plugged",
            "unplugged",
            "port-created",
            "port-deleted",
        ],
        "daemon" => &["start", "reload", "shutdown"],
        "lxc" => &[
            "prepare",
            "start",
            "started",
            "stopped",
            "release",
            "reconnect",
        ],
        _ => &[
            "prepare",
            "start",
            "started",
            "stopped",
            "release",
            "migrate",
            "restore",
            "reconnect",
            "attach",
        ],
    }
}

/// What a script does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Phases it mentions outside comments and printed text, in libvirt's order. Empty: it does
    /// not tell phases apart in a way that is recognised (it may act on every one).
    pub phases: Vec<String>,
    /// Lines on which it calls libvirt and waits for it.
    pub calls_libvirt: Vec<u32>,
    /// Whether it sets VLANs of bridge ports.
    pub sets_vlans: bool,
    /// Whether it runs `nofail hook`.
    pub is_nofail: bool,
    /// Whether it runs programs whose names only show when it runs: `"$HOOK" "$@"`, `run-parts`.
    pub runs_others: bool,
    /// Tags of its `logger` calls.
    pub log_tags: Vec<String>,
}

/// Programs that connect to a libvirt daemon and wait for its answer.
const CLIENTS: &[&str] = &[
    "virsh",
    "virt-admin",
    "virt-install",
    "virt-clone",
    "virt-xml",
    "virt-top",
    "virt-manager",
    "virt-viewer",
    "virt-df",
    "virt-pki-query-dn",
    "vmtouch-libvirt",
];

/// Programs whose arguments are text, or verbs of their own, and never a phase of the hook.
const TALKERS: &[&str] = &[
    "echo",
    "printf",
    "logger",
    "systemctl",
    "service",
    "virsh",
    "rc-service",
    "systemd-cat",
    "sv",
    "initctl",
];

/// Reads a script. `hook` is the name of the hook (`qemu`).
pub fn analyse(hook: &str, text: &str) -> Deeds {
    let commands = shell::commands(text);
    let mut deeds = Deeds::default();
    let known = phases_of(hook);
    let mut mentioned = vec![false; known.len()];
    for command in &commands {
        let program = command.program().map(bare).unwrap_or_default();
        if calls_libvirt(command, &program) && !deeds.calls_libvirt.contains(&command.line) {
            deeds.calls_libvirt.push(command.line);
        }
        let words: Vec<String> = command.words.iter().map(|w| bare(w)).collect();
        let runs = |name: &str| {
            program == name || words.iter().any(|w| w.rsplit('/').next() == Some(name))
        };
        if runs("bridge") && has(&words, "vlan") && (has(&words, "add") || has(&words, "set"))
            || program == "ovs-vsctl"
                && words
                    .iter()
                    .any(|w| w.starts_with("tag=") || w.starts_with("trunks="))
            || program.contains("vlan")
        {
            deeds.sets_vlans = true;
        }
        if program == "nofail" && has(&words, "hook") {
            deeds.is_nofail = true;
            deeds.sets_vlans = true;
        }
        if program == "logger" || program == "systemd-cat" {
            deeds.log_tags.extend(tag(&command.words));
        }
        deeds.runs_others |= runs_others(command, &program);
        if TALKERS.contains(&program.as_str()) {
            continue;
        }
        for word in command.words.iter().filter(|w| !is_prose(w, known)) {
            for part in word.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
                if let Some(index) = known.iter().position(|phase| *phase == part) {
                    mentioned[index] = true;
                }
            }
        }
    }
    deeds.phases = known
        .iter()
        .zip(mentioned)
        .filter(|(_, mentioned)| *mentioned)
        .map(|(phase, _)| (*phase).to_owned())
        .collect();
    deeds.calls_libvirt.sort_unstable();
    deeds.log_tags.dedup();
    deeds
}

fn runs_others(command: &Command, program: &str) -> bool {
    let first = command.words.first().map_or("", String::as_str);
    let sourced =
        matches!(first, "." | "source") && command.words.get(1).is_some_and(|w| w.contains('$'));
    // `$2` alone in a test or a here-string is a word, not a command; `case` is a keyword.
    let variable = program.starts_with('$') || first.starts_with('$');
    let run = matches!(program, "run-parts" | "xargs")
        || program == "find"
            && command
                .words
                .iter()
                .any(|w| w == "-exec" || w == "-execdir");
    sourced || variable || run
}

/// Whether a quoted text is a message: several words, of which some are no phase.
fn is_prose(word: &str, phases: &[&str]) -> bool {
    word.contains(char::is_whitespace)
        && !word
            .split_whitespace()
            .all(|w| phases.contains(&w) || matches!(w, "begin" | "end" | "-" | "*"))
}

fn has(words: &[String], wanted: &str) -> bool {
    words.iter().any(|w| w == wanted)
}

/// A word without the punctuation that other languages put around it: `["bridge",`.
fn bare(word: &str) -> String {
    word.trim_matches(['[', ']', ',', '\'', '"', ';', ':'])
        .to_owned()
}

fn calls_libvirt(command: &Command, program: &str) -> bool {
    let module = |w: &str| bare(w) == "libvirt";
    let word = |n: usize| command.words.get(n).map_or("", String::as_str);
    let python = match word(0) {
        "import" => command.words.iter().skip(1).any(|w| module(w)),
        "from" => module(word(1)) && word(2) == "import",
        // Perl.
        "use" => word(1).starts_with("Sys::Virt"),
        _ => false,
    };
    if python {
        return true;
    }
    // libvirt waits until the script's standard error is closed, so that a child in the
    // background holds it as well unless it has let go of that.
    let detached = command.background && command.redirected;
    let client = CLIENTS.contains(&program)
        // Python: subprocess.run(["virsh", …]).
        || word(0) != "command" && command.words.first().is_some_and(|w| w.starts_with('[') && CLIENTS.contains(&bare(w).as_str()));
    // `command -v virsh` and `type virsh` ask only whether it is there.
    let asks = matches!(word(0), "type" | "which" | "hash")
        || command.words.iter().any(|w| w == "command") && has_flag(&command.words, "-v");
    client && !detached && !asks
}

fn has_flag(words: &[String], flag: &str) -> bool {
    words.iter().any(|w| w == flag)
}

/// The tag of a `logger` or `systemd-cat` call: `-t TAG`, `-tTAG`, `--tag=TAG`, `--tag TAG`,
/// also `-it TAG`.
fn tag(words: &[String]) -> Option<String> {
    for (index, word) in words.iter().enumerate() {
        if let Some(value) = word
            .strip_prefix("--tag=")
            .or_else(|| word.strip_prefix("--identifier="))
        {
            return Some(value.to_owned());
        }
        let short = word.starts_with('-') && !word.starts_with("--") && word.ends_with('t');
        if short || word == "--tag" || word == "--identifier" {
            return words.get(index + 1).cloned();
        }
        if let Some(value) = word.strip_prefix("-t")
            && !value.is_empty()
        {
            return Some(value.to_owned());
        }
    }
    None
}
