//! Which guests have disks where, from libvirt's own files: libvirtd is not asked, so that this
//! works while it hangs. A file is parsed again only when it changed: there may be hundreds.

use facts::domain;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Definitions, and the state of what runs.
const DIRECTORIES: &[&str] = &["/etc/libvirt/qemu", "/run/libvirt/qemu"];

/// What tells one state of a file from another: device, inode, size, time of change.
type Version = (u64, u64, u64, i64, i64);

#[derive(Debug)]
struct Known {
    version: Version,
    guest: String,
    disks: Vec<String>,
}

/// Guests' disks, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Disks {
    files: BTreeMap<PathBuf, Known>,
}

impl Disks {
    /// Reads what changed since.
    pub(super) fn refresh(&mut self) {
        self.refresh_from(DIRECTORIES.iter().map(Path::new));
    }

    fn refresh_from<'a>(&mut self, directories: impl Iterator<Item = &'a Path>) {
        let mut old = std::mem::take(&mut self.files);
        let entries = directories.filter_map(|d| std::fs::read_dir(d).ok());
        for entry in entries.flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "xml") {
                continue;
            }
            let Ok(version) = entry.metadata().map(|m| version(&m)) else {
                continue;
            };
            let known = old.remove(&path).filter(|known| known.version == version);
            // One that cannot be read is the audit's to tell.
            if let Some(known) = known.or_else(|| read(&path, version)) {
                self.files.insert(path, known);
            }
        }
    }

    /// Guests that have a disk below a directory.
    pub(super) fn below(&self, target: &str) -> Vec<String> {
        let lies = |disk: &String| facts::path::is_below(disk, target);
        let mut guests: Vec<String> = self
            .files
            .values()
            .filter(|known| known.disks.iter().any(lies))
            .map(|known| known.guest.clone())
            .collect();
        guests.sort();
        guests.dedup();
        guests
    }
}

fn version(metadata: &Metadata) -> Version {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

fn read(path: &Path, version: Version) -> Option<Known> {
    let text = std::fs::read_to_string(path).ok()?;
    let guest = domain::parse(&text).ok()?;
    let sources = guest.disks.iter().flat_map(|disk| {
        let backing = disk.backing.iter().map(|b| &b.source);
        disk.source.iter().chain(backing)
    });
    let disks = sources
        .filter(|source| source.starts_with('/'))
        .cloned()
        .collect();
    Some(Known {
        version,
        guest: guest.name,
        disks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_read_again_and_what_goes_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, name: &str, disk: &str| {
            let text = format!(
                "<domain type='kvm'><name>{name}</name><devices><disk type='file' device='disk'>\
                 <source file='{disk}'/><target dev='vda'/></disk></devices></domain>"
            );
            std::fs::write(dir.path().join(file), text).unwrap();
        };
        let mut disks = Disks::default();
        write("a.xml", "a", "/mnt/nas/a.img");
        write("b.xml", "b", "/mnt/nas/b.img");
        write("c.txt", "c", "/mnt/nas/c.img");
        disks.refresh_from([dir.path(), Path::new("/nowhere")].into_iter());
        assert_eq!(disks.below("/mnt/nas"), ["a", "b"]);
        assert!(disks.below("/mnt/na").is_empty());
        write("b.xml", "b", "/var/lib/b.img");
        disks.refresh_from([dir.path()].into_iter());
        assert_eq!(disks.below("/mnt/nas"), ["a"]);
        std::fs::remove_file(dir.path().join("a.xml")).unwrap();
        disks.refresh_from([dir.path()].into_iter());
        assert!(disks.below("/mnt/nas").is_empty());
        assert_eq!(disks.below("/var"), ["b"]);
    }
}
