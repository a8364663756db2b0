//! One change of a host at a time: flock(2) on a file beside the journal, for plans and network
//! changes alike. The kernel drops the lock with its process, however that ends.
//!
//! A network change outlives the process that began it, so its record is its lock: until it is
//! confirmed or taken back, no plan starts. Taking it back asks for no lock at all; nothing may
//! stand in its way.

use crate::error::Error;
use crate::net::record::Store;
use crate::origin::Origin;
use crate::root::Root;
use rustix::fs::{self as rfs, FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Where nofail keeps its state on a host, unless told otherwise.
pub const HOME: &str = "/var/lib/nofail";

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock for a plan, or says who has it. On a running host no network change may be
    /// open: what it would put back would be laid over what the plan did.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::OpenChange`]; or the lock's file cannot be made.
    pub fn take(root: &Root, title: &str, origin: &Origin) -> Result<Self, Error> {
        let lock = Self::host(root, title, origin)?;
        if root.is_live() {
            let open = Store::new(Path::new(root.home())).unfinished();
            if let Some((handle, progress)) = open.map_err(|e| Error::Net(Box::new(e)))? {
                return Err(Error::OpenChange {
                    id: handle.id,
                    phase: progress.phase.text(),
                });
            }
        }
        Ok(lock)
    }

    /// Takes the lock, whatever is open.
    ///
    /// # Errors
    /// [`Error::Locked`]; or the lock's file cannot be made.
    pub(crate) fn host(root: &Root, title: &str, origin: &Origin) -> Result<Self, Error> {
        let home = root.home();
        root.make_directories(home, 0o755)?;
        let path = format!("{home}/lock");
        let directory = root
            .open(home, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| Error::path("open", home, e))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rfs::openat(&directory, "lock", flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::path("open", &path, e))?;
        let mut file = File::from(fd);
        if !flock(&file, Duration::ZERO).map_err(|e| Error::path("lock", &path, e))? {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let known = read.is_ok() && !holder.trim().is_empty();
            return Err(Error::Locked(if known {
                holder.trim().to_owned()
            } else {
                "who, its lock does not tell".to_owned()
            }));
        }
        let pid = rustix::process::getpid().as_raw_nonzero();
        let holder = format!(
            "{title}, process {pid}, by {}, since {}\n",
            origin.who, origin.when
        );
        // Only for the message above; on a full disk the lock holds all the same.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Self { _file: file })
    }
}

/// Locks an open file, waiting this long for another holder; false where that one stays.
pub(crate) fn flock(file: &File, patience: Duration) -> Result<bool, rustix::io::Errno> {
    let end = Instant::now() + patience;
    loop {
        match rfs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
