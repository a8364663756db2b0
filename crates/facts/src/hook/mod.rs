//! libvirt hook scripts, see libvirt's page "Hooks for specific system management".
//!
//! What libvirt does with them (`src/util/virhook.c`): when a daemon starts, it looks for an
//! executable `HOOKS/NAME`, or (6.5 and later) any executable file in `HOOKS/NAME.d/`. Where it
//! finds none, that hook is off until the daemon restarts or reloads. Where it found one, each
//! event runs the main script, then the executable files of the directory in the order of their
//! names. A file without an execute bit is passed over. A script that cannot be executed, or
//! that fails in the phases before a guest runs, makes the start of the guest fail.

pub mod interpreter;
pub mod network_port;
pub mod script;
pub mod selinux;
pub mod shell;
#[cfg(test)]
mod tests;
pub mod trace;

use crate::{known::Known, syntax::SyntaxError};
use serde::{Deserialize, Serialize};

/// All that concerns hooks on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Scripts found, in the order in which libvirt would run them.
    pub scripts: Vec<HookScript>,
    /// Files that look like hooks and stand where no libvirt runs them: under another name in the
    /// hook directory, or under a hook's name in a directory that libvirt does not read.
    pub misplaced: Vec<HookScript>,
    /// The directories in which the scripts lie, and those above them, each once: whoever may write one
    /// of them may replace a script. Where a script is a link, also those above what it leads to.
    /// Empty where a tree does not keep its files' owners.
    pub directories: Vec<HookDirectory>,
    /// SELinux: `enforcing`, `permissive`, `disabled`.
    pub selinux: Known<String>,
    /// SELinux boolean `virt_hooks_unconfined`.
    pub virt_hooks_unconfined: Known<bool>,
    /// Type that the loaded policy gives to files below the hook directory (`virt_hook_t`), from
    /// its `file_contexts`.
    pub policy_type: Known<String>,
    /// Latest trace of a hook in the journal for each guest.
    pub traces: Vec<HookTrace>,
    /// From when on the journal is known to be complete, seconds since 1970.
    pub traces_since: Option<i64>,
    /// When each running guest was started.
    pub guest_starts: Vec<GuestStart>,
}

/// Whether a libvirt of this version runs what lies in `qemu.d` (6.5.0 and later, its NEWS);
/// `None` where the version is not known.
pub fn reads_directories(version: Option<&str>) -> Option<bool> {
    let mut parts = version?.split('.');
    let mut part = || parts.next()?.parse::<u32>().ok();
    Some((part()?, part()?) >= (6, 5))
}

/// When a running guest's QEMU was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuestStart {
    /// Guest.
    pub guest: String,
    /// Seconds since 1970.
    pub started_at: i64,
}

/// A directory above a hook script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookDirectory {
    /// Path.
    pub path: String,
    /// Permission bits with set-ID and sticky (`0o7777`).
    pub mode: u32,
    /// Owner's user ID.
    pub uid: u32,
    /// Owner's group ID.
    pub gid: u32,
}

/// One hook script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookScript {
    /// Path: `/etc/libvirt/hooks/qemu`, `/etc/libvirt/hooks/qemu.d/10-vlan`.
    pub path: String,
    /// Which hook: `qemu`, `network`, `daemon`, `lxc`, `libxl`.
    pub hook: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner's user ID.
    pub uid: u32,
    /// Owner's group ID.
    pub gid: u32,
    /// SELinux label (`system_u:object_r:virt_hook_exec_t:s0`), absent without SELinux.
    pub label: Known<String>,
    /// Change time (when it appeared under this name), seconds since 1970.
    pub changed_at: Option<i64>,
    /// First line without `#!` and white space; `None` where there is no `#!` line.
    pub interpreter: Option<String>,
    /// Whether that interpreter exists and is executable.
    pub interpreter_present: Known<bool>,
    /// Whether the first line ends in carriage return.
    pub crlf: bool,
    /// The text; `None` for a binary or what was too large.
    pub text: Option<String>,
    /// Phases that the script mentions (`prepare`, `start`, `started`, `stopped`, `release`, …).
    pub phases: Vec<String>,
    /// Lines on which it calls libvirt (deadlock).
    pub calls_libvirt: Vec<u32>,
    /// Whether it sets bridge VLANs.
    pub sets_vlans: bool,
    /// Whether it is nofail's own.
    pub is_nofail: bool,
    /// Whether it is a program in machine code (ELF), which has no interpreter.
    pub binary: bool,
    /// Whether it runs programs whose names it finds out only when it runs (a dispatcher), so
    /// that what it does is not to be told from its text.
    pub runs_others: bool,
    /// Tags that it logs with (`logger -t TAG`), as written: `libvirt-hook[$1]`.
    pub log_tags: Vec<String>,
    /// What its shell says of its syntax: absent is good, unreadable is not checked.
    pub syntax_error: Known<SyntaxError>,
}

/// A trace of a hook in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookTrace {
    /// Guest.
    pub guest: String,
    /// When, RFC 3339.
    pub at: String,
    /// The message.
    pub text: String,
}
