//! Time spans as systemd reads them, see systemd.time(7) "Parsing time spans".

use std::time::Duration;

/// A limit on a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// After this time.
    After(Duration),
    /// Never.
    Infinite,
}

impl Limit {
    /// Seconds; `None` for never.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::After(time) => Some(time.as_millis().div_ceil(1000) as u64),
            Self::Infinite => None,
        }
    }
}

/// Units and their microseconds, in the order in which systemd tries them.
const UNITS: [(&str, u64); 29] = [
    ("seconds", 1_000_000),
    ("second", 1_000_000),
    ("sec", 1_000_000),
    ("s", 1_000_000),
    ("minutes", 60_000_000),
    ("minute", 60_000_000),
    ("min", 60_000_000),
    ("months", 2_629_800_000_000),
    ("month", 2_629_800_000_000),
    ("M", 2_629_800_000_000),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", 60_000_000),
    ("hours", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hr", 3_600_000_000),
    ("h", 3_600_000_000),
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("d", 86_400_000_000),
    ("weeks", 604_800_000_000),
    ("week", 604_800_000_000),
    ("w", 604_800_000_000),
    ("years", 31_557_600_000_000),
    ("year", 31_557_600_000_000),
    ("y", 31_557_600_000_000),
    ("usec", 1),
    ("us", 1),
    ("µs", 1),
];

/// Reads a time span whose unit is the second where none is given; 0 means never, as for
/// `x-systemd.mount-timeout=`. `None` where systemd would refuse the text and ignore the option.
pub fn parse(text: &str) -> Option<Limit> {
    let blank = |c: char| c.is_ascii_whitespace();
    let mut rest = text.trim_start_matches(blank);
    if let Some(tail) = rest.strip_prefix("infinity") {
        return tail
            .trim_matches(blank)
            .is_empty()
            .then_some(Limit::Infinite);
    }
    let mut sum: u64 = 0;
    let mut any = false;
    loop {
        rest = rest.trim_start_matches(blank);
        if rest.is_empty() {
            break;
        }
        let number = rest.strip_prefix('+').unwrap_or(rest);
        let digits = number
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(number.len());
        let whole = &number[..digits];
        let mut tail = &number[digits..];
        let mut fraction = "";
        if let Some(after) = tail.strip_prefix('.') {
            let end = after
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after.len());
            (fraction, tail) = after.split_at(end);
        } else if whole.is_empty() {
            return None;
        }
        let unit_text = tail.trim_start_matches(blank);
        let (unit, after) = UNITS
            .iter()
            .find_map(|(name, scale)| Some((*scale, unit_text.strip_prefix(name)?)))
            .unwrap_or((1_000_000, unit_text));
        if after.len() == tail.len() && !after.is_empty() {
            return None;
        }
        let value = if whole.is_empty() {
            0
        } else {
            whole.parse::<i64>().ok()?
        };
        sum = sum.checked_add(u64::try_from(value).ok()?.checked_mul(unit)?)?;
        let mut scale = unit / 10;
        for digit in fraction.bytes() {
            sum = sum.checked_add(u64::from(digit - b'0') * scale)?;
            scale /= 10;
        }
        rest = after;
        any = true;
    }
    if !any {
        return None;
    }
    Some(if sum == 0 {
        Limit::Infinite
    } else {
        Limit::After(Duration::from_micros(sum))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_systemd_reads_them() {
        let after = |s| Some(Limit::After(Duration::from_millis(s)));
        for (text, span) in [
            ("90", after(90_000)),
            ("5s", after(5_000)),
            ("1min30s", after(90_000)),
            ("1min 30", after(90_000)),
            ("1.5", after(1_500)),
            ("2m", after(120_000)),
            ("500ms", after(500)),
            ("0", Some(Limit::Infinite)),
            ("infinity", Some(Limit::Infinite)),
            ("", None),
            ("-5", None),
            ("s5", None),
            ("5x", None),
            ("90.5.2", None),
        ] {
            assert_eq!(parse(text), span, "{text:?}");
        }
    }
}
