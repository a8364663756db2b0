//! Kernel settings and what may reboot the host by itself.

pub mod cloudstack;
pub mod cmdline;
pub mod script;
pub mod sysctl;
#[cfg(test)]
mod tests;
pub mod watchdog;

use crate::unit::Setting;
use serde::{Deserialize, Serialize};

/// Settings that decide whether the host stops or reboots by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// Release, `uname -r`.
    pub release: Option<String>,
    /// Kernel command line.
    pub command_line: Option<String>,
    /// `kernel.panic`, `kernel.hung_task_panic`, `kernel.softlockup_panic`, …, from
    /// `/proc/sys` where live, else from sysctl.d.
    pub sysctls: Vec<Setting>,
    /// Configurations that may reboot the host: watchdog.conf, HA agents, cron and unit scripts.
    pub rebooters: Vec<Rebooter>,
    /// Boot identifier of the running kernel.
    pub boot_id: Option<String>,
    /// Total memory in KiB.
    pub memory_kib: Option<u64>,
}

/// Something that reboots the host when a test fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rebooter {
    /// Program: `watchdog`, `cloudstack-agent`, `sanlock`, `pacemaker`, `script`.
    pub program: String,
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// That line.
    pub text: String,
    /// What triggers it: a path tested, a ping, a heartbeat file.
    pub trigger: String,
}
