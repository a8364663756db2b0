//! libvirt hook scripts, see libvirt's hooks page.

use crate::known::Known;
use serde::{Deserialize, Serialize};

/// All that concerns hooks on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Scripts found, in the order in which libvirt would run them.
    pub scripts: Vec<HookScript>,
    /// SELinux: `enforcing`, `permissive`, `disabled`.
    pub selinux: Known<String>,
    /// SELinux boolean `virt_hooks_unconfined`.
    pub virt_hooks_unconfined: Known<bool>,
    /// Latest trace of a hook in the journal for each guest.
    pub traces: Vec<HookTrace>,
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
