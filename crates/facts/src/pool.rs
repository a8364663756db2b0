//! libvirt storage pools, see libvirt's formatstorage.

use serde::{Deserialize, Serialize};

/// One storage pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// `dir`, `fs`, `netfs`, `logical`, `disk`, `iscsi`, `rbd`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Target path.
    pub target: Option<String>,
    /// Host and path or device it comes from, as `host:/path` or `device`.
    pub source: Option<String>,
    /// Whether it autostarts.
    pub autostart: Option<bool>,
    /// The file of the definition.
    pub file: String,
    /// Bytes of the file system behind a directory pool.
    pub capacity: Option<u64>,
    /// Bytes free for an ordinary user there.
    pub available: Option<u64>,
    /// Volumes found in a directory pool (paths).
    pub volumes: Vec<String>,
}
