//! libvirt's guests without libvirt: persistent definitions with their autostart links, and the
//! live status files that libvirtd keeps for guests that run. Works while libvirtd hangs.
//!
//! Only the system instance (`qemu:///system`) is read; guests of a user's own session
//! (`~/.config/libvirt`) are out of scope.

use super::definitions::{Autostart, Definitions, place};
use super::why;
use crate::{HostReader, Options};
use facts::domain::{self, Guest};
use facts::{Snapshot, Source};
use std::collections::BTreeMap;
use std::io;

const DEFINITIONS: &str = "/etc/libvirt/qemu";
/// The second is the older name; on most hosts a link to the first.
const STATUS: [&str; 2] = ["/run/libvirt/qemu", "/var/run/libvirt/qemu"];

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    let definitions = Definitions {
        reader,
        source: Source::Guests,
        directory: DEFINITIONS,
    };
    let mut guests: Vec<Guest> = definitions
        .read(snapshot, domain::parse)
        .into_iter()
        .map(|read| Guest {
            file: read.file,
            persistent: true,
            autostart: read.autostart.known(),
            autostart_broken: match read.autostart {
                Autostart::Broken(why) => Some(why),
                _ => None,
            },
            // A copy of `virsh dumpxml` may claim a state; a definition has none.
            state: None,
            ..read.value
        })
        .collect();
    if reader.live() {
        add_status(reader, snapshot, &mut guests);
    } else {
        snapshot.not_read(Source::GuestState, "a tree does not tell which guests run");
    }
    snapshot.guests = guests;
}

/// Joins the live status files with the definitions. Where they could be listed, a guest without
/// one is shut off.
fn add_status(reader: &dyn HostReader, snapshot: &mut Snapshot, guests: &mut Vec<Guest>) {
    let Some((directory, names)) = list_status(reader, snapshot) else {
        return;
    };
    let by_name: BTreeMap<String, usize> = guests
        .iter()
        .enumerate()
        .map(|(at, guest)| (guest.name.clone(), at))
        .collect();
    for guest in guests.iter_mut() {
        guest.state = Some("shut-off".to_owned());
    }
    for name in names.iter().filter(|name| name.ends_with(".xml")) {
        let file = format!("{directory}/{name}");
        let stem = name.trim_end_matches(".xml");
        let status = match reader.text(&file) {
            Ok(text) => domain::parse(&text).map_err(|error| place(&error)),
            // The guest ended between the list and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(why(&file, &error)),
        };
        match status {
            Ok(mut status) => {
                status.file.clone_from(&file);
                status.status_file = Some(file);
                if !lives(reader, &status) {
                    status.state = Some("shut-off".to_owned());
                    status.state_reason = Some("its QEMU process is gone".to_owned());
                    status.pid = None;
                }
                match by_name.get(&status.name) {
                    Some(&at) => {
                        let definition = std::mem::take(&mut guests[at]);
                        guests[at] = domain::merge(definition, status);
                    }
                    None => guests.push(Guest {
                        autostart: Some(false),
                        ..status
                    }),
                }
            }
            Err(reason) => {
                // Status files are named for the guest.
                if let Some(&at) = by_name.get(stem) {
                    guests[at].state = None;
                }
                snapshot.item_not_read(Source::GuestState, file, reason);
            }
        }
    }
}

fn list_status(
    reader: &dyn HostReader,
    snapshot: &mut Snapshot,
) -> Option<(&'static str, Vec<String>)> {
    for directory in STATUS {
        match reader.list(directory) {
            Ok(names) => return Some((directory, names)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                snapshot.not_read(Source::GuestState, why(directory, &error));
                return None;
            }
        }
    }
    // No libvirtd has run since the host booted: nothing runs.
    Some((STATUS[0], Vec::new()))
}

/// Whether the process of a status file is still that guest's QEMU. A status file outlives its
/// guest when libvirtd is not there to remove it, and process IDs are used again.
fn lives(reader: &dyn HostReader, status: &Guest) -> bool {
    let Some(pid) = status.pid else { return false };
    let Ok(command) = reader.read(&format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let command = String::from_utf8_lossy(&command);
    // A zombie has an empty command line. libvirt always passes `-uuid`.
    !command.is_empty() && (status.uuid.is_empty() || command.contains(&status.uuid))
}
