//! One host as it was at one moment: the versioned file format `nofail.snapshot/1`.

use crate::{
    block::BlockDevices, bmc::Bmc, bridge::Bridge, bridge::Device, domain::Guest, fstab,
    hook::Hooks, image::Images, kernel::Kernel, mount, names::Names, network::Network, nic::Nic,
    pool::Pool, profile::Profile, source::Source, source::Unread, syntax::SyntaxError, unit,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;

/// The schema name that every snapshot file carries.
pub const SCHEMA: &str = "nofail.snapshot/1";

/// Everything that was read from one host, and what was not.
///
/// A section that is empty was read and holds nothing, unless [`Snapshot::unread`] names its
/// source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The host's own name, `unknown` where the tree does not tell.
    pub host: String,
    /// When it was taken, RFC 3339 with seconds, UTC; empty where not known.
    pub taken_at: String,
    /// How it was read: `live`, `root`, `ssh`, `recorded`.
    pub reader: String,
    /// `PRETTY_NAME` of os-release.
    pub os: Option<String>,
    /// systemd's version number, where found.
    pub systemd_version: Option<u32>,
    /// libvirt's version, `major.minor.micro`, where found.
    pub libvirt_version: Option<String>,
    /// Good lines of `/etc/fstab`, in order.
    pub fstab: Vec<fstab::Entry>,
    /// Lines of `/etc/fstab` that break its grammar.
    pub fstab_errors: Vec<SyntaxError>,
    /// The text of these lines, by line number.
    pub fstab_bad_lines: BTreeMap<u32, String>,
    /// The mount table.
    pub mounts: Vec<mount::Mount>,
    /// Directories that fstab mounts over, as found.
    pub mount_points: Vec<mount::MountPoint>,
    /// Block devices and what lies behind them.
    pub block_devices: BlockDevices,
    /// Guests, running and shut off.
    pub guests: Vec<Guest>,
    /// Disk images, managed saves and snapshots.
    pub images: Images,
    /// Storage pools.
    pub pools: Vec<Pool>,
    /// libvirt networks.
    pub networks: Vec<Network>,
    /// Bridges of the running kernel.
    pub bridges: Vec<Bridge>,
    /// Network devices around the bridges, and the host's addresses (read with the bridges).
    pub devices: Vec<Device>,
    /// Network profiles.
    pub profiles: Vec<Profile>,
    /// libvirt hooks.
    pub hooks: Hooks,
    /// systemd units.
    pub units: unit::Units,
    /// Earlier boots, latest first; the running one is index 0 with offset 0.
    pub boots: Vec<unit::Boot>,
    /// libvirt's daemons and libvirt-guests.
    pub daemons: unit::Daemons,
    /// Name resolution.
    pub names: Names,
    /// Physical network interfaces.
    pub nics: Vec<Nic>,
    /// The BMC.
    pub bmc: Bmc,
    /// Kernel settings and watchdogs.
    pub kernel: Kernel,
    /// What was not read, and why.
    pub unread: Vec<Unread>,
}

/// Why a snapshot file could not be used.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Not JSON, or not of this shape. The message tells the cause, so it is no source besides.
    #[error("not a snapshot: {0}")]
    Json(serde_json::Error),
    /// JSON of another schema.
    #[error("the schema is {found:?}, this nofail reads {SCHEMA:?}")]
    Schema {
        /// What stands there.
        found: String,
    },
}

impl Snapshot {
    /// An empty snapshot of a host, for a collector to fill.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            host: host.into(),
            ..Self::default()
        }
    }

    /// Reads a snapshot file. A section that the file leaves out counts as *not read*.
    ///
    /// # Errors
    /// [`SnapshotError`] with the position of what is wrong.
    pub fn from_json(text: &str) -> Result<Self, SnapshotError> {
        let whole = serde_json::from_str(text);
        // Another schema may well be of another shape: say that first.
        let whole = whole.map_err(|error| match schema_of(text) {
            Some(found) if found != SCHEMA => SnapshotError::Schema { found },
            _ => SnapshotError::Json(error),
        });
        let Whole {
            mut snapshot,
            sections,
        } = whole?;
        if snapshot.schema != SCHEMA {
            return Err(SnapshotError::Schema {
                found: snapshot.schema,
            });
        }
        for &source in Source::ALL {
            let whole = |u: &Unread| u.source == source && u.item.is_none();
            if !sections.contains(source.section()) && !snapshot.unread.iter().any(whole) {
                snapshot.not_read(source, "the snapshot has no such section");
            }
        }
        snapshot.shrink();
        Ok(snapshot)
    }

    /// Gives back what the lists of the guests have in reserve: a site holds thousands of guests,
    /// most with one interface and one disk in room for four.
    fn shrink(&mut self) {
        for guest in &mut self.guests {
            guest.disks.shrink_to_fit();
            guest.interfaces.shrink_to_fit();
        }
        self.guests.shrink_to_fit();
        self.images.files.shrink_to_fit();
        for bridge in &mut self.bridges {
            bridge.ports.shrink_to_fit();
        }
    }

    /// Records that a whole source was not read.
    pub fn not_read(&mut self, source: Source, reason: impl Into<String>) {
        self.unread.push(Unread {
            source,
            item: None,
            reason: reason.into(),
        });
    }

    /// Records that one item of a source was not read.
    pub fn item_not_read(
        &mut self,
        source: Source,
        item: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.unread.push(Unread {
            source,
            item: Some(item.into()),
            reason: reason.into(),
        });
    }

    /// Why a whole source was not read; `None` where it was.
    pub fn why_unread(&self, source: Source) -> Option<&str> {
        self.unread
            .iter()
            .find(|u| u.source == source && u.item.is_none())
            .map(|u| u.reason.as_str())
    }
}

/// What a file says of itself, whatever its sections are.
fn schema_of(text: &str) -> Option<String> {
    let sections: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    serde_json::from_str(sections.get("schema")?.get()).ok()
}

/// A snapshot, and which sections its file has; both in one pass, since files are large.
struct Whole {
    snapshot: Snapshot,
    sections: BTreeSet<String>,
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(file: D) -> Result<Self, D::Error> {
        file.deserialize_map(WholeVisitor)
    }
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Whole, A::Error> {
        let mut sections = BTreeSet::new();
        let noting = Noting {
            map,
            sections: &mut sections,
        };
        let snapshot = Snapshot::deserialize(MapAccessDeserializer::new(noting))?;
        Ok(Whole { snapshot, sections })
    }
}

/// A map that notes its keys as they pass.
struct Noting<'a, A> {
    map: A,
    sections: &'a mut BTreeSet<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Noting<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.map.next_key::<String>()? else {
            return Ok(None);
        };
        let value = seed.deserialize(key.as_str().into_deserializer())?;
        self.sections.insert(key);
        Ok(Some(value))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
