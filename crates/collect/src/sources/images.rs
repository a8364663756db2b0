//! Disk images of guests, to the end of their backing chains; managed saves; snapshots.
//!
//! A path on a server that does not answer costs one deadline per mount and becomes
//! `Unreadable`; a path below a network mount of a tree is not looked at.

use super::definitions::place;
use super::eyes::{Blind, Eyes};
use crate::{HostReader, Options};
use facts::domain::Guest;
use facts::image::chain::{self, End};
use facts::image::header::{self, HeaderError};
use facts::image::save::{self, SaveError};
use facts::image::{GuestSnapshot, Image, Images, ManagedSave, snapshot as record};
use facts::pool::Pool;
use facts::{Known, Snapshot, Source};
use std::collections::BTreeMap;

const SAVES: &str = "/var/lib/libvirt/qemu/save";
const SNAPSHOTS: &str = "/var/lib/libvirt/qemu/snapshot";

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if let Some(reason) = snapshot.why_unread(Source::Guests) {
        let reason = format!("which images there are is not known: {reason}");
        snapshot.not_read(Source::Images, reason);
        return;
    }
    let mut gallery = Gallery {
        eyes: Eyes::new(reader, options, &snapshot.fstab),
        files: BTreeMap::new(),
    };
    let pools: BTreeMap<String, Pool> = snapshot
        .pools
        .iter()
        .map(|pool| (pool.name.clone(), pool.clone()))
        .collect();
    let mut guests = std::mem::take(&mut snapshot.guests);
    for guest in &mut guests {
        gallery.add_guest(guest, &pools);
    }
    snapshot.guests = guests;
    let managed_saves = managed_saves(&mut gallery.eyes, snapshot);
    let snapshots = snapshots(&mut gallery.eyes, snapshot);
    // Not there before the first save: then the directory that will hold it.
    let save_space = [SAVES, "/var/lib/libvirt/qemu", "/var/lib/libvirt"]
        .iter()
        .find_map(|directory| gallery.eyes.space(directory).ok())
        .map(|(_, available)| available);
    let mut files: Vec<Image> = gallery.files.into_values().collect();
    for image in &mut files {
        image.mount =
            facts::mount::mount_of(&image.path, &snapshot.mounts).map(|mount| mount.target.clone());
    }
    snapshot.images = Images {
        files,
        managed_saves,
        save_space,
        snapshots,
    };
}

/// What was looked at so far, by path.
struct Gallery<'a> {
    eyes: Eyes<'a>,
    files: BTreeMap<String, Image>,
}

impl Gallery<'_> {
    fn add_guest(&mut self, guest: &mut Guest, pools: &BTreeMap<String, Pool>) {
        for disk in &mut guest.disks {
            if disk.kind == "volume" {
                disk.resolved = disk
                    .source
                    .as_deref()
                    .and_then(|source| source.split_once('/'))
                    .and_then(|(pool, volume)| pools.get(pool)?.volume_path(volume));
            }
            let path = match disk.kind.as_str() {
                "file" | "block" | "dir" => disk.source.clone(),
                "volume" => disk.resolved.clone(),
                _ => None,
            };
            let Some(path) = path else { continue };
            // A medium in a drive, and what the definition calls raw, has no header to follow.
            let header = disk.device == "disk" && disk.kind != "dir";
            self.look(&path, header);
            for file in disk.live_source.iter().filter(|p| p.starts_with('/')) {
                self.look(file, header);
            }
            if disk.chain_ends {
                // libvirt takes the chain from the XML and does not look into the images.
                for link in &disk.backing {
                    if matches!(link.kind.as_str(), "file" | "block") {
                        self.look(&link.source, false);
                    }
                }
                continue;
            }
            if !header {
                continue;
            }
            let found = self.chain(&path, disk.format.as_deref());
            if let Some((file, _)) = found.data_files.first()
                && disk.data_file.is_none()
            {
                disk.data_file = Some(file.clone());
            }
            // The images are what the next start uses. Where they cannot be read to the end, what
            // the live status told may reach further.
            if found.end.broken().is_none() || found.links.len() >= disk.backing.len() {
                disk.backing = found.links;
            }
            disk.chain_broken = found.end.broken();
        }
        for file in &guest.files {
            self.look(&file.path, false);
        }
    }

    /// Follows a chain, looking at each image as it is met.
    fn chain(&mut self, path: &str, format: Option<&str>) -> chain::Chain {
        loop {
            let found = chain::follow(path, format, |path| self.files.get(path));
            for (file, _) in &found.data_files {
                self.look(file, false);
            }
            match &found.end {
                End::NotRead(next) => {
                    let next = next.clone();
                    self.look(&next, true);
                }
                _ => return found,
            }
        }
    }

    /// Looks at one path, once; with its header where asked for.
    fn look(&mut self, path: &str, header: bool) {
        let known = self.files.get(path);
        if known.is_some_and(|image| !header || image.format.is_some() || !readable(image)) {
            return;
        }
        let mut image = Image {
            path: path.to_owned(),
            ..Image::default()
        };
        match self.eyes.stat(path) {
            Ok(seen) => {
                image.size = Known::Known(seen.size);
                image.allocated = Some(seen.allocated);
                image.kind = Some(seen.kind.to_owned());
                image.identity = seen.identity;
                if header && matches!(seen.kind, "file" | "block") {
                    self.read_header(&mut image);
                } else if header {
                    image.header_unread = Some(format!("no image: it is of kind {}", seen.kind));
                }
            }
            Err(Blind::Absent) => image.size = Known::Absent,
            Err(Blind::Unreadable(reason)) => image.size = Known::Unreadable(reason),
        }
        self.files.insert(path.to_owned(), image);
    }

    fn read_header(&mut self, image: &mut Image) {
        let mut wanted = header::FIRST_READ;
        // The second reading has what the first one asked for.
        for _ in 0..4 {
            let bytes = match self.eyes.head(&image.path, wanted) {
                Ok(bytes) => bytes,
                Err(Blind::Absent) => {
                    image.size = Known::Absent;
                    return;
                }
                Err(Blind::Unreadable(reason)) => {
                    image.header_unread = Some(reason);
                    return;
                }
            };
            match header::parse(&bytes) {
                Ok(found) => {
                    fill(image, found);
                    return;
                }
                Err(HeaderError::Truncated { needed }) if bytes.len() == wanted => wanted = needed,
                Err(HeaderError::Truncated { .. }) => {
                    image.header_unread = Some("the file ends within its header".to_owned());
                    return;
                }
                Err(error) => {
                    image.header_unread = Some(error.to_string());
                    return;
                }
            }
        }
        image.header_unread = Some("its header asks for more and more bytes".to_owned());
    }
}

