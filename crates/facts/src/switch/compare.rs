//! The running configuration against the start-up one: what a reboot would lose or bring back.

use super::{Capture, Place, Switch};
use std::collections::BTreeMap;

/// One line that only one of two configurations has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lines it stands under, outermost first (`interface TenGigabitEthernet1/0/8`).
    pub under: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// Whether the running configuration has it (else the start-up one).
    pub running: bool,
}

/// Why running and start-up cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotComparable {
    /// One of them was not read; the field is its command.
    Missing(&'static str),
    /// The text of one of them does not reach its `end`.
    CutOff(&'static str),
}

/// Lines that the running and the start-up configuration do not share, those of the running one
/// first, each in its order. Lines are compared with the block they stand in; where both hold the
/// same lines and only their order differs (that of an access list matters), the first line that
/// differs is given for both.
///
/// # Errors
/// [`NotComparable`] where one of them was not read or is cut off.
pub fn unsaved(switch: &Switch) -> Result<Vec<Difference>, NotComparable> {
    const RUNNING: &str = "show running-config";
    const STARTUP: &str = "show startup-config";
    let side = |lines: &Option<Vec<String>>, at: &Option<Capture>, command| match (lines, at) {
        (Some(lines), Some(at)) if at.complete => Ok((paths(lines), at.clone())),
        (Some(_), _) => Err(NotComparable::CutOff(command)),
        (None, _) => Err(NotComparable::Missing(command)),
    };
    let (running, running_at) = side(&switch.running, &switch.running_capture, RUNNING)?;
    let (startup, startup_at) = side(&switch.startup, &switch.startup_capture, STARTUP)?;
    let mut found = only_in(&running, &startup, &running_at, RUNNING);
    found.extend(only_in(&startup, &running, &startup_at, STARTUP));
    if found.is_empty()
        && let Some(first) = running.iter().zip(&startup).position(|(a, b)| a != b)
    {
        found.push(difference(&running, first, &running_at, RUNNING));
        found.push(difference(&startup, first, &startup_at, STARTUP));
    }
    Ok(found)
}

/// Each line with the lines it stands under, itself last.
fn paths(lines: &[String]) -> Vec<Vec<String>> {
    let mut open: Vec<(usize, String)> = Vec::new();
    lines
        .iter()
        .map(|line| {
            let depth = line.len() - line.trim_start().len();
            open.retain(|(other, _)| *other < depth);
            // IOS nests four deep at most; a text that goes on would make this quadratic.
            open.truncate(8);
            open.push((depth, line.trim().to_owned()));
            open.iter().map(|(_, text)| text.clone()).collect()
        })
        .collect()
}

fn only_in(
    mine: &[Vec<String>],
    other: &[Vec<String>],
    at: &Capture,
    command: &str,
) -> Vec<Difference> {
    let mut counts: BTreeMap<&Vec<String>, usize> = BTreeMap::new();
    for path in other {
        *counts.entry(path).or_default() += 1;
    }
    let mut found = Vec::new();
    for (index, path) in mine.iter().enumerate() {
        match counts.get_mut(path) {
            Some(count) if *count > 0 => *count -= 1,
            _ => found.push(difference(mine, index, at, command)),
        }
    }
    found
}

fn difference(mine: &[Vec<String>], index: usize, at: &Capture, command: &str) -> Difference {
    let (line, under) = mine[index]
        .split_last()
        .map_or((String::new(), Vec::new()), |(line, under)| {
            (line.clone(), under.to_vec())
        });
    Difference {
        under,
        place: Place {
            file: at.file.clone(),
            line: at.lines.get(index).copied().unwrap_or(0),
            text: line,
            command: command.to_owned(),
        },
        running: command == "show running-config",
    }
}
