//! The header of libvirt's QEMU save file (`virsh save`, `virsh managedsave`): the domain XML that
//! a restore would use (libvirt: `src/qemu/qemu_saveimage.h`).
//!
//! Magic, then integers of the machine that wrote it: version, length of the data that follows
//! the header, whether the guest ran, compression, offset of a cookie behind the XML; 92 bytes in
//! all. The XML ends with a NUL.

use super::ManagedSave;
use crate::domain;
use thiserror::Error;

/// Bytes of the header, which the XML follows.
pub const HEADER: usize = 92;
/// libvirt writes some tens of KiB; a header that says more than this is none.
const LONGEST_XML: u32 = 16 << 20;

/// Why a save image could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SaveError {
    /// The bytes given end before the XML does.
    #[error("the domain XML goes on: the first {needed} bytes are needed")]
    Truncated {
        /// How many bytes from the beginning of the file are needed.
        needed: usize,
    },
    /// It is no save image.
    #[error("no save image of libvirt's: {0}")]
    NotASave(&'static str),
    /// The XML in it is broken.
    #[error("the domain XML in the save image: {0}")]
    Xml(crate::SyntaxError),
}

/// Reads a save image from its first bytes. `path` stays empty.
///
/// # Errors
/// [`SaveError`]; [`SaveError::Truncated`] says how many bytes are needed.
pub fn parse(bytes: &[u8]) -> Result<ManagedSave, SaveError> {
    let header = bytes
        .get(..HEADER)
        .ok_or(SaveError::Truncated { needed: HEADER })?;
    let partial = match &header[..16] {
        b"LibvirtQemudSave" => false,
        // Written first, and replaced at the end: the save was never finished.
        b"LibvirtQemudPart" => true,
        _ => return Err(SaveError::NotASave("the magic is another")),
    };
    let native: Vec<u32> = header[16..36]
        .chunks_exact(4)
        .filter_map(|chunk| chunk.try_into().ok().map(u32::from_le_bytes))
        .collect();
    let [version, data, running, _, cookie] = native[..] else {
        return Err(SaveError::NotASave("the header is cut off"));
    };
    // A save of a machine of the other byte order has an absurd version until it is swapped.
    let swap = |value: u32| {
        if version > 0xFFFF {
            value.swap_bytes()
        } else {
            value
        }
    };
    let (version, data, running, cookie) = (swap(version), swap(data), swap(running), swap(cookie));
    if !(1..=2).contains(&version) {
        return Err(SaveError::NotASave("its version is not 1 or 2"));
    }
    let longest = if cookie == 0 { data } else { cookie.min(data) };
    if longest == 0 || longest > LONGEST_XML {
        return Err(SaveError::NotASave("the length of its XML is impossible"));
    }
    let body = &bytes[HEADER..];
    let body = &body[..body.len().min(longest as usize)];
    let xml = match body.iter().position(|byte| *byte == 0) {
        Some(end) => &body[..end],
        None if body.len() == longest as usize => body,
        None => {
            return Err(SaveError::Truncated {
                needed: HEADER + longest as usize,
            });
        }
    };
    let guest = domain::parse(&String::from_utf8_lossy(xml)).map_err(SaveError::Xml)?;
    let sources = || guest.disks.iter().filter(|disk| disk.source.is_some());
    Ok(ManagedSave {
        guest: guest.name.clone(),
        uuid: guest.uuid.clone(),
        targets: sources().map(|disk| disk.target.clone()).collect(),
        disks: sources().filter_map(|disk| disk.source.clone()).collect(),
        was_running: Some(running != 0),
        partial,
        ..ManagedSave::default()
    })
}
