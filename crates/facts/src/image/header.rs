//! The first bytes of a disk image: its format, size, and the other files it needs.

use super::{qcow2, vmdk};
use thiserror::Error;

/// How many bytes nearly every header fits into; [`HeaderError::Truncated`] asks for more.
pub const FIRST_READ: usize = 4096;

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Format by QEMU's name: `qcow2`, `qcow`, `qed`, `vmdk`, `vdi`, `vhdx`, `vpc`, `luks`,
    /// `parallels`, `raw`.
    pub format: &'static str,
    /// Size that the guest sees; `None` where the header does not say (raw: the file's size).
    pub virtual_size: Option<u64>,
    /// Backing file as it is named in the header.
    pub backing: Option<String>,
    /// Format of the backing file, where the header says.
    pub backing_format: Option<String>,
    /// External data file as it is named in the header (qcow2).
    pub data_file: Option<String>,
    /// Extent files of a VMDK descriptor.
    pub extents: Vec<String>,
    /// Whether the data is encrypted.
    pub encrypted: bool,
    /// Whether the image carries QEMU's mark of corruption.
    pub corrupt: bool,
}

/// Why a header could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The bytes given end before the header does.
    #[error("the header goes on: the first {needed} bytes are needed")]
    Truncated {
        /// How many bytes from the beginning of the file are needed.
        needed: usize,
    },
    /// The header breaks its format.
    #[error("malformed {format} header: {reason}")]
    Malformed {
        /// The format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the header of an image from the first bytes of the file. What has no known magic is raw.
///
/// # Errors
/// [`HeaderError::Truncated`] where more bytes are needed; if the file has no more, it is cut off.
/// [`HeaderError::Malformed`] where QEMU would refuse it, too.
pub fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"QFI\xfb") {
        return qcow2::parse(bytes);
    }
    if begins(b"QED\0") {
        return qed(bytes);
    }
    if begins(b"KDMV") || begins(b"COWD") || vmdk::is_descriptor(bytes) {
        return vmdk::parse(bytes);
    }
    let known = |format, virtual_size| {
        Ok(Header {
            format,
            virtual_size,
            ..Header::default()
        })
    };
    if bytes.get(0x40..0x44) == Some(&[0x7f, 0x10, 0xda, 0xbe]) {
        // VirtualBox VDI: disk size in bytes at 0x170, little endian.
        return known("vdi", Some(u64::from_le_bytes(take(bytes, 0x170)?)));
    }
    if begins(b"vhdxfile") {
        // The size stands in a metadata region that the region table points to: not read.
        return known("vhdx", None);
    }
    if begins(b"conectix") {
        return known("vpc", None);
    }
    if begins(b"LUKS\xba\xbe") {
        return Ok(Header {
            format: "luks",
            encrypted: true,
            ..Header::default()
        });
    }
    if begins(b"WithoutFreeSpace") || begins(b"WithouFreSpacExt") {
        return known("parallels", None);
    }
    known("raw", None)
}

/// QEMU's former QED format (docs/interop/qed_spec.txt of QEMU), little endian.
fn qed(bytes: &[u8]) -> Result<Header, HeaderError> {
    const HAS_BACKING: u64 = 1;
    const BACKING_IS_RAW: u64 = 4;
    let features = u64::from_le_bytes(take(bytes, 16)?);
    let mut header = Header {
        format: "qed",
        virtual_size: Some(u64::from_le_bytes(take(bytes, 48)?)),
        ..Header::default()
    };
    if features & HAS_BACKING != 0 {
        let offset = u32::from_le_bytes(take(bytes, 56)?);
        let length = u32::from_le_bytes(take(bytes, 60)?);
        let name = name(bytes, "qed", offset.into(), length)?;
        header.backing = Some(name);
        if features & BACKING_IS_RAW != 0 {
            header.backing_format = Some("raw".to_owned());
        }
    }
    Ok(header)
}

/// `N` bytes at an offset.
pub(super) fn take<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], HeaderError> {
    let end = offset.saturating_add(N);
    bytes
        .get(offset..end)
        .and_then(|slice| slice.try_into().ok())
        .ok_or(HeaderError::Truncated { needed: end })
}

/// A file name in a header. QEMU allows up to 1023 bytes, within the first cluster (at most
/// 64 MiB, for QED).
pub(super) fn name(
    bytes: &[u8],
    format: &'static str,
    offset: u64,
    length: u32,
) -> Result<String, HeaderError> {
    const LONGEST: u32 = 1023;
    const FARTHEST: u64 = 64 << 20;
    let malformed = |reason: String| HeaderError::Malformed { format, reason };
    if length > LONGEST {
        return Err(malformed(format!(
            "a file name of {length} bytes (at most {LONGEST})"
        )));
    }
    if offset > FARTHEST {
        return Err(malformed(format!("a file name at offset {offset}")));
    }
    let begin = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = begin.saturating_add(length as usize);
    let name = bytes
        .get(begin..end)
        .ok_or(HeaderError::Truncated { needed: end })?;
    // A name ends at a NUL if one stands in it, as in QEMU's C strings.
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Err(malformed("an empty file name".to_owned()));
    }
    Ok(String::from_utf8_lossy(name).into_owned())
}
