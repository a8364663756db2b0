//! Reads captures, which may lie on a network mount, through a helper that may hang.

use collect::probe::{ProbeStat, Prober};
use facts::switch::{self, Switch};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// As much as one question to the helper may ask for, bytes.
const PIECE: usize = 1 << 20;
/// A running configuration is some hundred KiB; what is larger is no capture.
const LARGEST: u64 = 16 << 20;
/// What was written so lately may still grow within the same second, which its time would not
/// show.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells that a file is another one than before. The name as in site.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    name: String,
    inode: u64,
    size: u64,
    mtime: i64,
}

/// A switch as its captures showed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    stamps: Vec<Stamp>,
    /// All captures as one.
    pub(super) switch: Switch,
}

/// The captures of one switch, and the helper that reads them.
pub(super) struct Reader {
    prober: Prober,
    /// Names as in site.toml, and where they lie.
    captures: Vec<(String, PathBuf)>,
}

impl Reader {
    pub(super) fn new(options: &collect::Options, captures: Vec<(String, PathBuf)>) -> Self {
        Self {
            prober: Prober::new(options),
            captures,
        }
    }

    /// The switch as it is now; nothing where no file changed since.
    ///
    /// # Errors
    /// Which capture gave no answer, and what came instead. A helper that hangs in the kernel is
    /// waited for before there is another.
    pub(super) fn read(&mut self, known: Option<&Known>) -> Result<Option<Known>, String> {
        if self.prober.hanging() > 0 {
            let (name, _) = self.captures.first().ok_or("there are no captures")?;
            return Err(format!("{name}: whoever reads it hangs in the kernel"));
        }
        let read = self.look(known);
        self.prober.rest();
        read
    }

    fn look(&mut self, known: Option<&Known>) -> Result<Option<Known>, String> {
        let mut stamps = Vec::new();
        for (name, path) in &self.captures {
            let stat = self.prober.stat(&path.to_string_lossy());
            stamps.push(stamp(name, &stat.map_err(|e| format!("{name}: {e}"))?)?);
        }
        if known.is_some_and(|k| k.stamps == stamps) || !stamps.iter().all(is_settled) {
            return Ok(None);
        }
        let mut parsed = Vec::new();
        for (at, (name, path)) in self.captures.iter().enumerate() {
            let path = path.to_string_lossy();
            let mut bytes = Vec::new();
            loop {
                let piece = self.prober.read_at(&path, bytes.len() as u64, PIECE);
                let piece = piece.map_err(|e| format!("{name}: {e}"))?;
                bytes.extend_from_slice(&piece);
                if piece.len() < PIECE {
                    break;
                }
                if bytes.len() as u64 > LARGEST {
                    return Err(format!("{name}: larger than {} MiB", LARGEST >> 20));
                }
            }
            if bytes.len() as u64 != stamps[at].size {
                return Err(format!("{name}: it is being written"));
            }
            let text = String::from_utf8_lossy(&bytes);
            parsed.push(switch::parse(name, &text).map_err(|e| e.to_string())?);
        }
        let switch = Switch::merge(parsed);
        Ok(Some(Known { stamps, switch }))
    }
}

fn stamp(name: &str, stat: &ProbeStat) -> Result<Stamp, String> {
    // A pipe or a terminal would be read without end.
    if !stat.is_file() {
        return Err(format!("{name}: no regular file"));
    }
    if stat.size > LARGEST {
        return Err(format!("{name}: larger than {} MiB", LARGEST >> 20));
    }
    Ok(Stamp {
        name: name.to_owned(),
        inode: stat.inode,
        size: stat.size,
        mtime: stat.mtime,
    })
}

/// A file server's clock may be ahead of ours: a time to come counts as long ago.
fn is_settled(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |time| time.as_secs());
    match u64::try_from(stamp.mtime) {
        Ok(mtime) if mtime <= now => now - mtime >= SETTLED.as_secs(),
        _ => true,
    }
}
