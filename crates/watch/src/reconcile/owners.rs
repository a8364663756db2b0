//! Which guest a port belongs to: from libvirt's files, without asking libvirt.
//!
//! The live status (`/run/libvirt/qemu/NAME.xml`) names the device of each interface. While a guest
//! starts, and until its status is written, its tap is known by its MAC: libvirt gives a tap the
//! guest's address with `fe` as its first byte, and the definition has that address.

use facts::domain::{self, Guest, Interface};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Live status of the guests that run.
const STATUS: &str = "/run/libvirt/qemu";
/// Definitions of all guests.
const DEFINITIONS: &str = "/etc/libvirt/qemu";
/// Network devices.
const DEVICES: &str = "/sys/class/net";
/// A larger file is no domain.
const MAX_FILE: u64 = 16 << 20;

/// The guest of a port, and which of its interfaces it is.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The guest.
    pub guest: Arc<Guest>,
    /// Position in [`Guest::interfaces`].
    pub interface: usize,
}

impl Owner {
    /// The interface.
    pub fn interface(&self) -> Option<&Interface> {
        self.guest.interfaces.get(self.interface)
    }
}

#[derive(Debug)]
struct Kept {
    modified: Option<SystemTime>,
    size: u64,
    guest: Option<Arc<Guest>>,
}

/// libvirt's files, each parsed once for each time that it changes.
#[derive(Debug, Default)]
pub struct Owners {
    kept: BTreeMap<PathBuf, Kept>,
}

impl Owners {
    /// Reads what changed since the last time, and returns the owners of ports by device name.
    pub fn read(&mut self, ports: &[&str]) -> BTreeMap<String, Owner> {
        let mut owners = BTreeMap::new();
        let running = self.guests(Path::new(STATUS));
        for guest in &running {
            for (at, interface) in guest.interfaces.iter().enumerate() {
                if let Some(target) = &interface.target {
                    let owner = Owner {
                        guest: Arc::clone(guest),
                        interface: at,
                    };
                    owners.insert(target.clone(), owner);
                }
            }
        }
        if ports.iter().all(|port| owners.contains_key(*port)) {
            return owners;
        }
        let defined = self.guests(Path::new(DEFINITIONS));
        for port in ports {
            if !owners.contains_key(*port)
                && let Some(address) = address(port)
                && let Some(owner) = by_address(&defined, &address)
            {
                owners.insert((*port).to_owned(), owner);
            }
        }
        owners
    }

    /// The guests of one directory's XML files. What cannot be read or parsed is passed over: its
    /// ports count as unknown.
    fn guests(&mut self, directory: &Path) -> Vec<Arc<Guest>> {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return Vec::new();
        };
        let mut guests = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "xml") {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            let (modified, size) = (meta.modified().ok(), meta.len());
            let fresh = |kept: &Kept| kept.modified == modified && kept.size == size;
            if !self.kept.get(&path).is_some_and(fresh) {
                let guest = parsed(&path, size);
                let kept = Kept {
                    modified,
                    size,
                    guest,
                };
                self.kept.insert(path.clone(), kept);
            }
            guests.extend(self.kept.get(&path).and_then(|kept| kept.guest.clone()));
        }
        guests
    }
}

fn parsed(path: &Path, size: u64) -> Option<Arc<Guest>> {
    if size > MAX_FILE {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    domain::parse(&text).ok().map(Arc::new)
}

fn address(port: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("{DEVICES}/{port}/address")).ok()?;
    Some(text.trim().to_ascii_lowercase())
}

/// The interface whose address is that of a tap but for the first byte.
pub fn by_address(guests: &[Arc<Guest>], tap: &str) -> Option<Owner> {
    let rest = tap.strip_prefix("fe:")?;
    guests.iter().find_map(|guest| {
        let same = |i: &Interface| i.mac.as_ref().is_some_and(|m| m.get(3..) == Some(rest));
        let interface = guest.interfaces.iter().position(same)?;
        Some(Owner {
            guest: Arc::clone(guest),
            interface,
        })
    })
}
