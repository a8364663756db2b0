//! VMDK: a text descriptor (a file of its own, or inside a sparse extent) that names the extents
//! and the parent ("VMware Virtual Disk Format 5.0").

use super::header::{Header, HeaderError, take};

const SECTOR: u64 = 512;
/// A descriptor is a page or two of text; QEMU reads at most 1 MiB.
const LONGEST_DESCRIPTOR: u64 = 1 << 20;

/// Whether the bytes begin a text descriptor: comments, then `version=`.
pub(super) fn is_descriptor(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]);
    head.lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with('#'))
        .any(|line| line.eq_ignore_ascii_case("# Disk DescriptorFile"))
}

/// Reads a descriptor, or a sparse extent that holds one.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    if bytes.starts_with(b"COWD") {
        // ESX 2 and Workstation 3 sparse extent: capacity in sectors at 12.
        let sectors = u32::from_le_bytes(take(bytes, 12)?);
        return Ok(Header {
            format: "vmdk",
            virtual_size: Some(u64::from(sectors) * SECTOR),
            ..Header::default()
        });
    }
    if !bytes.starts_with(b"KDMV") {
        // The file is the descriptor; the caller's bytes may be its beginning only, but the
        // lines that matter stand first.
        return Ok(descriptor(bytes));
    }
    let capacity = u64::from_le_bytes(take(bytes, 12)?);
    let offset = u64::from_le_bytes(take(bytes, 28)?).saturating_mul(SECTOR);
    let length = u64::from_le_bytes(take(bytes, 36)?).saturating_mul(SECTOR);
    let mut header = Header {
        format: "vmdk",
        ..Header::default()
    };
    if offset != 0 {
        if offset > LONGEST_DESCRIPTOR || length > LONGEST_DESCRIPTOR {
            return Err(HeaderError::Malformed {
                format: "vmdk",
                reason: format!("a descriptor of {length} bytes at offset {offset}"),
            });
        }
        let (begin, length) = (offset as usize, length as usize);
        let text = bytes.get(begin..begin + length).ok_or({
            HeaderError::Truncated {
                needed: begin + length,
            }
        })?;
        header = descriptor(text);
        // An embedded descriptor lists the very file that it stands in.
        header.extents.clear();
    }
    header.virtual_size = Some(capacity.saturating_mul(SECTOR));
    Ok(header)
}

fn descriptor(bytes: &[u8]) -> Header {
    let text = String::from_utf8_lossy(bytes);
    let text = text.split('\0').next().unwrap_or_default();
    let mut header = Header {
        format: "vmdk",
        ..Header::default()
    };
    let mut sectors: u64 = 0;
    for line in text.lines().map(str::trim) {
        if let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case("parentFileNameHint")
        {
            let value = value.trim().trim_matches('"');
            header.backing = (!value.is_empty()).then(|| value.to_owned());
        }
        // An extent: access, size in sectors, type, "file", and an offset for flat ones.
        let mut words = line.splitn(4, ' ');
        if let (Some("RW" | "RDONLY" | "NOACCESS"), Some(size), Some(_), Some(rest)) =
            (words.next(), words.next(), words.next(), words.next())
        {
            sectors = sectors.saturating_add(size.parse().unwrap_or(0));
            if let Some(name) = rest.split('"').nth(1) {
                header.extents.push(name.to_owned());
            }
        }
    }
    header.virtual_size = Some(sectors.saturating_mul(SECTOR));
    header
}
