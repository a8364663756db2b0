//! Which disks lie on the network, and who else uses an image.

use facts::domain::{Disk, Guest};
use facts::{Snapshot, mount};

/// The image of a disk on the host.
pub fn path(disk: &Disk) -> Option<&str> {
    match disk.kind.as_str() {
        "file" | "block" => disk.source.as_deref(),
        "volume" => disk.resolved.as_deref(),
        _ => None,
    }
}

/// Whether it is a drive of removable media.
pub fn removable(disk: &Disk) -> bool {
    matches!(disk.device.as_str(), "cdrom" | "floppy")
}

/// Everything that a disk's content lies in: the image, what it rests on, its data file.
pub fn parts(disk: &Disk) -> Vec<String> {
    let local = |kind: &str| matches!(kind, "file" | "block");
    path(disk)
        .map(str::to_owned)
        .into_iter()
        .chain(disk.data_file.clone())
        .chain(
            disk.backing
                .iter()
                .filter(|link| local(&link.kind))
                .map(|link| link.source.clone()),
        )
        .collect()
}

/// The network mount that a path (without links) lies on.
pub fn network_mount<'s>(path: &str, snapshot: &'s Snapshot) -> Option<&'s mount::Mount> {
    mount::mount_of(path, &snapshot.mounts).filter(|mount| mount.is_network())
}

/// Names of other guests that use an image in any way, now or at their next start.
pub fn other_users(path: &str, guest: &str, snapshot: &Snapshot) -> Vec<String> {
    let identity = |path: &str| {
        let mut files = snapshot.images.files.iter();
        files.find(|image| image.path == path)?.identity.clone()
    };
    let ours = identity(path);
    let same = |other: &str| other == path || (ours.is_some() && identity(other) == ours);
    let uses = |other: &&Guest| {
        other.disks.iter().any(|disk| {
            let live = disk.live_source.iter().chain(&disk.mirror);
            parts(disk).iter().chain(live).any(|part| same(part))
        })
    };
    snapshot
        .guests
        .iter()
        .filter(|other| other.name != guest)
        .filter(uses)
        .map(|other| other.name.clone())
        .collect()
}
