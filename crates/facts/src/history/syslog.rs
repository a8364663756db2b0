//! Text logs that a syslog daemon writes (`/var/log/syslog`, `messages`, `auth.log`, `secure`, `kern.log`):
//! RFC 3164's `Nov 22 23:30:52 host program[pid]: words`, or an RFC 3339 time in its place; and
//! what `dmesg --time-format=iso` prints.

use super::Trace;
use super::message::{classify, kernel};
use super::time;
use jiff::tz::TimeZone;

/// Reads such a log. `latest` is when it was last written, for the year that old stamps lack.
pub fn parse(file: &str, text: &str, guest: &str, zone: &TimeZone, latest: i64) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((at, rest)) = stamp(line, zone, latest) else {
            continue;
        };
        // "host program[pid]: words"
        let Some((tag, words)) = rest
            .split_once(' ')
            .and_then(|(_, rest)| rest.split_once(": "))
        else {
            continue;
        };
        let (program, pid) = match tag.split_once('[') {
            Some((program, pid)) => (program, Some(pid.trim_end_matches(']'))),
            None => (tag, None),
        };
        // rsyslog keeps the kernel's own time in brackets.
        let words = match words.strip_prefix('[') {
            Some(rest) if program == "kernel" => rest.split_once("] ").map_or(words, |(_, w)| w),
            _ => words,
        };
        if let Some(what) = classify(program, pid, words, guest) {
            traces.push(Trace::of_line(at, what, file, index + 1, line));
        }
    }
    traces
}

fn stamp<'a>(line: &'a str, zone: &TimeZone, latest: i64) -> Option<(i64, &'a str)> {
    let (first, rest) = line.split_once(' ')?;
    if first.len() > 10 {
        return Some((time::absolute(first)?, rest));
    }
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    Some((time::bsd(first, day, clock, zone, latest)?, rest))
}

/// Reads `dmesg --time-format=iso`: `2026-11-22T23:31:03,950611+00:00 words`.
pub fn dmesg(text: &str) -> Vec<Trace> {
    let one = |line: &str| {
        let (stamp, words) = line.split_once(' ')?;
        let what = kernel(words)?;
        Some(Trace::of_record(
            time::absolute(stamp)?,
            what,
            "dmesg",
            line,
        ))
    };
    text.lines().filter_map(one).collect()
}