fn readable(image: &Image) -> bool {
    image.size.known().is_some() && image.header_unread.is_none()
}

fn fill(image: &mut Image, found: header::Header) {
    image.virtual_size = match found.virtual_size {
        None if found.format == "raw" => image.size.known().copied().filter(|size| *size > 0),
        size => size,
    };
    image.format = Some(found.format.to_owned());
    image.backing = found.backing;
    image.backing_format = found.backing_format;
    image.data_file = found.data_file;
    image.extents = found.extents;
    image.encrypted = found.encrypted;
    image.corrupt = found.corrupt;
}

/// Every `*.save` in the directory of managed saves.
fn managed_saves(eyes: &mut Eyes<'_>, snapshot: &mut Snapshot) -> Vec<ManagedSave> {
    let names = listed(eyes, SAVES, snapshot);
    let names = names.iter().filter_map(|name| name.strip_suffix(".save"));
    names.map(|name| managed_save(eyes, name)).collect()
}

fn managed_save(eyes: &mut Eyes<'_>, guest: &str) -> ManagedSave {
    let path = format!("{SAVES}/{guest}.save");
    let unread = |reason: String| ManagedSave {
        guest: guest.to_owned(),
        path: path.clone(),
        unread: Some(reason),
        ..ManagedSave::default()
    };
    let mut wanted = save::HEADER;
    for _ in 0..3 {
        let bytes = match eyes.head(&path, wanted) {
            Ok(bytes) => bytes,
            Err(Blind::Absent) => return unread("it went away".to_owned()),
            Err(Blind::Unreadable(reason)) => return unread(reason),
        };
        match save::parse(&bytes) {
            Ok(found) => {
                return ManagedSave {
                    path: path.clone(),
                    ..found
                };
            }
            Err(SaveError::Truncated { needed }) if bytes.len() == wanted => wanted = needed,
            Err(SaveError::Truncated { .. }) => {
                return unread("the file ends within its domain XML".to_owned());
            }
            Err(error) => return unread(error.to_string()),
        }
    }
    unread("its header asks for more and more bytes".to_owned())
}

/// Every record of a snapshot. A record that cannot be read is said and left out.
fn snapshots(eyes: &mut Eyes<'_>, snapshot: &mut Snapshot) -> Vec<GuestSnapshot> {
    /// A record is a domain's XML and little more.
    const LONGEST: usize = 4 << 20;
    let mut found = Vec::new();
    for guest in listed(eyes, SNAPSHOTS, snapshot) {
        let directory = format!("{SNAPSHOTS}/{guest}");
        for name in listed(eyes, &directory, snapshot) {
            if !name.ends_with(".xml") {
                continue;
            }
            let path = format!("{directory}/{name}");
            let read = match eyes.head(&path, LONGEST) {
                Ok(bytes) => record::parse(&String::from_utf8_lossy(&bytes)).map_err(|e| place(&e)),
                Err(Blind::Absent) => continue,
                Err(Blind::Unreadable(reason)) => Err(reason),
            };
            match read {
                // libvirt names the directory for the guest; the record may hold an older name.
                Ok(record) => found.push(GuestSnapshot {
                    guest: guest.clone(),
                    path,
                    ..record
                }),
                Err(reason) => snapshot.item_not_read(Source::Images, path, reason),
            }
        }
    }
    found
}

fn listed(eyes: &mut Eyes<'_>, directory: &str, snapshot: &mut Snapshot) -> Vec<String> {
    match eyes.list(directory) {
        Ok(names) => names,
        Err(Blind::Absent) => Vec::new(),
        Err(Blind::Unreadable(reason)) => {
            snapshot.item_not_read(Source::Images, directory, reason);
            Vec::new()
        }
    }
}
