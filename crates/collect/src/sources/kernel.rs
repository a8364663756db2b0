//! Kernel settings, and what may reboot the host by itself.

mod rebooters;

use super::files::{self, Got};
use crate::{HostReader, Options};
use facts::kernel::sysctl;
use facts::unit::{Setting, settings};
use facts::{Snapshot, Source};

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    if reader.live() {
        live(reader, snapshot);
    } else if reader.complete() || has_settings(reader) {
        tree(reader, snapshot);
    } else {
        snapshot.not_read(
            Source::Kernel,
            "no sysctl.d, watchdog or cron files in this tree",
        );
        return;
    }
    rebooters::collect(reader, snapshot);
}

fn has_settings(reader: &dyn HostReader) -> bool {
    [
        "/etc/sysctl.conf",
        "/etc/sysctl.d",
        "/etc/watchdog.conf",
        "/etc/cron.d",
        "/etc/crontab",
    ]
    .iter()
    .any(|path| reader.stat(path).is_ok())
}

fn live(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let line = |path: &str| reader.text(path).ok().map(|t| t.trim().to_owned());
    let kernel = &mut snapshot.kernel;
    kernel.release = line("/proc/sys/kernel/osrelease");
    kernel.command_line = line("/proc/cmdline");
    kernel.boot_id = line("/proc/sys/kernel/random/boot_id");
    kernel.memory_kib = line("/proc/meminfo").and_then(|text| {
        let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
        total.trim().trim_end_matches("kB").trim().parse().ok()
    });
    for name in sysctl::OF_INTEREST {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        match files::text(reader, &path) {
            Got::Text(text) => kernel.sysctls.push(Setting {
                name: (*name).to_owned(),
                value: text.trim().to_owned(),
                line: 0,
                file: path,
            }),
            // Not every kernel is built with every one of them.
            Got::Absent => {}
            Got::Unread(reason) => {
                snapshot.unread.push(facts::Unread {
                    source: Source::Kernel,
                    item: Some(path),
                    reason,
                });
            }
        }
    }
}

fn tree(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut all = Vec::new();
    for (path, text) in files::fragments(reader, "sysctl.d") {
        all.extend(sysctl::parse(&path, &text));
    }
    // `sysctl --system` reads it last; systemd-sysctl through the link 99-sysctl.conf.
    if let Ok(text) = reader.text("/etc/sysctl.conf") {
        all.extend(sysctl::parse("/etc/sysctl.conf", &text));
    }
    snapshot.kernel.sysctls = sysctl::effective(&all);
    snapshot.kernel.command_line = command_line(reader);
}

/// The command line that the next boot would get: kernel-install's file, else what GRUB's
/// configuration is made from. An entry edited by hand in the boot loader is not in them.
fn command_line(reader: &dyn HostReader) -> Option<String> {
    if let Ok(text) = reader.text("/etc/kernel/cmdline") {
        return Some(text.trim().to_owned());
    }
    let text = reader.text("/etc/default/grub").ok()?;
    let set = settings::parse("/etc/default/grub", &text);
    let value = |name: &str| {
        set.iter()
            .rfind(|s| s.name == name)
            .map(|s| s.value.clone())
    };
    let parts: Vec<String> = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"]
        .iter()
        .filter_map(|name| value(name))
        .filter(|v| !v.is_empty())
        .collect();
    Some(parts.join(" "))
}
