//! FAT, exFAT, NTFS and ISO 9660: labels lie in directories, so more than one block is read.

use super::{Image, Probe, Signature, le16, le32, le64, text, utf16};

pub(super) const ALL: &[Probe] = &[vfat, exfat, ntfs, iso9660];

/// FAT12, 16 and 32, from Microsoft's "FAT: General Overview of On-Disk Format". The label is the
/// one in the root directory, as blkid's `LABEL`; that of the boot sector is not used.
fn vfat(image: &Image<'_>) -> Option<Signature> {
    let boot = image.at(0, 512)?;
    let named = boot[0x52..0x5a] == *b"FAT32   "
        || boot[0x52..0x57] == *b"MSWIN"
        || boot[0x36..0x3b] == *b"FAT16"
        || boot[0x36..0x3b] == *b"FAT12"
        || boot[0x36..0x3b] == *b"MSDOS";
    let sector = le16(&boot, 11)?;
    let (cluster, reserved, fats) = (boot[13], le16(&boot, 14)?, boot[16]);
    let sane = boot[510..512] == [0x55, 0xaa]
        && (512..=4096).contains(&sector)
        && sector.is_power_of_two()
        && cluster.is_power_of_two()
        && reserved != 0
        && (1..=4).contains(&fats)
        && (boot[21] >= 0xf8 || boot[21] == 0xf0);
    if !named || !sane {
        return None;
    }
    let (sector, cluster) = (u64::from(sector), u64::from(cluster));
    let entries = u64::from(le16(&boot, 17)?);
    let short = u64::from(le16(&boot, 22)?);
    let fat_length = if short == 0 {
        u64::from(le32(&boot, 36)?)
    } else {
        short
    };
    let after_fats = (u64::from(reserved) + u64::from(fats) * fat_length) * sector;
    let (serial, root, length) = if short == 0 {
        let first = u64::from(le32(&boot, 44)?).checked_sub(2)?;
        let root = after_fats + first.checked_mul(cluster * sector)?;
        (le32(&boot, 67)?, root, cluster * sector)
    } else {
        (le32(&boot, 39)?, after_fats, entries * 32)
    };
    // The label is an entry like a file's: attribute 8 (volume), not part of a long name.
    let label = image
        .at(root, usize::try_from(length.min(64 * 1024)).ok()?)
        .and_then(|directory| {
            directory
                .chunks_exact(32)
                .take_while(|e| e[0] != 0)
                .find(|e| e[0] != 0xe5 && e[11] & 0x3f != 0x0f && e[11] & 0x18 == 0x08)
                .and_then(|e| text(&e[..11]))
        });
    let uuid = (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff));
    Some(Signature::with("vfat", uuid, label))
}

/// From Microsoft's exFAT specification; the label is entry type 0x83 of the root directory.
fn exfat(image: &Image<'_>) -> Option<Signature> {
    let boot = image.at(0, 512)?;
    if boot[3..11] != *b"EXFAT   " {
        return None;
    }
    let (sector_shift, cluster_shift) = (u32::from(boot[108]), u32::from(boot[109]));
    if !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift {
        return None;
    }
    let heap = u64::from(le32(&boot, 88)?) << sector_shift;
    let cluster = u64::from(le32(&boot, 96)?).checked_sub(2)?;
    let root = heap + (cluster << (sector_shift + cluster_shift));
    let length = (1_u64 << (sector_shift + cluster_shift)).min(64 * 1024);
    let label = image
        .at(root, usize::try_from(length).ok()?)
        .and_then(|directory| {
            directory
                .chunks_exact(32)
                .take_while(|e| e[0] != 0)
                .find(|e| e[0] == 0x83)
                .and_then(|e| utf16(&e[2..2 + 2 * usize::from(e[1]).min(11)]))
        });
    let serial = le32(&boot, 100)?;
    let uuid = (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff));
    Some(Signature::with("exfat", uuid, label))
}

/// The label is attribute 0x60 of record 3 (`$Volume`) of the master file table.
fn ntfs(image: &Image<'_>) -> Option<Signature> {
    let boot = image.at(0, 512)?;
    if boot[3..11] != *b"NTFS    " {
        return None;
    }
    let sector = u64::from(le16(&boot, 11)?);
    let cluster = match boot[13] {
        0 => return None,
        // Over 128 it is the negative of a power of two.
        n if n > 128 => sector.checked_shl(256 - u32::from(n))?,
        n => sector.checked_mul(u64::from(n))?,
    };
    let record = match i8::from_le_bytes([boot[64]]) {
        n if n > 0 => cluster.checked_mul(u64::from(n.unsigned_abs()))?,
        n => 1_u64.checked_shl(u32::from(n.unsigned_abs()))?,
    };
    let serial = le64(&boot, 72)?;
    let uuid = (serial != 0).then(|| format!("{serial:016X}"));
    let label = ntfs_label(image, le64(&boot, 48)?.checked_mul(cluster)?, record);
    Some(Signature::with("ntfs", uuid, label))
}

fn ntfs_label(image: &Image<'_>, table: u64, record: u64) -> Option<String> {
    if !(256..=65_536).contains(&record) {
        return None;
    }
    let volume = image.at(
        table.checked_add(3 * record)?,
        usize::try_from(record).ok()?,
    )?;
    if !volume.starts_with(b"FILE") {
        return None;
    }
    let mut at = usize::from(le16(&volume, 20)?);
    // Attributes are at least 16 bytes long: the record's size bounds the loop.
    while let (Some(kind), Some(length)) = (le32(&volume, at), le32(&volume, at + 4)) {
        let length = usize::try_from(length).ok()?;
        if kind == u32::MAX || length < 16 {
            return None;
        }
        if kind == 0x60 {
            let size = usize::try_from(le32(&volume, at + 16)?).ok()?;
            let from = at + usize::from(le16(&volume, at + 20)?);
            return utf16(volume.get(from..from.checked_add(size)?)?);
        }
        at = at.checked_add(length)?;
    }
    None
}

/// ECMA-119: the primary volume descriptor in sector 16. Its modification date (else creation)
/// serves as UUID, as in blkid.
fn iso9660(image: &Image<'_>) -> Option<Signature> {
    let volume = image.at(32_768, 2048)?;
    if volume[1..6] != *b"CD001" {
        return None;
    }
    let date = |at: usize| {
        let digits = std::str::from_utf8(&volume[at..at + 16]).ok()?;
        let valid = digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0');
        valid.then(|| {
            format!(
                "{}-{}-{}-{}-{}-{}-{}",
                &digits[..4],
                &digits[4..6],
                &digits[6..8],
                &digits[8..10],
                &digits[10..12],
                &digits[12..14],
                &digits[14..16]
            )
        })
    };
    Some(Signature::with(
        "iso9660",
        date(830).or_else(|| date(813)),
        text(&volume[40..72]),
    ))
}
