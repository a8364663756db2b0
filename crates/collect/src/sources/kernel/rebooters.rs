//! Configurations and scripts that reboot the host: watchdog, cluster agents, cron, units.

use super::super::files;
use crate::HostReader;
use crate::reader::Kind;
use facts::kernel::{Rebooter, cloudstack, script, watchdog};
use facts::unit::{ini, settings};
use facts::{Snapshot, Source};

/// Directories whose text files are searched for scripts that reboot.
const DIRECTORIES: &[&str] = &[
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
    "/etc/systemd/system",
    "/etc/watchdog.d",
    "/etc/NetworkManager/dispatcher.d",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/local/libexec",
];

/// At most so many files are searched in all.
const MAX_FILES: usize = 1000;

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut found = Vec::new();
    if let Ok(text) = reader.text("/etc/watchdog.conf") {
        found.extend(watchdog::parse("/etc/watchdog.conf", &text));
    }
    let agent = "/etc/cloudstack/agent/agent.properties";
    if let Ok(text) = reader.text(agent) {
        found.extend(cloudstack::parse(agent, &text));
    }
    found.extend(sbd(reader));
    found.extend(sanlock(reader));
    found.extend(pacemaker(reader));
    found.extend(systemd(reader));
    found.extend(scripts(reader, snapshot));
    snapshot.kernel.rebooters = found;
}

/// SBD fences by a shared disk: a host that loses it resets itself (sbd(8)).
fn sbd(reader: &dyn HostReader) -> Option<Rebooter> {
    ["/etc/sysconfig/sbd", "/etc/default/sbd"]
        .iter()
        .find_map(|path| {
            let text = reader.text(path).ok()?;
            let set = settings::parse(path, &text);
            let device = set
                .iter()
                .rfind(|s| s.name == "SBD_DEVICE" && !s.value.is_empty())?;
            Some(Rebooter {
                program: "sbd".into(),
                file: device.file.clone(),
                line: device.line,
                text: format!("SBD_DEVICE={}", device.value),
                trigger: format!("the shared device {} cannot be read", device.value),
            })
        })
}

/// libvirt with sanlock leases: where they cannot be renewed, wdmd resets the host
/// (sanlock(8)). Only where libvirt is told to use it.
fn sanlock(reader: &dyn HostReader) -> Option<Rebooter> {
    let path = "/etc/libvirt/qemu.conf";
    let text = reader.text(path).ok()?;
    let (index, line) = text.lines().enumerate().find(|(_, line)| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim() == "lock_manager" && value.trim().trim_matches('"') == "sanlock"
        })
    })?;
    Some(Rebooter {
        program: "sanlock".into(),
        file: path.into(),
        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        text: line.to_owned(),
        trigger: "the lease storage cannot be renewed".into(),
    })
}

/// Pacemaker resources whose failed monitor fences the host: a `Filesystem` on NFS, say.
fn pacemaker(reader: &dyn HostReader) -> Vec<Rebooter> {
    let path = "/var/lib/pacemaker/cib/cib.xml";
    let Ok(text) = reader.text(path) else {
        return Vec::new();
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.contains("on-fail=\"fence\""))
        .map(|(index, line)| Rebooter {
            program: "pacemaker".into(),
            file: path.into(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            text: line.trim().to_owned(),
            trigger: "the monitor of a resource fails".into(),
        })
        .collect()
}

/// systemd's own hardware watchdog (systemd-system.conf(5)): it fires only where PID 1 hangs.
fn systemd(reader: &dyn HostReader) -> Option<Rebooter> {
    let files = files::systemd_conf(reader, "systemd/system.conf");
    let mut last = None;
    for (path, text) in &files {
        if let Some(set) = ini::parse(text).last("Manager", "RuntimeWatchdogSec") {
            last = Some((path.clone(), set.clone()));
        }
    }
    let (file, set) = last?;
    let off = matches!(set.value.as_str(), "" | "0" | "off" | "infinity");
    (!off).then(|| Rebooter {
        program: "systemd".into(),
        file,
        line: set.line,
        text: format!("RuntimeWatchdogSec={}", set.value),
        trigger: "systemd itself hangs".into(),
    })
}

fn scripts(reader: &dyn HostReader, snapshot: &mut Snapshot) -> Vec<Rebooter> {
    let mut paths = vec!["/etc/crontab".to_owned(), "/etc/rc.local".to_owned()];
    for directory in DIRECTORIES {
        match files::names(reader, directory) {
            Ok(names) => paths.extend(names.iter().map(|name| format!("{directory}/{name}"))),
            Err(reason) => snapshot.item_not_read(Source::Kernel, *directory, reason),
        }
    }
    if paths.len() > MAX_FILES {
        let reason = format!(
            "{} files, of which the first {MAX_FILES} were searched",
            paths.len()
        );
        snapshot.item_not_read(Source::Kernel, "scripts", reason);
        paths.truncate(MAX_FILES);
    }
    let mut found = Vec::new();
    for path in paths {
        // Links in these directories lead to units and programs of packages.
        let plain = reader
            .lstat(&path)
            .is_ok_and(|s| s.kind == Kind::File && s.size <= script::MAX_BYTES as u64);
        if !plain {
            continue;
        }
        match reader.read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => found.extend(script::scan(&path, &text)),
            // A program in machine code.
            Ok(Err(_)) => {}
            Err(error) => {
                snapshot.item_not_read(Source::Kernel, &path, super::super::why(&path, &error))
            }
        }
    }
    found
}
