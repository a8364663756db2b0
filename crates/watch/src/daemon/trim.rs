//! Gives back the pages of the program that only its start needed.
//!
//! A fault on one page of the program maps the 16 around it (`fault_around_bytes`,
//! mm/memory.c), so that a start, which goes once through the command line, the settings, TLS and
//! the database's tables, leaves half of the program resident for good. `MADV_DONTNEED` unmaps
//! these pages from this process; what it needs again comes back from the page cache without a
//! disk (madvise(2)). The page cache itself is the kernel's to keep or not, as before.

use std::ops::Range;
use std::time::{Duration, Instant};

/// After the start: by then every source has looked once.
const FIRST: Duration = Duration::from_secs(60);
/// Afterwards: an e-mail over TLS or an audit's comparison need much code, for once.
const AGAIN: Duration = Duration::from_secs(3_600);

/// When to give back next.
pub(super) struct Trim {
    due: Instant,
}

impl Trim {
    pub(super) fn new() -> Self {
        Self {
            due: Instant::now() + FIRST,
        }
    }

    /// Gives back where it is time. Nothing depends on it: what fails is left out.
    pub(super) fn look(&mut self) {
        if Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + AGAIN;
        let Ok(program) = std::fs::read_link("/proc/self/exe") else {
            return;
        };
        let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else {
            return;
        };
        for range in clean(&smaps, &program.to_string_lossy()) {
            give_back(&range);
        }
    }
}

fn give_back(range: &Range<usize>) {
    let start = std::ptr::with_exposed_provenance_mut(range.start);
    #[expect(
        unsafe_code,
        reason = "the standard library gives no memory back, and rustix's way is unsafe as well"
    )]
    // SAFETY: the range is one private mapping of a file that cannot be written through and of
    // which no page was ever changed (`clean`), and nothing in this process changes the
    // protection of its program: each page that is dropped comes back as it was.
    unsafe {
        libc::madvise(start, range.end - range.start, libc::MADV_DONTNEED);
    }
}

/// The mappings of a program that hold only what its file holds: read-only, with no page of this
/// process's own, as smaps tells (proc_pid_smaps(5)). The relocated addresses (RELRO) are read-only
/// too, but such pages, and must stay.
fn clean(smaps: &str, program: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        if let Some((range, of)) = header(line) {
            found.extend(mapping.take());
            mapping = (of == program).then_some(range);
        } else if is_own(line) {
            mapping = None;
        }
    }
    found.extend(mapping);
    found
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE PATH`: where it lies, and of which file it is a
/// private mapping without permission to write (of none: an empty path).
fn header(line: &str) -> Option<(Range<usize>, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    let path = rest.splitn(5, ' ').nth(4).unwrap_or_default().trim_start();
    let constant = rest.starts_with("r--p") || rest.starts_with("r-xp");
    Some((range, if constant { path } else { "" }))
}

/// Whether a line tells of pages that are not the file's: changed, or changed and swapped out.
fn is_own(line: &str) -> bool {
    let Some((field, value)) = line.split_once(':') else {
        return false;
    };
    // Not the lines on dirty pages: those of the file itself are dirty until a program that was
    // installed just now is on disk.
    matches!(field, "Anonymous" | "Swap") && value.trim() != "0 kB"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_constant_pages_of_the_program_are_given_back() {
        let mapping = |head: &str, anonymous: u32, swap: u32| {
            format!(
                "{head}\nSize:   4 kB\nRss:  4 kB\nPrivate_Dirty:  4 kB\n\
                 Anonymous:  {anonymous} kB\nSwap:   {swap} kB\nVmFlags: rd mr mw me sd\n"
            )
        };
        let smaps = [
            mapping(
                "1000-2000 r--p 00000000 fe:00 7      /usr/bin/no fail",
                0,
                0,
            ),
            mapping(
                "2000-4000 r-xp 00001000 fe:00 7      /usr/bin/no fail",
                0,
                0,
            ),
            // RELRO, in memory and swapped out.
            mapping(
                "4000-5000 r--p 00003000 fe:00 7      /usr/bin/no fail",
                4,
                0,
            ),
            mapping(
                "5000-6000 r--p 00003000 fe:00 7      /usr/bin/no fail",
                0,
                4,
            ),
            mapping(
                "6000-7000 rw-p 00004000 fe:00 7      /usr/bin/no fail",
                0,
                0,
            ),
            mapping("7000-8000 rw-p 00000000 00:00 0 ", 0, 0),
            mapping(
                "8000-9000 r-xp 00000000 fe:00 8      /usr/lib/libc.so.6",
                0,
                0,
            ),
            mapping(
                "9000-a000 r-xs 00000000 fe:00 7      /usr/bin/no fail",
                0,
                0,
            ),
        ];
        let found = clean(&smaps.concat(), "/usr/bin/no fail");
        assert_eq!(found, [0x1000..0x2000, 0x2000..0x4000]);
    }

    #[test]
    fn this_very_program_goes_on_with_less() {
        let program = std::env::current_exe().unwrap();
        let smaps = || std::fs::read_to_string("/proc/self/smaps").unwrap();
        let found = clean(&smaps(), &program.to_string_lossy());
        assert!(!found.is_empty());
        let resident = |ranges: &[Range<usize>]| {
            let mut sum = 0;
            let mut within = false;
            for line in smaps().lines() {
                if let Some((range, _)) = header(line) {
                    within = ranges.contains(&range);
                } else if let Some(value) = line.strip_prefix("Rss:").filter(|_| within) {
                    let number = value.trim().trim_end_matches(" kB");
                    sum += number.parse::<u64>().unwrap();
                }
            }
            sum
        };
        // Every page of it, so that there is something to give back.
        for range in &found {
            let start = std::ptr::with_exposed_provenance_mut(range.start);
            #[expect(unsafe_code, reason = "as above; this one only fills")]
            // SAFETY: as in `give_back`; `MADV_POPULATE_READ` changes nothing (Linux 5.14).
            unsafe {
                libc::madvise(start, range.end - range.start, libc::MADV_POPULATE_READ);
            }
        }
        let before = resident(&found);
        for range in &found {
            give_back(range);
        }
        let after = resident(&found);
        assert!(after * 2 < before, "{before} kB before, {after} kB after");
    }
}
