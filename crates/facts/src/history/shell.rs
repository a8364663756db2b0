//! A shell's history that carries times (bash with `HISTTIMEFORMAT` set writes `#1763854252` before
//! each command). Only commands that bear on guests or on the host's power are kept.

use super::message::bears_on_guests;
use super::{Trace, What};

/// Reads such a file of one user.
pub fn parse(file: &str, text: &str, user: &str) -> Vec<Trace> {
    let mut traces = Vec::new();
    let mut at = None;
    for (index, line) in text.lines().enumerate() {
        let stamp = line.strip_prefix('#').and_then(|n| n.parse::<i64>().ok());
        if let Some(seconds) = stamp {
            at = seconds.checked_mul(1_000_000);
            continue;
        }
        if let Some(at) = at.filter(|_| bears_on_guests(line)) {
            let what = What::Command {
                user: user.to_owned(),
                terminal: None,
                line: line.to_owned(),
            };
            traces.push(Trace::of_line(at, what, file, index + 1, line));
        }
    }
    traces
}
