//! Which guests have disks where, from libvirt's own files: libvirtd is not asked, so that this
//! works while it hangs.

use facts::domain;
use std::collections::BTreeSet;

/// Definitions, and the state of what runs.
const DIRECTORIES: &[&str] = &["/etc/libvirt/qemu", "/run/libvirt/qemu"];

/// Guest and path, for each disk that is a file or device.
pub(super) fn disks() -> BTreeSet<(String, String)> {
    let mut disks = BTreeSet::new();
    for directory in DIRECTORIES {
        let Ok(entries) = std::fs::read_dir(directory) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "xml") {
                continue;
            }
            // One that cannot be read is the audit's to tell.
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let Ok(guest) = domain::parse(&text) else {
                continue;
            };
            for disk in &guest.disks {
                let backing = disk.backing.iter().map(|b| &b.source);
                let sources = disk.source.iter().chain(backing);
                let files = sources.filter(|source| source.starts_with('/'));
                disks.extend(files.map(|source| (guest.name.clone(), source.clone())));
            }
        }
    }
    disks
}
