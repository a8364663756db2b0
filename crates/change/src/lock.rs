//! One change at a time: flock(2) on a file beside the journal. The kernel drops the lock with
//! its process, however that ends.

use crate::error::Error;
use crate::origin::Origin;
use crate::root::Root;
use rustix::fs::{self as rfs, FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Write};

/// Where nofail keeps its state on a host.
pub const HOME: &str = "/var/lib/nofail";

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// [`Error::Locked`]; or the lock's file cannot be made.
    pub fn take(root: &Root, title: &str, origin: &Origin) -> Result<Self, Error> {
        root.make_directories(HOME, 0o755)?;
        let path = format!("{HOME}/lock");
        let home = root
            .open(HOME, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| Error::path("open", HOME, e))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rfs::openat(&home, "lock", flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::path("open", &path, e))?;
        let mut file = File::from(fd);
        match rfs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let read = file.read_to_string(&mut holder);
                let known = read.is_ok() && !holder.trim().is_empty();
                return Err(Error::Locked(if known {
                    holder.trim().to_owned()
                } else {
                    "who, its lock does not tell".to_owned()
                }));
            }
            Err(error) => return Err(Error::path("lock", &path, error)),
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
