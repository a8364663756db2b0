//! `guests/libvirt-guests-suspend-without-space`: the guests' memory does not fit on the disk.

use crate::storage::support::bytes;
use crate::{Check, Finding, Host, Remedy, Report, Rule, Severity};
use facts::unit::Setting;
use facts::{Evidence, Snapshot, Source};

/// See [`DOC`].
pub const RULE: Rule = Rule {
    id: "guests/libvirt-guests-suspend-without-space",
    summary: "libvirt-guests saves the guests at shutdown, and their memory does not fit",
    needs: &[
        Source::Guests,
        Source::GuestState,
        Source::Images,
        Source::Daemons,
    ],
    remedy: Remedy::Unsafe,
    doc: DOC,
    check: Check::Host(check),
};

const DOC: &str = "\
## What it finds
A host on which libvirt-guests suspends the guests at shutdown (`ON_SHUTDOWN=suspend`, the default of
libvirt itself; Debian's and Ubuntu's is `shutdown`), where the memory of the guests that run is more
than what is free in `/var/lib/libvirt/qemu/save`. Error where a critical guest or a member of an HA
group runs there, else warning.

## Why it matters
Each guest's memory is written there in full. When the file system is full, saving the next guest
fails, the service gives up on it, and systemd cuts its power; and the full file system (often `/`)
is what the host boots from next. Suspended guests, moreover, come back with the memory of yesterday:
their clocks are wrong, and their twins have gone on without them.

## Evidence
The setting with its file, the memory in the definitions of the guests that run, statvfs(3) of the
directory. A compressed save (`save_image_format` in qemu.conf) may need less.

## Example
    ON_SHUTDOWN=suspend, guests' memory 96 GiB, free 41 GiB

## Remedy
`ON_SHUTDOWN=shutdown` and a `SHUTDOWN_TIMEOUT` in the settings file.

## When to ignore it
Where the saves go elsewhere (a mount over the directory that is not up while the audit runs).

## References
libvirt-guests(8); libvirt's qemu.conf, `save_image_format`.
";

fn check(host: &Host<'_>, report: &mut Report) {
    let snapshot = host.snapshot;
    if snapshot.daemons.guests_enabled == Some(false) {
        return;
    }
    let setting = snapshot
        .daemons
        .guests_settings
        .iter()
        .rev()
        .find(|s| s.name == "ON_SHUTDOWN");
    if !suspends(host, setting, report) {
        return;
    }
    let running: Vec<_> = snapshot
        .guests
        .iter()
        .filter(|guest| guest.state.as_deref() == Some("running"))
        .collect();
    let kib: u64 = running.iter().filter_map(|guest| guest.memory_kib).sum();
    let memory = kib.saturating_mul(1024);
    if memory == 0 {
        return;
    }
    let Some(space) = snapshot.images.save_space else {
        report.not_checked(
            host.name(),
            "it is not known how much is free for managed saves",
        );
        return;
    };
    if memory <= space {
        return;
    }
    let important = running
        .iter()
        .any(|guest| host.estate.is_important(&guest.name));
    let severity = if important {
        Severity::Error
    } else {
        Severity::Warning
    };
    let proof = setting.map_or_else(
        || Evidence::measured("libvirt-guests", "ON_SHUTDOWN is not set: suspend"),
        |s| Evidence::line(&s.file, s.line, format!("ON_SHUTDOWN={}", s.value)).mark("suspend"),
    );
    report.find(
        Finding::new(
            severity,
            host.name(),
            "libvirt-guests",
            format!(
                "at shutdown the memory of {} guests, {}, is to be saved where {} are free",
                running.len(),
                bytes(memory),
                bytes(space)
            ),
        )
        .consequence("The file system fills up, and the guests that do not fit lose their power")
        .evidence(proof)
        .evidence(Evidence::measured(
            "statvfs /var/lib/libvirt/qemu/save",
            format!("{space} bytes available"),
        ))
        .fix("set ON_SHUTDOWN=shutdown in the settings of libvirt-guests".to_owned()),
    );
}

/// Whether guests are suspended at shutdown: by the setting, else by the distribution's default.
fn suspends(host: &Host<'_>, setting: Option<&Setting>, report: &mut Report) -> bool {
    if let Some(setting) = setting {
        return setting.value == "suspend";
    }
    match default_is_suspend(host.snapshot) {
        Some(suspend) => suspend,
        None => {
            let why = "ON_SHUTDOWN is not set, and this distribution's default is not known";
            report.not_checked(host.name(), why);
            false
        }
    }
}

fn default_is_suspend(snapshot: &Snapshot) -> Option<bool> {
    let os = snapshot.os.as_deref()?;
    let one_of = |names: &[&str]| names.iter().any(|name| os.contains(name));
    if one_of(&["Debian", "Ubuntu"]) {
        Some(false)
    } else if one_of(&["Red Hat", "CentOS", "Rocky", "Alma", "Fedora", "Oracle"]) {
        Some(true)
    } else {
        None
    }
}
