//! `/etc/fstab`, see fstab(5), mount(8) and systemd.mount(5).

use serde::{Deserialize, Serialize};

/// One good line of fstab, decoded (octal escapes, quotes).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Line in the file, from 1.
    pub line: u32,
    /// First field: device, `UUID=…`, `host:/path`, …
    pub source: String,
    /// Second field: mount point, `none` or `swap` for swap.
    pub target: String,
    /// Third field.
    pub fstype: String,
    /// Fourth field, split at commas; `["defaults"]` where the field is missing.
    pub options: Vec<String>,
    /// Fifth field, 0 where missing.
    pub dump: u32,
    /// Sixth field, 0 where missing.
    pub pass: u32,
    /// The line as it stands in the file; empty in a snapshot made elsewhere.
    #[serde(default)]
    pub text: String,
}
