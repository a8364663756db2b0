//! Files of sysctl.d(5) and sysctl.conf(5).

use crate::unit::Setting;

/// The settings that decide whether the kernel stops or reboots the host by itself, and after
/// how long; see the kernel's `Documentation/admin-guide/sysctl/kernel.rst` and `vm.rst`.
pub const OF_INTEREST: &[&str] = &[
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.hung_task_panic",
    "kernel.hung_task_timeout_secs",
    "kernel.softlockup_panic",
    "kernel.hardlockup_panic",
    "kernel.panic_on_rcu_stall",
    "kernel.unknown_nmi_panic",
    "kernel.panic_on_unrecovered_nmi",
    "kernel.sysrq",
    "kernel.watchdog_thresh",
    "vm.panic_on_oom",
];

/// Every assignment of one file, in order. `#` and `;` begin comment lines; a leading `-` says
/// that a failure to set is ignored; slashes and dots both separate (`kernel/panic`).
pub fn parse(file: &str, text: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim().trim_start_matches('-').trim();
        settings.push(Setting {
            name: normal_name(name),
            value: value.trim().to_owned(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            file: file.to_owned(),
        });
    }
    settings
}

/// sysctl.d(5): if the first separator is a slash, slashes separate and dots stay.
fn normal_name(name: &str) -> String {
    match name.find(['/', '.']) {
        Some(at) if name[at..].starts_with('/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// What holds after all files: the last assignment of each name of interest, sorted by name.
pub fn effective(assignments: &[Setting]) -> Vec<Setting> {
    let mut found: Vec<Setting> = OF_INTEREST
        .iter()
        .filter_map(|name| assignments.iter().rfind(|s| s.name == *name).cloned())
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
