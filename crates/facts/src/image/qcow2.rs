//! The qcow2 header, versions 2 and 3, and its predecessor qcow (docs/interop/qcow2.rst of QEMU).

use super::header::{Header, HeaderError, name, take};

/// Header extension: format of the backing file.
const BACKING_FORMAT: u32 = 0xE279_2ACA;
/// Header extension: name of the external data file.
const DATA_FILE: u32 = 0x4441_5441;
/// Incompatible feature bits.
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;

/// Reads a header that begins with `QFI\xfb`; integers are big endian.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    let version = u32::from_be_bytes(take(bytes, 4)?);
    match version {
        1 => version_1(bytes),
        2 | 3 => version_2(bytes, version),
        other => Err(malformed(format!("version {other} (known: 1, 2, 3)"))),
    }
}

fn malformed(reason: String) -> HeaderError {
    HeaderError::Malformed {
        format: "qcow2",
        reason,
    }
}

fn version_1(bytes: &[u8]) -> Result<Header, HeaderError> {
    Ok(Header {
        format: "qcow",
        virtual_size: Some(u64::from_be_bytes(take(bytes, 24)?)),
        backing: backing(bytes, u64::MAX)?,
        encrypted: u32::from_be_bytes(take(bytes, 36)?) != 0,
        ..Header::default()
    })
}

fn version_2(bytes: &[u8], version: u32) -> Result<Header, HeaderError> {
    let cluster_bits = u32::from_be_bytes(take(bytes, 20)?);
    if !(9..=21).contains(&cluster_bits) {
        return Err(malformed(format!("cluster_bits {cluster_bits} (9 to 21)")));
    }
    let cluster = 1_u64 << cluster_bits;
    let (incompatible, header_length) = if version == 3 {
        (
            u64::from_be_bytes(take(bytes, 72)?),
            u32::from_be_bytes(take(bytes, 100)?),
        )
    } else {
        (0, 72)
    };
    if !(72..=cluster).contains(&u64::from(header_length)) {
        return Err(malformed(format!("header_length {header_length}")));
    }
    let mut header = Header {
        format: "qcow2",
        virtual_size: Some(u64::from_be_bytes(take(bytes, 24)?)),
        backing: backing(bytes, cluster)?,
        encrypted: u32::from_be_bytes(take(bytes, 32)?) != 0,
        corrupt: incompatible & CORRUPT != 0,
        ..Header::default()
    };
    let backing_offset = u64::from_be_bytes(take(bytes, 8)?);
    // Extensions end where the backing name begins, at the latest with the first cluster.
    let end = if backing_offset == 0 {
        cluster
    } else {
        backing_offset
    };
    extensions(bytes, header_length as usize, end, &mut header)?;
    if incompatible & EXTERNAL_DATA == 0 {
        // Without the feature bit the name is left over, and QEMU does not use it.
        header.data_file = None;
    }
    Ok(header)
}

fn backing(bytes: &[u8], cluster: u64) -> Result<Option<String>, HeaderError> {
    let offset = u64::from_be_bytes(take(bytes, 8)?);
    let length = u32::from_be_bytes(take(bytes, 16)?);
    if offset == 0 || length == 0 {
        return Ok(None);
    }
    if offset > cluster {
        return Err(malformed(format!(
            "the backing file's name at offset {offset}, outside the first cluster"
        )));
    }
    name(bytes, "qcow2", offset, length).map(Some)
}

/// Walks the header extensions: type, length, data padded to 8 bytes; type 0 ends them.
fn extensions(
    bytes: &[u8],
    begin: usize,
    end: u64,
    header: &mut Header,
) -> Result<(), HeaderError> {
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let mut at = begin;
    while at.saturating_add(8) <= end {
        let kind = u32::from_be_bytes(take(bytes, at)?);
        let length = u32::from_be_bytes(take(bytes, at + 4)?) as usize;
        at += 8;
        if kind == 0 {
            break;
        }
        if length > end - at {
            return Err(malformed(format!(
                "header extension {kind:#x} of {length} bytes does not fit"
            )));
        }
        if kind == BACKING_FORMAT || kind == DATA_FILE {
            let data = bytes.get(at..at + length).ok_or(HeaderError::Truncated {
                needed: at + length,
            })?;
            let text = String::from_utf8_lossy(data)
                .trim_end_matches('\0')
                .to_owned();
            let text = (!text.is_empty()).then_some(text);
            if kind == BACKING_FORMAT {
                header.backing_format = text;
            } else {
                header.data_file = text;
            }
        }
        at = at.saturating_add(length.next_multiple_of(8));
    }
    Ok(())
}
