//! An fstab line as systemd reads it: with glibc's getmntent(3), which is a little less generous
//! than findmnt's parser, so a line may mean one thing to `mount` and another at boot.

use facts::fstab::Entry;

/// The six fields as getmntent gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub source: String,
    pub target: String,
    pub fstype: String,
    pub options: String,
    pub pass: i64,
}

/// The fields of an entry: from its line where that is at hand, else from the decoded entry.
pub(super) fn fields(entry: &Entry) -> Fields {
    from_text(&entry.text).unwrap_or_else(|| Fields {
        source: entry.source.clone(),
        target: entry.target.clone(),
        fstype: entry.fstype.clone(),
        options: entry.options.join(","),
        pass: i64::from(entry.pass),
    })
}

/// `None` for a blank line or a comment.
fn from_text(text: &str) -> Option<Fields> {
    let blank = |c: char| c == ' ' || c == '\t';
    let text = text.trim_end_matches('\n').trim_matches(blank);
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let mut rest = text;
    let mut next = || {
        let end = rest.find(blank).unwrap_or(rest.len());
        let (field, tail) = rest.split_at(end);
        rest = tail.trim_start_matches(blank);
        decode(field)
    };
    let (source, target, fstype, options) = (next(), next(), next(), next());
    let (_dump, rest) = integer(rest).unwrap_or((0, ""));
    Some(Fields {
        source,
        target,
        fstype,
        options,
        pass: integer(rest).map_or(0, |(pass, _)| pass),
    })
}

/// A number as scanf's `%d` reads it, and what follows.
fn integer(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let end = sign + digits;
    text[..end]
        .parse()
        .ok()
        .map(|number| (number, &text[end..]))
}

/// The five escapes that getmntent knows; all others stay as they stand.
fn decode(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field;
    'next: while let Some(character) = rest.chars().next() {
        for (escape, plain) in [
            ("\\040", ' '),
            ("\\011", '\t'),
            ("\\012", '\n'),
            ("\\134", '\\'),
            ("\\\\", '\\'),
        ] {
            if let Some(tail) = rest.strip_prefix(escape) {
                text.push(plain);
                rest = tail;
                continue 'next;
            }
        }
        text.push(character);
        rest = &rest[character.len_utf8()..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_getmntent() {
        let line = from_text(" /dev/sdb1\t/a\\040b  ext4 rw\\054x  0 2 rest").unwrap();
        assert_eq!(line.target, "/a b");
        assert_eq!(line.options, "rw\\054x");
        assert_eq!(line.pass, 2);
        let short = from_text("/dev/sdb1 /a").unwrap();
        assert_eq!((short.fstype.as_str(), short.pass), ("", 0));
        assert_eq!(from_text("/dev/sdb1 /a ext4 rw 0 -1").unwrap().pass, -1);
        assert_eq!(from_text("/dev/sdb1 /a ext4 rw x 2").unwrap().pass, 0);
        assert_eq!(from_text("  # comment"), None);
    }
}
