//! VLAN entries of a port: the kernel's ranges made flat, and lists written short again.

use std::fmt;

/// First VLAN that may carry frames (IEEE 802.1Q reserves 0).
pub const FIRST: u16 = 1;
/// Last VLAN that may carry frames (IEEE 802.1Q reserves 4095).
pub const LAST: u16 = 4094;

/// One VLAN, or a range of them, with its flags, as bridge(8) and the kernel tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VlanEntry {
    /// First VLAN.
    pub first: u16,
    /// Last VLAN, the same as the first for a single one.
    pub last: u16,
    /// Whether frames that come in untagged get it.
    pub pvid: bool,
    /// Whether its frames leave untagged.
    pub untagged: bool,
}

/// The VLANs of one port, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// VLAN of frames that come in untagged.
    pub pvid: Option<u16>,
    /// VLANs that leave untagged.
    pub untagged: Vec<u16>,
    /// VLANs that leave tagged.
    pub tagged: Vec<u16>,
}

impl Entries {
    /// Makes entries flat. A later entry replaces an earlier one of the same VLAN, and the last
    /// PVID wins, as `bridge vlan add` behaves. Numbers outside 1 to 4094 are left out.
    pub fn flat(entries: &[VlanEntry]) -> Self {
        // One slot per VLAN: 0 absent, 1 tagged, 2 untagged. Bounded whatever the entries say.
        let mut slots = vec![0_u8; usize::from(LAST) + 1];
        let mut pvid = None;
        let (mut lowest, mut highest) = (LAST, FIRST);
        for entry in entries {
            let (first, last) = (entry.first.max(FIRST), entry.last.min(LAST));
            (lowest, highest) = (lowest.min(first), highest.max(last));
            for vid in first..=last {
                slots[usize::from(vid)] = 1 + u8::from(entry.untagged);
            }
            if entry.pvid && first <= last {
                pvid = Some(first);
            } else if pvid.is_some_and(|p| first <= p && p <= last) {
                pvid = None;
            }
        }
        let of = |form: u8| {
            (lowest..=highest)
                .filter(|vid| slots[usize::from(*vid)] == form)
                .collect()
        };
        Self {
            pvid,
            untagged: of(2),
            tagged: of(1),
        }
    }
}

/// VLAN numbers written short: `10,20-30,100`. For people; tools differ in their separators.
pub fn short(vids: &[u16]) -> String {
    Ranges::new(vids.iter().copied()).to_string()
}

/// Sorted VLAN numbers as closed ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(pub Vec<(u16, u16)>);

impl Ranges {
    /// Joins neighbours into ranges.
    pub fn new(vids: impl IntoIterator<Item = u16>) -> Self {
        let mut vids: Vec<u16> = vids.into_iter().collect();
        vids.sort_unstable();
        vids.dedup();
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for vid in vids {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(vid) => *last = vid,
                _ => ranges.push((vid, vid)),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// Reads `N` or `N-M` with 1 ≤ N ≤ M ≤ 4094.
///
/// # Errors
/// What is wrong with it, for a message that names the place.
pub fn range(text: &str) -> Result<(u16, u16), String> {
    let one = |text: &str| {
        let text = text.trim();
        text.parse::<u16>()
            .ok()
            .filter(|vid| (FIRST..=LAST).contains(vid) && text.bytes().all(|b| b.is_ascii_digit()))
            .ok_or_else(|| format!("`{text}` is no VLAN: a number from {FIRST} to {LAST}"))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (one(first)?, one(last)?),
        None => {
            let vid = one(text)?;
            (vid, vid)
        }
    };
    if first > last {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first: u16, last: u16, pvid: bool, untagged: bool) -> VlanEntry {
        VlanEntry {
            first,
            last,
            pvid,
            untagged,
        }
    }

    #[test]
    fn the_last_word_on_a_vlan_wins() {
        let flat = Entries::flat(&[
            entry(1, 1, true, true),
            entry(100, 100, true, true),
            entry(10, 12, false, false),
            entry(11, 11, false, true),
        ]);
        assert_eq!(flat.pvid, Some(100));
        assert_eq!(flat.untagged, [1, 11, 100]);
        assert_eq!(flat.tagged, [10, 12]);
        // `bridge vlan add vid 100 untagged` without `pvid` takes the PVID away.
        let flat = Entries::flat(&[entry(100, 100, true, true), entry(100, 100, false, true)]);
        assert_eq!(flat.pvid, None);
    }

    #[test]
    fn nonsense_from_outside_stays_bounded() {
        let flat = Entries::flat(&[entry(0, u16::MAX, false, false), entry(9, 3, true, true)]);
        assert_eq!(flat.tagged.len(), 4094);
        assert_eq!(flat.pvid, None);
    }

    #[test]
    fn ranges_are_written_short_and_read_back() {
        assert_eq!(short(&[30, 10, 11, 12, 30, 4094]), "10-12,30,4094");
        assert_eq!(range("20-30"), Ok((20, 30)));
        for bad in [
            "", "0", "4095", "+5", "5-", "-5", "30-20", "1-2-3", "ten", "65536",
        ] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
