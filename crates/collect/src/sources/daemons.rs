//! libvirt's daemons: which run and since when, which start at boot, and the settings of
//! libvirt-guests.

use super::files::{self, Got};
use super::units;
use crate::{HostReader, Options};
use facts::unit::{Daemon, Daemons, proc_stat, settings};
use facts::{Snapshot, Source};

/// libvirt's daemons, see libvirt's page on daemons. `/proc/PID/comm` holds 15 characters, which
/// all of them fit.
const DAEMONS: &[&str] = &[
    "libvirtd",
    "virtqemud",
    "virtlxcd",
    "virtxend",
    "virtbhyved",
    "virtvzd",
    "virtchd",
    "virtnetworkd",
    "virtstoraged",
    "virtinterfaced",
    "virtnodedevd",
    "virtnwfilterd",
    "virtsecretd",
    "virtproxyd",
    "virtlogd",
    "virtlockd",
];

/// Where the settings of libvirt-guests stand: Fedora, RHEL and SUSE; Debian and Ubuntu.
const GUESTS_FILES: &[&str] = &[
    "/etc/sysconfig/libvirt-guests",
    "/etc/default/libvirt-guests",
];

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    let directories = units::present(reader);
    if directories.is_empty() && !reader.complete() {
        snapshot.not_read(Source::Daemons, "no systemd unit directory in this tree");
        return;
    }
    let mut found = Daemons::default();
    if reader.live() {
        running(reader, &mut found);
    }
    enabled(reader, &directories, &mut found);
    found.mode = mode(&found).map(str::to_owned);
    for path in GUESTS_FILES {
        match files::text(reader, path) {
            Got::Text(text) => {
                found.guests_settings = settings::parse(path, &text);
                found.guests_file = Some((*path).to_owned());
                break;
            }
            Got::Absent => {}
            // One of the two belongs to another distribution, so that only its presence counts.
            Got::Unread(_) if reader.stat(path).is_err() => {}
            Got::Unread(reason) => snapshot.item_not_read(Source::Daemons, *path, reason),
        }
    }
    snapshot.daemons = found;
}

fn running(reader: &dyn HostReader, found: &mut Daemons) {
    let system = reader.text("/proc/stat").unwrap_or_default();
    for name in files::list(reader, "/proc") {
        let Ok(pid) = name.parse::<u32>() else {
            continue;
        };
        // A process may end while we look: it is then not running.
        let Ok(comm) = reader.text(&format!("/proc/{pid}/comm")) else {
            continue;
        };
        let comm = comm.trim_end();
        if !DAEMONS.contains(&comm) {
            continue;
        }
        let stat = reader
            .text(&format!("/proc/{pid}/stat"))
            .unwrap_or_default();
        // Also AppArmor answers here, with a profile instead of a context of four parts.
        let context = reader
            .text(&format!("/proc/{pid}/attr/current"))
            .ok()
            .map(|c| c.trim_end_matches(['\0', '\n']).to_owned())
            .filter(|c| c.split(':').count() >= 3);
        found.running.push(Daemon {
            name: comm.to_owned(),
            pid,
            started_at: proc_stat::started_at(&stat, &system),
            context,
        });
    }
    found
        .running
        .sort_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
}

/// Units of libvirt that something pulls in at boot, by links in unit directories.
fn enabled(reader: &dyn HostReader, directories: &[&str], found: &mut Daemons) {
    let mut installed = false;
    for directory in directories {
        for name in files::list(reader, directory) {
            installed |= name == "libvirt-guests.service";
            if !name.ends_with(".wants") && !name.ends_with(".requires") {
                continue;
            }
            for unit in files::list(reader, &format!("{directory}/{name}")) {
                let stem = unit
                    .rsplit_once('.')
                    .map_or(unit.as_str(), |(stem, _)| stem);
                let daemon = stem.trim_end_matches("-admin").trim_end_matches("-ro");
                let daemon = daemon.trim_end_matches("-tls").trim_end_matches("-tcp");
                let ours = DAEMONS.contains(&daemon) || stem == "libvirt-guests";
                if ours && !found.enabled.contains(&unit) {
                    found.enabled.push(unit);
                }
            }
        }
    }
    found.enabled.sort();
    let guests = found.enabled.iter().any(|u| u == "libvirt-guests.service");
    found.guests_enabled = (guests || installed || reader.complete()).then_some(guests);
}

/// Which set of daemons serves QEMU: what runs counts before what is enabled.
fn mode(found: &Daemons) -> Option<&'static str> {
    let runs = |name: &str| found.running.iter().any(|d| d.name == name);
    let enabled = |name: &str| {
        found.enabled.iter().any(|u| {
            u.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', '-']))
        })
    };
    Some(if runs("virtqemud") {
        "modular"
    } else if runs("libvirtd") {
        "monolithic"
    } else if enabled("virtqemud") {
        "modular"
    } else if enabled("libvirtd") {
        "monolithic"
    } else {
        "none"
    })
}
