//! Rules on libvirt hooks: whether they are there, can run, and do run.

pub mod absent_though_needed;
pub mod bad_interpreter;
pub mod calls_virsh;
pub mod misplaced;
pub mod never_fired;
pub mod newer_than_daemon;
pub mod not_executable;
pub mod phase_not_handled;
pub mod selinux_boolean_off;
pub mod syntax_error;
pub mod writable_by_others;
pub mod wrong_selinux_label;

use facts::Evidence;
use facts::hook::{HookScript, selinux};
use facts::unit::{Daemon, Daemons};

/// Whether libvirt would run it: root may execute what has any execute bit.
fn executable(script: &HookScript) -> bool {
    script.mode & 0o111 != 0
}

/// Endings of copies that no one means to run.
const COPIES: &[&str] = &[
    "~",
    ".bak",
    ".orig",
    ".old",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-new",
    ".sample",
    ".example",
    ".disabled",
    ".md",
    ".txt",
    ".swp",
];

/// Whether a name is that of a copy that an editor, a package or a person has left.
fn is_copy(path: &str) -> bool {
    COPIES.iter().any(|ending| path.ends_with(ending))
}

/// Mode, owner and group as evidence.
fn mode_evidence(script: &HookScript) -> Evidence {
    Evidence::measured(
        &script.path,
        format!(
            "mode {:04o}, owner {}, group {}",
            script.mode, script.uid, script.gid
        ),
    )
}

/// A line of the script; the last one where a shell names the end of the file.
fn line_evidence(script: &HookScript, line: u32) -> Evidence {
    let lines = script.text.as_deref().map_or(u32::MAX, |t| {
        u32::try_from(t.lines().count().max(1)).unwrap_or(u32::MAX)
    });
    let line = line.min(lines);
    let index = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let text = script.text.as_deref().and_then(|t| t.lines().nth(index));
    match text {
        Some(text) => Evidence::line(&script.path, line, text.trim_end_matches('\r')),
        None => Evidence {
            line: Some(line),
            ..Evidence::file(&script.path)
        },
    }
}

/// The daemon that runs a hook, where it runs now: the modular one of that driver, else the
/// monolithic libvirtd.
fn daemon<'a>(daemons: &'a Daemons, hook: &str) -> Option<&'a Daemon> {
    let modular = match hook {
        "network" => "virtnetworkd",
        "lxc" => "virtlxcd",
        "libxl" => "virtxend",
        "bhyve" => "virtbhyved",
        _ => "virtqemud",
    };
    [modular, "libvirtd"]
        .iter()
        .find_map(|name| daemons.running.iter().find(|d| d.name == *name))
}

/// Whether SELinux confines the daemon that runs hooks. The targeted policy leaves the monolithic
/// libvirtd (`virtd_t`) unconfined; the modular daemons are confined. `None` where it is not known
/// which of them runs.
fn confined(daemons: &Daemons, hook: &str) -> Option<bool> {
    if let Some(daemon) = daemon(daemons, hook) {
        if let Some(domain) = daemon.context.as_deref().and_then(selinux::type_of) {
            let free = [
                "virtd_t",
                "unconfined_t",
                "unconfined_service_t",
                "initrc_t",
                "init_t",
            ];
            return Some(!free.contains(&domain));
        }
        return Some(daemon.name != "libvirtd");
    }
    match daemons.mode.as_deref() {
        Some("modular") => Some(true),
        Some("monolithic") => Some(false),
        _ => None,
    }
}

/// Seconds since 1970 for a person.
fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| seconds.to_string(),
        |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// A snapshot's RFC 3339 time in seconds since 1970.
fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(|t| t.as_second())
}
