//! The tree that is changed: this host's `/`, or a directory. No path leads out of it.

use crate::error::Error;
use crate::lock::HOME;
use crate::place::Place;
use collect::reader::open_in_root;
use rustix::fs::{self as rfs, Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Links that one path may go through, as the kernel's own limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A directory handle under which everything is resolved.
#[derive(Debug)]
pub struct Root {
    handle: OwnedFd,
    live: bool,
    shown: PathBuf,
    home: String,
}

impl Root {
    /// This host.
    ///
    /// # Errors
    /// `/` cannot be opened.
    pub fn live() -> Result<Self, Error> {
        Self::open_root(Path::new("/"), true)
    }

    /// A tree that holds a host's files.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn rooted(directory: &Path) -> Result<Self, Error> {
        Self::open_root(directory, false)
    }

    fn open_root(directory: &Path, live: bool) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rfs::open(directory, flags, Mode::empty())
            .map_err(|e| Error::path("open", &directory.display().to_string(), e))?;
        Ok(Self {
            handle,
            live,
            shown: directory.to_owned(),
            home: HOME.to_owned(),
        })
    }

    /// The same with nofail's state (lock, plans, network changes) in another directory, given
    /// from the root on.
    #[must_use]
    pub fn at_home(mut self, home: &Path) -> Self {
        self.home = home.display().to_string();
        self
    }

    /// Where nofail keeps its state, from the root on.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Whether this is the running host, on which commands may be run.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The directory as it was given.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Opens what exists.
    pub(crate) fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        open_in_root(self.handle.as_fd(), path, flags)
    }

    /// Whether there is a directory, links followed.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        self.open(path, OFlags::PATH | OFlags::DIRECTORY).is_ok()
    }

    /// Owner and group of a directory, links followed.
    pub(crate) fn owner(&self, path: &str) -> Option<(u32, u32)> {
        let directory = self.open(path, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        let stat = rfs::fstat(&directory).ok()?;
        Some((stat.st_uid, stat.st_gid))
    }

    /// Where a path really lies. With `follow`, a link at its end is followed, so that the file
    /// behind it is changed and the link stays; links before the end always are.
    ///
    /// # Errors
    /// The directory does not exist, or links go in a circle.
    pub fn place(&self, path: &str, follow: bool) -> Result<Place, Error> {
        let mut path = format!("/{}", path.trim_start_matches('/'));
        for _ in 0..MAX_LINKS {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let named = !matches!(name, "" | "." | "..");
            if !named {
                let wrong = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(Error::path("resolve", &path, wrong));
            }
            let parent = if parent.is_empty() { "/" } else { parent };
            let directory = self
                .open(parent, OFlags::RDONLY | OFlags::DIRECTORY)
                .map_err(|e| Error::path("open", parent, e))?;
            let link = if follow {
                rfs::readlinkat(&directory, name, Vec::new()).ok()
            } else {
                None
            };
            match link {
                None => return Ok(Place::new(directory, name.to_owned(), path)),
                Some(target) => {
                    let target = target.to_string_lossy();
                    path = if target.starts_with('/') {
                        target.into_owned()
                    } else {
                        format!("{}/{target}", parent.trim_end_matches('/'))
                    };
                }
            }
        }
        Err(Error::path("resolve", &path, rustix::io::Errno::LOOP))
    }

    /// Makes a directory and those above it; existing ones stay as they are.
    pub(crate) fn make_directories(&self, path: &str, mode: u32) -> Result<(), Error> {
        let mut so_far = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            let parent = if so_far.is_empty() {
                "/".to_owned()
            } else {
                so_far.clone()
            };
            let directory = self
                .open(&parent, OFlags::RDONLY | OFlags::DIRECTORY)
                .map_err(|e| Error::path("open", &parent, e))?;
            let made = rfs::mkdirat(&directory, part, Mode::from_raw_mode(mode));
            so_far = format!("{so_far}/{part}");
            match made {
                Ok(()) => rfs::fsync(&directory).map_err(|e| Error::path("sync", &parent, e))?,
                Err(rustix::io::Errno::EXIST) => {}
                // A read-only or foreign parent that holds the directory already.
                Err(_) if self.is_directory(&so_far) => {}
                Err(error) => return Err(Error::path("create", &so_far, error)),
            }
        }
        Ok(())
    }
}
