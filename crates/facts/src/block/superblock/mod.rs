//! What lies on a device or in an image, told from its first bytes (and some at its end): file
//! systems, swap, LUKS, LVM, md.
//!
//! Names of types, and the way in which UUIDs and labels are written, are those of blkid(8);
//! tests compare both on images that the real mkfs programs made.

mod container;
mod disk;
mod linux;
mod microsoft;

use super::Damage;

pub use disk::{Partition, PartitionTable, partition_table};

/// Random access to bytes, given by whoever can read: a slice, a file in a tree, a probe child.
pub struct Image<'a> {
    size: u64,
    read: &'a dyn Fn(u64, usize) -> Option<Vec<u8>>,
}

impl<'a> Image<'a> {
    /// An image of `size` bytes. `read(offset, length)` gives exactly `length` bytes, or nothing.
    pub fn new(size: u64, read: &'a dyn Fn(u64, usize) -> Option<Vec<u8>>) -> Self {
        Self { size, read }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// `length` bytes at `offset`; `None` beyond the end or where they could not be read.
    pub fn at(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        if offset.checked_add(length as u64)? > self.size {
            return None;
        }
        (self.read)(offset, length).filter(|bytes| bytes.len() == length)
    }

    fn has(&self, offset: u64, magic: &[u8]) -> bool {
        self.at(offset, magic.len()).as_deref() == Some(magic)
    }
}

/// One recognised content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its type as blkid names it.
    pub fstype: &'static str,
    /// UUID (or serial number) as blkid writes it.
    pub uuid: Option<String>,
    /// Label.
    pub label: Option<String>,
    /// What is wrong with it, as far as its first blocks tell.
    pub damage: Option<Damage>,
}

impl Signature {
    fn new(fstype: &'static str) -> Self {
        Self {
            fstype,
            uuid: None,
            label: None,
            damage: None,
        }
    }

    fn with(fstype: &'static str, uuid: Option<String>, label: Option<String>) -> Self {
        Self {
            fstype,
            uuid,
            label: label.filter(|l| !l.is_empty()),
            damage: None,
        }
    }
}

/// Every content that is recognised, in blkid's order: containers (md, LVM, LUKS) first. More
/// than one means that something was not wiped before: blkid calls that ambivalent and names none.
/// A container that is recognised is the only one named, as its members' data may look like
/// anything.
pub fn probe(image: &Image<'_>) -> Vec<Signature> {
    let containers: Vec<Signature> = container::ALL.iter().filter_map(|p| p(image)).collect();
    if !containers.is_empty() {
        return containers.into_iter().take(1).collect();
    }
    let known = microsoft::ALL.iter().chain(linux::ALL);
    known.filter_map(|probe| probe(image)).collect()
}

type Probe = fn(&Image<'_>) -> Option<Signature>;

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A UUID in its usual form; nothing for one of zeros only.
fn uuid(bytes: &[u8]) -> Option<String> {
    if bytes.len() != 16 || bytes.iter().all(|b| *b == 0) {
        return None;
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Some(text)
}

/// A GUID as GPT stores it: the first three groups little-endian.
fn guid(bytes: &[u8]) -> Option<String> {
    let mut turned: [u8; 16] = bytes.try_into().ok()?;
    turned[0..4].reverse();
    turned[4..6].reverse();
    turned[6..8].reverse();
    uuid(&turned)
}

/// Text up to the first NUL, without blanks at its end.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    let text = text.trim_end_matches([' ', '\t', '\n']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// UTF-16, little-endian, up to the first NUL.
fn utf16(bytes: &[u8]) -> Option<String> {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|unit| *unit != 0);
    let text: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    let text = text.trim_end_matches(' ');
    (!text.is_empty()).then(|| text.to_owned())
}
