//! Partition tables: MBR with logical partitions, and GPT (UEFI specification, chapter 5).

use super::{Image, guid, le32, le64, utf16};

/// The partitions of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    /// `dos` or `gpt`, as blkid's `PTTYPE`.
    pub kind: &'static str,
    /// Identifier of the table, as blkid's `PTUUID`.
    pub uuid: Option<String>,
    /// Its partitions by number.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins, bytes.
    pub start: u64,
    /// How long it is, bytes.
    pub size: u64,
    /// Its identifier: `PARTUUID`.
    pub uuid: Option<String>,
    /// Its name: `PARTLABEL`; GPT only.
    pub label: Option<String>,
}

/// No GPT has more entries in practice; a broken count must not cost time.
const MAX_ENTRIES: u32 = 1024;
/// Links between extended partitions that are followed.
const MAX_LOGICAL: u32 = 60;

/// Reads the table of a whole disk with sectors of 512 (or for GPT 4096) bytes.
pub fn partition_table(image: &Image<'_>) -> Option<PartitionTable> {
    gpt(image, 512)
        .or_else(|| gpt(image, 4096))
        .or_else(|| mbr(image))
}

fn gpt(image: &Image<'_>, sector: u64) -> Option<PartitionTable> {
    let header = image.at(sector, 92)?;
    if header[..8] != *b"EFI PART" {
        return None;
    }
    let (count, size) = (le32(&header, 80)?.min(MAX_ENTRIES), le32(&header, 84)?);
    if !(128..=4096).contains(&size) {
        return None;
    }
    let first = le64(&header, 72)?.checked_mul(sector)?;
    let mut partitions = Vec::new();
    for index in 0..count {
        let at = first.checked_add(u64::from(index) * u64::from(size))?;
        let Some(entry) = image.at(at, 128) else {
            break;
        };
        if entry[..16].iter().all(|b| *b == 0) {
            continue;
        }
        let (from, to) = (le64(&entry, 32)?, le64(&entry, 40)?);
        let sectors = to.saturating_sub(from).saturating_add(1);
        partitions.push(Partition {
            number: index + 1,
            start: from.saturating_mul(sector),
            size: sectors.saturating_mul(sector),
            uuid: guid(&entry[16..32]),
            label: utf16(&entry[56..128]),
        });
    }
    Some(PartitionTable {
        kind: "gpt",
        uuid: guid(&header[56..72]),
        partitions,
    })
}

fn mbr(image: &Image<'_>) -> Option<PartitionTable> {
    let sector = image.at(0, 512)?;
    if sector[510..] != [0x55, 0xaa] {
        return None;
    }
    let entries: Vec<Slot> = (0..4).filter_map(|i| slot(&sector, i)).collect();
    // A boot sector of a file system ends with the same two bytes: the flags tell.
    if entries.is_empty() || (0..4).any(|i| !matches!(sector[446 + 16 * i], 0 | 0x80)) {
        return None;
    }
    let id = le32(&sector, 440)?;
    let uuid = |number: u32| (id != 0).then(|| format!("{id:08x}-{number:02x}"));
    let partition = |number: u32, start: u64, size: u64| Partition {
        number,
        start: start * 512,
        size: size * 512,
        uuid: uuid(number),
        label: None,
    };
    let mut partitions = Vec::new();
    for entry in &entries {
        partitions.push(partition(entry.index + 1, entry.start, entry.size));
    }
    if let Some(extended) = entries
        .iter()
        .find(|e| matches!(e.kind, 0x05 | 0x0f | 0x85))
    {
        let mut next = extended.start;
        for number in 5..5 + MAX_LOGICAL {
            let Some(link) = image
                .at(next * 512, 512)
                .filter(|s| s[510..] == [0x55, 0xaa])
            else {
                break;
            };
            if let Some(logical) = slot(&link, 0) {
                partitions.push(partition(number, next + logical.start, logical.size));
            }
            match slot(&link, 1) {
                Some(further) => next = extended.start + further.start,
                None => break,
            }
        }
    }
    Some(PartitionTable {
        kind: "dos",
        uuid: (id != 0).then(|| format!("{id:08x}")),
        partitions,
    })
}

struct Slot {
    index: u32,
    kind: u8,
    start: u64,
    size: u64,
}

fn slot(sector: &[u8], index: u32) -> Option<Slot> {
    let at = 446 + 16 * usize::try_from(index).ok()?;
    let kind = *sector.get(at + 4)?;
    let start = u64::from(le32(sector, at + 8)?);
    let size = u64::from(le32(sector, at + 12)?);
    (kind != 0 && size != 0).then_some(Slot {
        index,
        kind,
        start,
        size,
    })
}
