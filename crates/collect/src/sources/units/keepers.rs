//! Monitoring services that start with the host, and what asks before it goes down.

use crate::HostReader;
use facts::Snapshot;
use facts::unit::Keeper;
use facts::unit::keeper::{GUARDS, is_monitor};

/// Notes a monitor that a link in the directory `path` (`FROM.wants`, `FROM.requires`) pulls in.
pub(super) fn pulled(from: &str, unit: &str, path: &str, snapshot: &mut Snapshot) {
    // What these pull in watches nobody while the host works.
    let stem = from.split('.').next().unwrap_or_default();
    if matches!(
        stem,
        "rescue" | "emergency" | "shutdown" | "reboot" | "poweroff" | "halt" | "kexec"
    ) {
        return;
    }
    let monitors = snapshot.units.monitors.get_or_insert_default();
    if is_monitor(unit) && monitors.iter().all(|known| known.name != unit) {
        monitors.push(Keeper {
            name: unit.to_owned(),
            path: format!("{path}/{unit}"),
        });
    }
}

pub(super) fn guards(reader: &dyn HostReader, snapshot: &mut Snapshot) {
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
