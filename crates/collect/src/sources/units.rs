//! systemd units: failed ones over D-Bus; files, drop-ins and links from the unit directories;
//! the versions of systemd and libvirt.

mod failed;
mod keepers;
mod version;

use super::files;
use crate::reader::Kind;
use crate::{HostReader, Options};
use facts::unit::{UnitFile, UnitLink};
use facts::{Snapshot, Source};

/// The load path of the system manager in the order of precedence (systemd.unit(5)); `/lib` where
/// it is not a link to `/usr/lib`.
pub(super) const DIRECTORIES: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// A unit file of more bytes is not kept.
const MAX_TEXT: usize = 64 * 1024;

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    version::collect(reader, snapshot);
    let directories = present(reader);
    if directories.is_empty() && !reader.complete() {
        snapshot.not_read(Source::Units, "no systemd unit directory in this tree");
        return;
    }
    snapshot.units.monitors = Some(Vec::new());
    for directory in directories {
        match files::names(reader, directory) {
            Ok(names) => {
                for name in names {
                    entry(reader, directory, &name, snapshot);
                }
            }
            Err(reason) => snapshot.item_not_read(Source::Units, directory, reason),
        }
    }
    snapshot.units.default_target = reader
        .read_link("/etc/systemd/system/default.target")
        .ok()
        .and_then(|target| target.rsplit('/').next().map(str::to_owned));
    failed::collect(reader, options, snapshot);
    keepers::guards(reader, snapshot);
}

/// The unit directories that exist, each once: `/lib` is usually a link to `/usr/lib`.
pub(super) fn present(reader: &dyn HostReader) -> Vec<&'static str> {
    let merged = reader.lstat("/lib").is_ok_and(|s| s.kind == Kind::Link);
    DIRECTORIES
        .iter()
        .copied()
        .filter(|d| !(merged && d.starts_with("/lib/")))
        .filter(|d| reader.stat(d).is_ok_and(|s| s.kind == Kind::Directory))
        .collect()
}

/// Units that stand between the local and the network mounts of a boot: whether they are enabled and
/// masked decides which orders are circles.
fn between(unit: &str) -> bool {
    matches!(
        unit,
        "nfs-client.target"
            | "rpc-gssd.service"
            | "rpcbind.service"
            | "NetworkManager-wait-online.service"
            | "systemd-networkd-wait-online.service"
            | "NetworkManager.service"
            | "systemd-networkd.service"
            | "networking.service"
    )
}

/// Whether a unit is one that nofail looks at.
fn of_interest(unit: &str) -> bool {
    let (stem, suffix) = unit.rsplit_once('.').unwrap_or((unit, ""));
    match suffix {
        "mount" | "automount" | "swap" => true,
        "service" | "socket" | "target" => {
            stem.starts_with("libvirt")
                || stem.starts_with("virt")
                || matches!(unit, "local-fs.target" | "remote-fs.target" | "swap.target")
        }
        _ => false,
    }
}

fn entry(reader: &dyn HostReader, directory: &str, name: &str, snapshot: &mut Snapshot) {
    let path = format!("{directory}/{name}");
    if let Some((from, requirement)) = name
        .strip_suffix(".wants")
        .map(|from| (from, "wants"))
        .or_else(|| {
            name.strip_suffix(".requires")
                .map(|from| (from, "requires"))
        })
    {
        for to in files::list(reader, &path) {
            keepers::pulled(from, &to, &path, snapshot);
            if of_interest(&to) || of_interest(from) || between(&to) {
                snapshot.units.links.push(UnitLink {
                    from: from.to_owned(),
                    requirement: requirement.to_owned(),
                    path: format!("{path}/{to}"),
                    to,
                });
            }
        }
        return;
    }
    if let Some(unit) = name.strip_suffix(".d") {
        // `mount.d` holds drop-ins for every mount unit, `service.d` for every service.
        if of_interest(unit) || matches!(unit, "mount" | "automount" | "swap") {
            for file in files::list(reader, &path) {
                if file.ends_with(".conf") {
                    keep(reader, unit, &format!("{path}/{file}"), snapshot);
                }
            }
        }
        return;
    }
    // Of those between it matters only whether somebody masked them; but the place of these two in
    // the order differs from package to package and version to version.
    let by_hand = directory.starts_with("/etc/")
        || directory.starts_with("/run/")
        || matches!(name, "networking.service" | "NetworkManager.service");
    if of_interest(name) || between(name) && by_hand {
        keep(reader, name, &path, snapshot);
    }
}

fn keep(reader: &dyn HostReader, unit: &str, path: &str, snapshot: &mut Snapshot) {
    let text = if files::is_null_link(reader, path) {
        None
    } else {
        match reader.text(path) {
            // An empty unit file masks as well (systemd.unit(5)).
            Ok(text) if text.is_empty() => None,
            Ok(text) if text.len() <= MAX_TEXT => Some(text),
            Ok(_) => {
                let reason = "larger than 64 KiB: not a unit file";
                snapshot.item_not_read(Source::Units, path, reason);
                return;
            }
            Err(error) => {
                snapshot.item_not_read(Source::Units, path, super::why(path, &error));
                return;
            }
        }
    };
    snapshot.units.files.push(UnitFile {
        unit: unit.to_owned(),
        path: path.to_owned(),
        text,
    });
}
