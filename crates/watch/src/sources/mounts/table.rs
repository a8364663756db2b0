//! The kernel's table of mounts, and what changed in it.

use super::SourceError;
use crate::daemon::Context;
use crate::event::{Event, Evidence, Kind};
use facts::fstab::Entry;
use facts::mount::{Mount, parse_mountinfo};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The table of this process: the same file systems as the manager's, unmounts included.
pub(super) const PATH: &str = "/proc/self/mountinfo";

/// What is mounted, by mount point.
pub(super) type Table = BTreeMap<String, Mount>;

/// Reads the table anew.
pub(super) fn read(file: &mut File) -> Result<Table, SourceError> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut text))
        .map_err(|e| SourceError::failed(PATH, &e))?;
    let mounts = parse_mountinfo(&String::from_utf8_lossy(&text))
        .map_err(|e| SourceError::failed(PATH, &e))?;
    // Of several on one mount point the last covers the others.
    Ok(mounts.into_iter().map(|m| (m.target.clone(), m)).collect())
}

/// Mounts that people care about: no pseudo file systems, no containers' layers.
fn worth_telling(mount: &Mount) -> bool {
    mount.is_network() || mount.source.starts_with('/') || mount.fstype == "zfs"
}

/// Mount points that are read-only though their line in fstab has them writable.
pub(super) fn unlike(table: &Table, lines: &[Entry]) -> BTreeSet<String> {
    let writable = lines
        .iter()
        .filter(|e| !e.flag("ro", "rw").unwrap_or(false));
    writable
        .map(Entry::mount_point)
        .filter(|target| table.get(target).is_some_and(Mount::is_read_only))
        .collect()
}

/// The events that lead from one table to the other.
pub(super) fn compare(context: &Context, old: &Table, new: &Table) -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |kind, mount: &Mount, message: String| {
        let evidence = Evidence::measured(
            PATH,
            format!(
                "{} {} {} {}",
                mount.source,
                mount.target,
                mount.fstype,
                mount.options.join(",")
            ),
        );
        let mut event = context
            .event("mounts", kind, &mount.target, message)
            .evidence(evidence);
        event.after = Some(mount.source.clone());
        events.push(event);
    };
    for (target, mount) in new.iter().filter(|(_, m)| worth_telling(m)) {
        match old.get(target) {
            None => tell(
                Kind::MountAdded,
                mount,
                format!("{} was mounted", mount.source),
            ),
            Some(before) if before.id != mount.id && before.source != mount.source => {
                tell(
                    Kind::MountAdded,
                    mount,
                    format!("{} was mounted over {}", mount.source, before.source),
                );
            }
            Some(before) if before.is_read_only() != mount.is_read_only() => {
                let how = if mount.is_read_only() {
                    "read-only"
                } else {
                    "writable"
                };
                tell(Kind::MountChanged, mount, format!("is {how} now"));
            }
            Some(_) => {}
        }
    }
    for (target, mount) in old.iter().filter(|(_, m)| worth_telling(m)) {
        if !new.contains_key(target) {
            tell(
                Kind::MountRemoved,
                mount,
                format!("{} was unmounted", mount.source),
            );
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_is_wrong_where_fstab_has_it_writable() {
        let lines = "nas:/a /a nfs defaults 0 0\nnas:/b /b nfs ro 0 0\nnas:/c /c nfs rw,ro 0 0\nnas:/d /d nfs rw 0 0\n";
        let lines = facts::fstab::parse(lines).entries();
        let mount = |target: &str, options: &str, of: &str| Mount {
            target: target.into(),
            options: vec![options.into()],
            super_options: vec![of.into()],
            ..Mount::default()
        };
        let mounts = [
            mount("/a", "rw", "ro"),
            mount("/b", "ro", "ro"),
            mount("/c", "ro", "rw"),
            mount("/d", "rw", "rw"),
            mount("/e", "ro", "ro"),
        ];
        let table = mounts.map(|m| (m.target.clone(), m)).into();
        assert_eq!(unlike(&table, &lines), BTreeSet::from(["/a".to_owned()]));
    }
}
