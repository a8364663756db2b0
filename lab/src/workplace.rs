//! The directory of one machine's sockets, disks and logs, and what becomes of it when its test is
//! killed: the next one that makes such a directory removes it.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// How the names of these directories begin.
const PREFIX: &str = "nofail-lab-";

/// The file in it that its process holds locked. No socket of the machine is asked instead: QEMU answers one visitor
/// at a time, so that the second who knocks stands there until the machine ends.
const HELD: &str = "held";

/// A directory of its own, gone with this value.
#[derive(Debug)]
pub struct Workplace {
    dir: TempDir,
    _held: File,
}

impl Workplace {
    /// Makes one; its name is short, as a UNIX socket's path must be.
    ///
    /// # Errors
    /// Where the temporary directory cannot be written.
    pub fn new() -> Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    fn below(temporary: &Path) -> Result<Self> {
        sweep(temporary);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(temporary)?;
        // Locked before it has its name, so that nobody finds it unlocked.
        let unnamed = dir.path().join("new");
        let held = File::create(&unnamed)?;
        flock(&held, FlockOperation::NonBlockingLockExclusive)
            .with_context(|| format!("cannot lock {}", unnamed.display()))?;
        std::fs::rename(unnamed, dir.path().join(HELD))?;
        Ok(Self { dir, _held: held })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes those that nobody holds. One without the file is just being made.
fn sweep(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(held) = File::open(entry.path().join(HELD)) else {
            continue;
        };
        if flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Another test may sweep at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_machine_left_is_removed_and_a_running_one_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        let running = Workplace::below(temporary.path()).unwrap();
        for name in ["nofail-lab-dead", "other"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join(HELD), "").unwrap();
        }
        std::fs::create_dir(at("nofail-lab-starting")).unwrap();
        let second = Workplace::below(temporary.path()).unwrap();
        assert!(running.path().exists() && second.path().exists());
        assert!(at("nofail-lab-starting").exists() && at("other").exists());
        assert!(!at("nofail-lab-dead").exists());
        let path = running.path().to_path_buf();
        drop(running);
        assert!(!path.exists());
    }
}
