//! Monitoring services that start with the host, and what asks before it goes down.

use super::super::files;
use super::present;
use crate::HostReader;
use facts::Snapshot;
use facts::unit::Keeper;
use facts::unit::keeper::{GUARDS, is_monitor};

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    let mut monitors: Vec<Keeper> = Vec::new();
    for directory in present(reader) {
        let pulled = files::list(reader, directory)
            .into_iter()
            .filter(|name| name.ends_with(".wants") || name.ends_with(".requires"));
        for pulls in pulls_up(pulled) {
            let path = format!("{directory}/{pulls}");
            for name in files::list(reader, &path) {
                if is_monitor(&name) && monitors.iter().all(|known| known.name != name) {
                    let path = format!("{path}/{name}");
                    monitors.push(Keeper { name, path });
                }
            }
        }
    }
    snapshot.units.monitors = Some(monitors);
    // A tree without /usr cannot tell of what lies there.
    if !reader.complete() {
        return;
    }
    let guards = GUARDS
        .iter()
        .filter(|(_, path)| reader.stat(path).is_ok())
        .map(|(name, path)| Keeper {
            name: (*name).to_owned(),
            path: (*path).to_owned(),
        });
    snapshot.units.guards = Some(guards.collect());
}

/// Those of a boot: what `rescue.target` or `shutdown.target` pulls in watches nobody.
fn pulls_up(directories: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    directories.filter(|name| {
        let from = name.split('.').next().unwrap_or_default();
        !matches!(
            from,
            "rescue" | "emergency" | "shutdown" | "reboot" | "poweroff" | "halt" | "kexec"
        )
    })
}
