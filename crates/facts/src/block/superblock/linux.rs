//! Linux's own file systems and swap. Offsets from the headers that define each format
//! (fs/*/ in the kernel's source, `struct …_super_block`).

use super::Damage;
use super::{Image, Probe, Signature, le16, le32, text, utf16, uuid};

pub(super) const ALL: &[Probe] = &[
    ext, xfs, btrfs, f2fs, bcachefs, swap, squashfs, zfs, reiserfs, gfs2, jfs, nilfs2, erofs,
];

/// Features that ext3's driver of old knew; any other makes an ext4 (as in blkid).
const EXT3_INCOMPAT: u32 = 0x2 | 0x4 | 0x10;
const EXT3_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4;

fn ext(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(1024, 256)?;
    if le16(&block, 0x38)? != 0xef53 {
        return None;
    }
    let (compat, incompat, ro_compat) = (
        le32(&block, 0x5c)?,
        le32(&block, 0x60)?,
        le32(&block, 0x64)?,
    );
    let has_journal = compat & 0x4 != 0;
    let fstype = if incompat & 0x8 != 0 {
        "jbd"
    } else if incompat & !EXT3_INCOMPAT != 0 || ro_compat & !EXT3_RO_COMPAT != 0 {
        "ext4"
    } else if has_journal {
        "ext3"
    } else {
        "ext2"
    };
    Some(Signature {
        damage: ext_damage(image, &block),
        ..Signature::with(fstype, uuid(&block[0x68..0x78]), text(&block[0x78..0x88]))
    })
}

/// What the superblock of an ext2, 3 or 4 says of errors, and whether inode 2 is a directory
/// (Documentation/filesystems/ext4 in the kernel's source: super.rst, group_descr.rst, inodes.rst).
/// Where a block cannot be read nothing is said of it.
fn ext_damage(image: &Image<'_>, block: &[u8]) -> Option<Damage> {
    let root = || {
        let block_size = 1024_u64.checked_shl(le32(block, 0x18)?)?;
        let table = (u64::from(le32(block, 0x14)?) + 1).checked_mul(block_size)?;
        let wide = le32(block, 0x60)? & 0x80 != 0 && le16(block, 0xfe)? >= 64;
        let descriptor = image.at(table, if wide { 64 } else { 32 })?;
        let high = if wide { le32(&descriptor, 0x28)? } else { 0 };
        let inodes =
            (u64::from(high) << 32 | u64::from(le32(&descriptor, 0x8)?)).checked_mul(block_size)?;
        let revision = le32(block, 0x4c)?;
        let size = if revision == 0 {
            128
        } else {
            u64::from(le16(block, 0x58)?)
        };
        le16(&image.at(inodes.checked_add(size)?, 2)?, 0)
    };
    // Meta block groups have their descriptors elsewhere.
    let meta = le32(block, 0x60)? & 0x10 != 0;
    if !meta && root().is_some_and(|mode| mode & 0xf000 != 0x4000) {
        return Some(Damage::NoRoot);
    }
    (le16(block, 0x3a)? & 0x2 != 0).then_some(Damage::Errors)
}

fn xfs(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(0, 512)?;
    let blocksize = u32::from_be_bytes(block.get(4..8)?.try_into().ok()?);
    if !block.starts_with(b"XFSB")
        || !(512..=65_536).contains(&blocksize)
        || !blocksize.is_power_of_two()
    {
        return None;
    }
    Some(Signature::with(
        "xfs",
        uuid(&block[32..48]),
        text(&block[108..120]),
    ))
}

fn btrfs(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(65_536, 4096)?;
    if &block[64..72] != b"_BHRfS_M" {
        return None;
    }
    Some(Signature::with(
        "btrfs",
        uuid(&block[32..48]),
        text(&block[299..299 + 256]),
    ))
}

fn f2fs(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(1024, 1024)?;
    if le32(&block, 0)? != 0xf2f5_2010 {
        return None;
    }
    Some(Signature::with(
        "f2fs",
        uuid(&block[108..124]),
        utf16(&block[124..124 + 512]),
    ))
}

fn bcachefs(image: &Image<'_>) -> Option<Signature> {
    const MAGICS: [[u8; 16]; 2] = [
        [
            0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba,
            0x6d, 0x81,
        ],
        [
            0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d,
            0xf7, 0xef,
        ],
    ];
    let block = image.at(4096, 128)?;
    if !MAGICS.iter().any(|magic| block[24..40] == *magic) {
        return None;
    }
    Some(Signature::with(
        "bcachefs",
        uuid(&block[56..72]),
        text(&block[72..104]),
    ))
}

/// mkswap(8): the signature stands at the end of the first page, whose size is the machine's.
fn swap(image: &Image<'_>) -> Option<Signature> {
    for page in [4096_u64, 8192, 16_384, 32_768, 65_536] {
        let Some(magic) = image.at(page - 10, 10) else {
            break;
        };
        if magic.starts_with(b"SWAP-SPACE") {
            return Some(Signature::new("swap"));
        }
        let suspended = [&b"S1SUSPEND"[..], b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001"]
            .iter()
            .any(|m| magic.starts_with(m));
        if suspended || magic.starts_with(b"SWAPSPACE2") {
            let header = image.at(1024, 64)?;
            let fstype = if suspended { "swsuspend" } else { "swap" };
            return Some(Signature::with(
                fstype,
                uuid(&header[12..28]),
                text(&header[28..44]),
            ));
        }
    }
    None
}

fn squashfs(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(0, 32)?;
    (block.starts_with(b"hsqs")).then(|| {
        let major = le16(&block, 28).unwrap_or(0);
        Signature::new(if major >= 4 { "squashfs" } else { "squashfs3" })
    })
}

/// A member of a ZFS pool: one of the uberblocks (128 KiB into the first label) carries the
/// magic of either byte order. Neither name nor GUID of the pool is read.
fn zfs(image: &Image<'_>) -> Option<Signature> {
    let found = (0..128_u64)
        .filter_map(|index| image.at(128 * 1024 + index * 1024, 8))
        .filter(|b| {
            b[..] == 0x00ba_b10c_u64.to_le_bytes() || b[..] == 0x00ba_b10c_u64.to_be_bytes()
        })
        .take(4)
        .count();
    // blkid asks for four, since remains of one turn up on other file systems.
    (found >= 4).then(|| Signature::new("zfs_member"))
}

fn reiserfs(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(65_536, 128)?;
    (block[52..58] == *b"ReIsEr")
        .then(|| Signature::with("reiserfs", uuid(&block[84..100]), text(&block[100..116])))
}

fn gfs2(image: &Image<'_>) -> Option<Signature> {
    // Type 1 (superblock) and the format number of GFS2, both big-endian.
    let block = image.at(65_536, 28)?;
    let format = u32::from_be_bytes(block[24..28].try_into().ok()?);
    (block[..8] == [1, 0x16, 0x19, 0x70, 0, 0, 0, 1] && (1800..1900).contains(&format))
        .then(|| Signature::new("gfs2"))
}

fn jfs(image: &Image<'_>) -> Option<Signature> {
    image.has(32_768, b"JFS1").then(|| Signature::new("jfs"))
}

fn nilfs2(image: &Image<'_>) -> Option<Signature> {
    let block = image.at(1024, 8)?;
    (le32(&block, 0)? == 2 && le16(&block, 6)? == 0x3434).then(|| Signature::new("nilfs2"))
}

fn erofs(image: &Image<'_>) -> Option<Signature> {
    image
        .has(1024, &0xe0f5_e1e2_u32.to_le_bytes())
        .then(|| Signature::new("erofs"))
}
