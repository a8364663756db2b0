//! One JSON object per line (`nofail.event/1`), made for Wazuh's agent (`log_format json`) and
//! whoever else tails files. The numbers in the file tell what it holds: nothing is written twice,
//! whenever we are killed.

use super::{Failure, Stream};
use crate::event::json::Line;
use crate::recorder::Recorded;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// So much of the file's end is read to find its last line.
const TAIL: u64 = 256 << 10;

pub(super) struct Lines {
    path: PathBuf,
    limit: u64,
    /// The largest number in the file; `None` before the first look.
    last: Option<i64>,
}

impl Lines {
    pub(super) fn new(path: &Path, limit: u64) -> Self {
        Self {
            path: path.to_owned(),
            limit,
            last: None,
        }
    }

    fn open(&self) -> std::io::Result<File> {
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o640)
            .open(&self.path)
    }

    fn write(&mut self, events: &[Recorded]) -> std::io::Result<()> {
        let mut file = self.open()?;
        let length = file.metadata()?.len();
        if length > self.limit {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            file = self.open()?;
        }
        if self.last.is_none() {
            self.last = Some(mend(&mut file)?);
        }
        let mut text = Vec::new();
        for recorded in events
            .iter()
            .filter(|r| self.last.is_none_or(|last| r.id > last))
        {
            serde_json::to_writer(&mut text, &Line::of(Some(recorded.id), &recorded.event))?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_data()?;
        self.last = self.last.max(events.last().map(|r| r.id));
        Ok(())
    }
}

/// Cuts off a line that was not finished (a kill, a full disk) and gives the last number.
fn mend(file: &mut File) -> std::io::Result<i64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < bytes.len() {
        file.set_len(from + whole as u64)?;
    }
    let text = String::from_utf8_lossy(&bytes[..whole]);
    let last = text
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Line>(line).ok()?.id);
    Ok(last.unwrap_or(0))
}

impl Stream for Lines {
    fn deliver(&mut self, events: &[Recorded]) -> Result<(), (usize, Failure)> {
        self.write(events).map_err(|e| {
            // What stands in the file is found out anew.
            self.last = None;
            (0, format!("{}: {e}", self.path.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use jiff::Timestamp;

    fn events(ids: std::ops::RangeInclusive<i64>) -> Vec<Recorded> {
        let event = || Event::new(Timestamp::UNIX_EPOCH, "h", "s", Kind::Remark, "x", "m");
        ids.map(|id| Recorded { id, event: event() }).collect()
    }

    fn ids(path: &Path) -> Vec<i64> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|l| serde_json::from_str::<Line>(l).unwrap().id.unwrap())
            .collect()
    }

    #[test]
    fn nothing_twice_and_no_half_line_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/events.json");
        Lines::new(&path, 1 << 20).deliver(&events(1..=3)).unwrap();
        let half = OpenOptions::new().append(true).open(&path).unwrap();
        (&half).write_all(b"{\"schema\":\"nofail.ev").unwrap();
        // A new process whose place was not kept begins at the start.
        Lines::new(&path, 1 << 20).deliver(&events(1..=5)).unwrap();
        assert_eq!(ids(&path), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn at_its_limit_the_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.json");
        let mut lines = Lines::new(&path, 100);
        lines.deliver(&events(1..=3)).unwrap();
        lines.deliver(&events(4..=5)).unwrap();
        assert_eq!(ids(&dir.path().join("events.json.1")), [1, 2, 3]);
        assert_eq!(ids(&path), [4, 5]);
    }
}
