//! What is no file system but holds one: LUKS, LVM physical volumes, members of md arrays.

use super::{Image, Probe, Signature, le32, le64, text, uuid};

pub(super) const ALL: &[Probe] = &[md, lvm, luks];

const MD_MAGIC: u32 = 0xa92b_4efc;

/// Member of an md array, md(4): version 1.x at one of three places, 0.90 near the end.
fn md(image: &Image<'_>) -> Option<Signature> {
    let sectors = image.size() / 512;
    let end = sectors.checked_sub(16).map(|s| (s & !7) * 512);
    for at in [end, Some(0), Some(4096)].into_iter().flatten() {
        let Some(block) = image.at(at, 256) else {
            continue;
        };
        let here = le64(&block, 144).and_then(|s| s.checked_mul(512));
        if le32(&block, 0) == Some(MD_MAGIC) && le32(&block, 4) == Some(1) && here == Some(at) {
            return Some(Signature::with(
                "linux_raid_member",
                uuid(&block[16..32]),
                text(&block[32..64]),
            ));
        }
    }
    let at = (image.size() & !0xffff).checked_sub(65_536)?;
    let block = image.at(at, 256)?;
    if le32(&block, 0)? != MD_MAGIC || le32(&block, 4)? != 0 {
        return None;
    }
    // The UUID lies in two places, as four numbers in the machine's byte order.
    let mut bytes = Vec::with_capacity(16);
    for at in [20, 52, 56, 60] {
        bytes.extend(le32(&block, at)?.to_be_bytes());
    }
    Some(Signature::with("linux_raid_member", uuid(&bytes), None))
}

/// LVM2 physical volume: a label in one of the first four sectors.
fn lvm(image: &Image<'_>) -> Option<Signature> {
    (0..4_u64).find_map(|sector| {
        let block = image.at(sector * 512, 512)?;
        if block[..8] != *b"LABELONE" || block[24..32] != *b"LVM2 001" {
            return None;
        }
        let from = usize::try_from(le32(&block, 20)?).ok()?;
        let id = block.get(from..from.checked_add(32)?)?;
        let id = std::str::from_utf8(id).ok().filter(|t| t.is_ascii())?;
        let mut parts = Vec::new();
        let mut at = 0;
        for length in [6, 4, 4, 4, 4, 4, 6] {
            parts.push(&id[at..at + length]);
            at += length;
        }
        Some(Signature::with("LVM2_member", Some(parts.join("-")), None))
    })
}

/// LUKS 1 and 2 (cryptsetup's on-disk format); both have the UUID as text at the same place.
fn luks(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(0, 512)?;
    if block[..6] != *b"LUKS\xba\xbe" {
        return None;
    }
    let label = match u16::from_be_bytes([block[6], block[7]]) {
        1 => None,
        2 => text(&block[24..72]),
        _ => return None,
    };
    Some(Signature::with(
        "crypto_LUKS",
        text(&block[168..208]),
        label,
    ))
}
