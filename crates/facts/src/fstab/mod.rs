//! `/etc/fstab`, see fstab(5), mount(8) and systemd.mount(5).
//!
//! Two programs read this file, with two parsers that do not agree: mount(8) through libmount,
//! and systemd-fstab-generator through glibc's getmntent(3). [`parse`] reads a line as libmount
//! does (so that `findmnt --fstab` shows the same); what systemd would make of it differently is
//! said by [`remarks`].
//!
//! [`Document`] is lossless: it gives back the file byte for byte, and an edit changes only the
//! fields concerned.

mod classify;
mod document;
mod edit;
mod field;
mod options;
mod remark;

pub use classify::{SourceKind, Tag, classify, fstype_is_network, is_address};
pub use document::{Document, Line, LineKind, parse};
pub use edit::{EditError, Field};
pub use field::{decode, encode};
pub use options::{join_options, split_options};
pub use remark::remarks;

use crate::path;
use serde::{Deserialize, Serialize};

/// One good line of fstab, decoded (octal escapes, quotes).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Line in the file, from 1.
    pub line: u32,
    /// First field: device, `UUID=…`, `host:/path`, … Quotes around a tag's value stand here as
    /// they stand in the file, as `findmnt --fstab` shows them; [`Entry::kind`] takes them off.
    pub source: String,
    /// Second field: mount point, `none` or `swap` for swap.
    pub target: String,
    /// Third field.
    pub fstype: String,
    /// Fourth field, split at commas; `["defaults"]` where the field is missing.
    pub options: Vec<String>,
    /// Fifth field, 0 where missing.
    pub dump: i32,
    /// Sixth field, 0 where missing.
    pub pass: i32,
    /// The line as it stands in the file; empty in a snapshot made elsewhere.
    #[serde(default)]
    pub text: String,
}

impl Entry {
    /// What the first field names.
    pub fn kind(&self) -> SourceKind {
        classify(&self.source, &self.fstype, &self.options)
    }

    /// The value of the option `name=value`; of several the last, which is the one that counts.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find_map(|o| o.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether the option stands there, with or without a value.
    pub fn has_option(&self, name: &str) -> bool {
        self.options
            .iter()
            .any(|o| o == name || o.strip_prefix(name).is_some_and(|r| r.starts_with('=')))
    }

    /// Whether `yes` is in force where `no` is its opposite (`auto`/`noauto`, `nofail`/`fail`):
    /// the last of both counts, as in systemd's generator and in mount(8).
    pub fn flag(&self, yes: &str, no: &str) -> Option<bool> {
        self.options.iter().rev().find_map(|o| {
            if o == yes {
                Some(true)
            } else if o == no {
                Some(false)
            } else {
                None
            }
        })
    }

    /// Whether `nofail` is in force.
    pub fn nofail(&self) -> bool {
        self.flag("nofail", "fail").unwrap_or(false)
    }

    /// Whether `noauto` is in force.
    pub fn noauto(&self) -> bool {
        self.flag("noauto", "auto").unwrap_or(false)
    }

    /// Whether this is a swap line: systemd and swapon(8) ask the type only.
    pub fn is_swap(&self) -> bool {
        self.fstype == "swap"
    }

    /// Whether this is a bind mount (`bind`, `rbind`).
    pub fn is_bind(&self) -> bool {
        self.has_option("bind") || self.has_option("rbind")
    }

    /// Whether systemd takes this mount for a network mount and puts it under
    /// `remote-fs.target`: by `_netdev` or by the type, and by nothing else
    /// (systemd.mount(5), "_netdev"; the list of types in [`fstype_is_network`]).
    pub fn is_network(&self) -> bool {
        self.has_option("_netdev") || fstype_is_network(&self.fstype)
    }

    /// Names and addresses of the servers that must answer for this mount, without ports and
    /// brackets; empty for a local source.
    pub fn network_hosts(&self) -> Vec<String> {
        classify::hosts(self)
    }

    /// The mount point as systemd writes it: repeated and trailing slashes removed.
    pub fn mount_point(&self) -> String {
        path::simplify(&self.target)
    }
}

#[cfg(test)]
mod tests;
