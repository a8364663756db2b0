//! Lists of VLANs as IOS writes them: `10,20-30`, `none`, `all`, `except 5`.

use std::fmt::Write as _;

/// Highest VLAN number, IEEE 802.1Q (4095 is reserved).
pub const LAST: u16 = 4094;

/// A list that is no list of VLANs, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadList {
    /// Offset of the offending part in the text, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// A set of VLANs from 1 to 4094.
#[derive(Clone, PartialEq, Eq)]
pub struct VlanSet([bool; LAST as usize + 1]);

impl VlanSet {
    /// No VLAN.
    pub fn none() -> Self {
        Self([false; LAST as usize + 1])
    }

    /// Every VLAN.
    pub fn all() -> Self {
        let mut set = Self([true; LAST as usize + 1]);
        set.0[0] = false;
        set
    }

    /// From numbers; those that are no VLAN are left out.
    pub fn of(vlans: &[u16]) -> Self {
        let mut set = Self::none();
        for &vlan in vlans.iter().filter(|v| (1..=LAST).contains(*v)) {
            set.0[usize::from(vlan)] = true;
        }
        set
    }

    /// Parses `10,20-30`, `all` or `none` (in any case), as `show interfaces trunk` and the
    /// configuration have it; blanks around commas are taken.
    ///
    /// # Errors
    /// [`BadList`] where a part is neither a VLAN from 1 to 4094 nor a rising range of them.
    pub fn parse(text: &str) -> Result<Self, BadList> {
        match text.trim().to_ascii_lowercase().as_str() {
            "all" => return Ok(Self::all()),
            "none" => return Ok(Self::none()),
            _ => {}
        }
        let mut set = Self::none();
        let mut offset = 0;
        for part in text.split(',') {
            let bad = |message: String| BadList {
                offset: offset + (part.len() - part.trim_start().len()),
                message,
            };
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |digits: &str| {
                let digits = digits.trim();
                digits
                    .parse::<u16>()
                    .ok()
                    .filter(|vlan| (1..=LAST).contains(vlan))
                    .ok_or_else(|| bad(format!("{digits:?} is no VLAN (1 to {LAST})")))
            };
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(bad(format!("the range {first}-{last} runs backwards")));
            }
            set.0[usize::from(first)..=usize::from(last)].fill(true);
            offset += part.len() + 1;
        }
        Ok(set)
    }

    /// Both sets together.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a |= b);
        self
    }

    /// This set less the other.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a &= !b);
        self
    }

    /// Whether it holds every VLAN.
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// The numbers, rising.
    pub fn numbers(&self) -> Vec<u16> {
        (1..=LAST).filter(|&v| self.0[usize::from(v)]).collect()
    }
}

/// VLANs as IOS writes them, neighbours joined: `10,20-22`; `none` where there are none.
pub fn show(vlans: &[u16]) -> String {
    let numbers = VlanSet::of(vlans).numbers();
    let mut text = String::new();
    let mut at = 0;
    while at < numbers.len() {
        let first = numbers[at];
        while at + 1 < numbers.len() && numbers[at + 1] == numbers[at] + 1 {
            at += 1;
        }
        let separator = if text.is_empty() { "" } else { "," };
        let last = numbers[at];
        // Writing to a String cannot fail.
        let _ = match last - first {
            0 => write!(text, "{separator}{first}"),
            1 => write!(text, "{separator}{first},{last}"),
            _ => write!(text, "{separator}{first}-{last}"),
        };
        at += 1;
    }
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_expanded_and_written_back() {
        let set = VlanSet::parse("10,20-22, 40,100,110,120").unwrap();
        assert_eq!(set.numbers(), [10, 20, 21, 22, 40, 100, 110, 120]);
        assert_eq!(show(&set.numbers()), "10,20-22,40,100,110,120");
        assert_eq!(show(&[1, 2]), "1,2");
        assert_eq!(show(&[]), "none");
        assert!(VlanSet::parse("1-4094").unwrap().is_all());
        assert!(VlanSet::parse("ALL").unwrap().is_all());
        assert!(VlanSet::parse("none").unwrap().numbers().is_empty());
        let rest = VlanSet::all().without(&VlanSet::parse("2-4094").unwrap());
        assert_eq!(rest.numbers(), [1]);
        assert_eq!(rest.with(&VlanSet::of(&[7, 0, 4095])).numbers(), [1, 7]);
    }

    #[test]
    fn what_is_no_list_says_where() {
        for (text, offset) in [
            ("10,abc", 3),
            ("10, 4095", 4),
            ("", 0),
            ("10,", 3),
            ("9-3", 0),
            ("0", 0),
            ("5-", 0),
        ] {
            assert_eq!(
                VlanSet::parse(text).err().map(|e| e.offset),
                Some(offset),
                "{text}"
            );
        }
    }
}
