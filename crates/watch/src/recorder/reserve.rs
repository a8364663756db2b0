//! A file that only takes space, to be let go when the disk is full.

use rustix::fs::{FallocateFlags, fallocate};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Enough for the log of one removal and of some hundred events after it, bytes.
const SIZE: u64 = 4 << 20;

/// What its name has after the database's.
pub(super) const SUFFIX: &str = ".reserve";

#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The reserve of a database; taken where there is none yet.
    pub(super) fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(SUFFIX);
        let reserve = Self { path: name.into() };
        reserve.refill();
        reserve
    }

    /// Gives the space back to the file system.
    pub(super) fn release(&self) {
        // Not there: then there is nothing to give.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Takes the space again; says whether it was to be had.
    pub(super) fn refill(&self) -> bool {
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path);
        let Ok(file) = opened else { return false };
        if fallocate(&file, FallocateFlags::empty(), 0, SIZE).is_ok() {
            return true;
        }
        self.release();
        false
    }
}
