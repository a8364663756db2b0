//! What a path holds: everything that must come back when a change is undone.

use crate::error::Error;
use crate::root::Root;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// No file that nofail changes is larger.
pub const MAX_FILE: u64 = 16 << 20;

/// Content of a file, or the value of an attribute. In JSON a string where it is text, else
/// `{"hex": "…"}`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BytesForm {
    Text(String),
    Hex { hex: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let hex = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
                BytesForm::Hex { hex }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match BytesForm::deserialize(deserializer)? {
            BytesForm::Text(text) => Ok(Self(text.into_bytes())),
            BytesForm::Hex { hex } => {
                let digits: Option<Vec<u8>> = hex
                    .chars()
                    .map(|c| u8::try_from(c.to_digit(16)?).ok())
                    .collect();
                match digits {
                    Some(digits) if digits.len() % 2 == 0 => Ok(Self(
                        digits
                            .chunks(2)
                            .map(|pair| pair[0] << 4 | pair[1])
                            .collect(),
                    )),
                    _ => Err(D::Error::custom(
                        "`hex` holds something else than pairs of digits",
                    )),
                }
            }
        }
    }
}

/// Owner, mode and extended attributes (the SELinux label and ACLs are among these).
///
/// Kept out are `security.ima` and `security.evm`, which the kernel itself computes from the
/// content (Documentation/ABI/testing/evm).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Permission bits with set-ID and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, Bytes>,
}

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum State {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its content.
        content: Bytes,
        /// Owner, mode, attributes.
        #[serde(flatten)]
        meta: Meta,
    },
    /// A symbolic link.
    Link {
        /// What it holds.
        target: String,
        /// Owner and attributes; a link has no mode of its own.
        #[serde(flatten)]
        meta: Meta,
    },
    /// A directory; what is in it is not part of its state.
    Directory {
        /// Owner, mode, attributes.
        #[serde(flatten)]
        meta: Meta,
    },
}

impl State {
    /// Reads what a path holds now; a directory on the way that does not exist makes it absent.
    ///
    /// # Errors
    /// It cannot be read, or is of a kind that nofail does not replace.
    pub fn read(root: &Root, path: &str, follow: bool) -> Result<Self, Error> {
        match root.place(path, follow) {
            Ok(place) => place.state(),
            Err(Error::Path { source, .. })
                if matches!(
                    rustix::io::Errno::from_io_error(&source),
                    Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR)
                ) =>
            {
                Ok(Self::Absent)
            }
            Err(error) => Err(error),
        }
    }

    /// The content of a file.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::File { content, .. } => Some(&content.0),
            _ => None,
        }
    }

    /// Owner, mode and attributes; `None` where there is nothing.
    pub fn meta(&self) -> Option<&Meta> {
        match self {
            Self::Absent => None,
            Self::File { meta, .. } | Self::Link { meta, .. } | Self::Directory { meta } => {
                Some(meta)
            }
        }
    }

    /// Whether two states are the same as far as a step vouches for it. New things get the label
    /// that the policy gives them: attributes of what did not exist before are not compared.
    pub(crate) fn same(&self, planned: &Self) -> bool {
        let bare = |meta: &Meta, planned: &Meta| {
            (meta.mode, meta.uid, meta.gid) == (planned.mode, planned.uid, planned.gid)
                && planned
                    .xattrs
                    .iter()
                    .all(|(name, value)| meta.xattrs.get(name) == Some(value))
        };
        match (self, planned) {
            (Self::Absent, Self::Absent) => true,
            (
                Self::File { content: a, meta },
                Self::File {
                    content: b,
                    meta: planned,
                },
            ) => a == b && bare(meta, planned),
            (Self::Link { target: a, .. }, Self::Link { target: b, .. }) => a == b,
            (Self::Directory { meta }, Self::Directory { meta: planned }) => bare(meta, planned),
            _ => false,
        }
    }
}
