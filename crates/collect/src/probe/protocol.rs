//! What parent and child say to each other: one JSON value per line.

use serde::{Deserialize, Serialize};

/// The longest read that one request may ask for, bytes.
pub(super) const MAX_READ: usize = 1 << 20;
/// Entries of a directory that are counted before the child stops.
pub(super) const MAX_COUNT: u64 = 100_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// stat(2), forced to ask the server, automounts not triggered.
    Stat { path: String },
    /// Names in a directory, the first `limit`, and how many there are, counted to `count_to`.
    List {
        path: String,
        limit: usize,
        count_to: u64,
    },
    /// Bytes of a file.
    ReadAt {
        path: String,
        offset: u64,
        length: usize,
    },
    /// statvfs(3).
    StatVfs { path: String },
    /// access(2) with `W_OK`: asks, does not write.
    Writable { path: String },
    /// The path without links in it.
    Canonical { path: String },
    /// Names in `inside`, relative to the root of the mount at `mount`, with everything that is
    /// mounted below left away.
    Under {
        mount: String,
        inside: String,
        limit: usize,
    },
}

impl Request {
    /// The path that may hang.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Stat { path }
            | Self::List { path, .. }
            | Self::ReadAt { path, .. }
            | Self::StatVfs { path }
            | Self::Writable { path }
            | Self::Canonical { path } => path,
            Self::Under { mount, .. } => mount,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Response {
    Stat(ProbeStat),
    List(ProbeList),
    /// Hexadecimal, two digits a byte.
    Bytes(String),
    StatVfs(ProbeVfs),
    Writable,
    Path(String),
    /// The kernel's error number.
    Errno(i32),
}

/// What stat(2) said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStat {
    /// Type and permission bits, `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size, bytes.
    pub size: u64,
    /// Bytes really allocated.
    pub allocated: u64,
    /// `major:minor` of the file system's device.
    pub device: String,
    /// Inode number.
    pub inode: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
}

impl ProbeStat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeList {
    /// Some names, in the order in which the file system gives them, sorted.
    pub names: Vec<String>,
    /// How many there are (counted up to 100,000; [`super::Prober::peek`] stops at its limit).
    pub count: u64,
    /// Permission bits of the directory itself.
    pub mode: u32,
}

/// What statvfs(3) said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeVfs {
    /// Size of the file system, bytes.
    pub size: u64,
    /// Free for root, bytes.
    pub free: u64,
    /// Free for everybody, bytes.
    pub available: u64,
    /// Whether the file system says that it is read-only.
    pub read_only: bool,
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |d: u8| char::from(d).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
