//! One name in one directory, and how its content is replaced: a new inode beside the old one,
//! complete and on disk, then one rename.
//!
//! Decided, and why:
//! - **Symbolic links** at the end of a path are followed by steps that write (the link stays,
//!   the file behind it changes) and not by steps that make or remove a link.
//! - **Hard links** are refused: a rename would leave the other names with the old content, and
//!   writing in place is not atomic.
//! - **Immutable** files and directories are refused: somebody meant it.
//! - The temporary name begins with a dot, and the file under it is not executable until it is
//!   renamed: libvirt runs every executable file in `qemu.d`.

use crate::error::Error;
use crate::failpoint::hit;
use crate::state::{Bytes, MAX_FILE, Meta, State};
use rustix::fs::{self as rfs, AtFlags, FileType, Gid, IFlags, Mode, OFlags, Timestamps, Uid};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// The greatest list or value of extended attributes (XATTR_SIZE_MAX, XATTR_LIST_MAX in limits.h).
const XATTR_MAX: usize = 65536;

/// A name in a directory that is held open.
#[derive(Debug)]
pub struct Place {
    directory: OwnedFd,
    name: String,
    path: String,
}

impl Place {
    pub(crate) fn new(directory: OwnedFd, name: String, path: String) -> Self {
        Self {
            directory,
            name,
            path,
        }
    }

    /// The path inside the root, links at its end resolved.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn error(&self, doing: &'static str, source: Errno) -> Error {
        Error::path(doing, &self.path, source)
    }

    /// What is there; a link at the place itself is not followed.
    ///
    /// # Errors
    /// It cannot be read, or is a device, socket or FIFO.
    pub fn state(&self) -> Result<State, Error> {
        let stat = match rfs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(State::Absent),
            Err(error) => return Err(self.error("read", error)),
        };
        let mut meta = Meta {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            xattrs: BTreeMap::new(),
        };
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |flags| {
            rfs::openat(&self.directory, &self.name, flags, Mode::empty())
                .map_err(|e| self.error("read", e))
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let file = open(flags | OFlags::RDONLY)?;
                meta.xattrs = self.xattrs(&file)?;
                let mut content = Vec::new();
                File::from(file)
                    .take(MAX_FILE + 1)
                    .read_to_end(&mut content)
                    .map_err(|e| Error::path("read", &self.path, e))?;
                if content.len() as u64 > MAX_FILE {
                    return Err(Error::Large {
                        path: self.path.clone(),
                    });
                }
                let content = Bytes(content);
                Ok(State::File { content, meta })
            }
            FileType::Symlink => {
                let target = rfs::readlinkat(&self.directory, &self.name, Vec::new())
                    .map_err(|e| self.error("read", e))?;
                let link = open(flags | OFlags::PATH)?;
                meta.xattrs = link_xattrs(&link);
                let target = target.to_string_lossy().into_owned();
                Ok(State::Link { target, meta })
            }
            FileType::Directory => {
                let directory = open(flags | OFlags::RDONLY | OFlags::DIRECTORY)?;
                meta.xattrs = self.xattrs(&directory)?;
                Ok(State::Directory { meta })
            }
            kind => Err(Error::Kind {
                path: self.path.clone(),
                kind: match kind {
                    FileType::BlockDevice => "block device",
                    FileType::CharacterDevice => "character device",
                    FileType::Fifo => "FIFO",
                    FileType::Socket => "socket",
                    _ => "thing of an unknown kind",
                },
            }),
        }
    }

    fn xattrs(&self, file: &OwnedFd) -> Result<BTreeMap<String, Bytes>, Error> {
        let mut list = vec![0; XATTR_MAX];
        let length = match rfs::flistxattr(file, list.as_mut_slice()) {
            Ok(length) => length,
            Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.error("read the attributes of", error)),
        };
        let mut xattrs = BTreeMap::new();
        for name in names(&list[..length]) {
            let mut value = vec![0; XATTR_MAX];
            let length = rfs::fgetxattr(file, name.as_str(), value.as_mut_slice())
                .map_err(|e| self.error("read the attributes of", e))?;
            value.truncate(length);
            xattrs.insert(name, Bytes(value));
        }
        Ok(xattrs)
    }

    /// Refuses what a rename would not replace as a person expects.
    ///
    /// # Errors
    /// [`Error::HardLinks`], [`Error::Immutable`].
    pub fn replaceable(&self) -> Result<(), Error> {
        let frozen = |fd: &OwnedFd| {
            rfs::ioctl_getflags(fd).is_ok_and(|f| f.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
        };
        let immutable = |path: &str| {
            Err(Error::Immutable {
                path: path.to_owned(),
            })
        };
        if frozen(&self.directory) {
            let (parent, _) = self.path.rsplit_once('/').unwrap_or(("/", ""));
            return immutable(if parent.is_empty() { "/" } else { parent });
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rfs::openat(&self.directory, &self.name, flags, Mode::empty()) else {
            // Absent or a link; what cannot be opened is refused where it is read.
            return Ok(());
        };
        if frozen(&file) {
            return immutable(&self.path);
        }
        let stat = rfs::fstat(&file).map_err(|e| self.error("read", e))?;
        let file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if file && stat.st_nlink > 1 {
            return Err(Error::HardLinks {
                path: self.path.clone(),
                #[expect(clippy::useless_conversion, reason = "u32 on some architectures")]
                links: u64::from(stat.st_nlink),
            });
        }
        Ok(())
    }

    /// Writes the new content under a temporary name, complete and on disk; [`Place::put`] then
    /// needs no more room. What needs no new inode is left alone.
    ///
    /// # Errors
    /// It cannot be written, or would not keep owner, mode and attributes. Nothing is left behind.
    pub(crate) fn stage(&self, from: &State, to: &State, temporary: &str) -> Result<(), Error> {
        self.remove_temporary(temporary)?;
        let staged = match to {
            State::File { content, meta } => self.stage_file(from, content, meta, temporary),
            State::Link { target, meta } => self.stage_link(target, meta, temporary),
            State::Directory { meta } if *from == State::Absent => {
                self.stage_directory(meta, temporary)
            }
            State::Absent | State::Directory { .. } => Ok(()),
        };
        if staged.is_err() {
            self.remove_temporary(temporary)?;
        }
        staged
    }

    fn stage_file(
        &self,
        from: &State,
        content: &Bytes,
        meta: &Meta,
        temporary: &str,
    ) -> Result<(), Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rfs::openat(&self.directory, temporary, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| self.error("create the new version of", e))?;
        hit();
        let mut file = File::from(fd);
        file.write_all(&content.0)
            .map_err(|e| Error::path("write the new version of", &self.path, e))?;
        hit();
        self.own(&file, meta)?;
        rfs::fchmod(&file, Mode::from_raw_mode(meta.mode & !0o111))
            .map_err(|e| self.error("keep the mode of", e))?;
        // A change of owner or mode alone leaves the time at which the content was last changed.
        if from.content() == Some(&content.0)
            && let Ok(stat) = rfs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
        {
            let time = rfs::Timespec {
                tv_sec: stat.st_mtime,
                tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0),
            };
            let times = Timestamps {
                last_access: time,
                last_modification: time,
            };
            rfs::futimens(&file, &times).map_err(|e| self.error("date the new version of", e))?;
        }
        file.sync_all()
            .map_err(|e| Error::path("write the new version of", &self.path, e))?;
        hit();
        Ok(())
    }

    /// Owner, then attributes; the mode comes after both, since either may change it.
    fn own(&self, file: &File, meta: &Meta) -> Result<(), Error> {
        let stat = rfs::fstat(file).map_err(|e| self.error("read the new version of", e))?;
        if (stat.st_uid, stat.st_gid) != (meta.uid, meta.gid) {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            rfs::fchown(file, Some(uid), Some(gid))
                .map_err(|e| self.error("keep the owner of", e))?;
        }
        for (name, value) in meta.xattrs.iter().filter(|(n, _)| kept(n)) {
            let mut there = vec![0; XATTR_MAX];
            let same = rfs::fgetxattr(file, name.as_str(), there.as_mut_slice())
                .is_ok_and(|length| there[..length] == value.0);
            if !same {
                rfs::fsetxattr(file, name.as_str(), &value.0, rfs::XattrFlags::empty()).map_err(
                    |error| Error::Metadata {
                        path: self.path.clone(),
                        what: format!("{name} ({error})"),
                    },
                )?;
            }
        }
        Ok(())
    }

    fn stage_link(&self, target: &str, meta: &Meta, temporary: &str) -> Result<(), Error> {
        rfs::symlinkat(target, &self.directory, temporary)
            .map_err(|e| self.error("create the link", e))?;
        hit();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rfs::openat(&self.directory, temporary, flags, Mode::empty())
            .map_err(|e| self.error("read the link", e))?;
        let stat = rfs::fstat(&link).map_err(|e| self.error("read the link", e))?;
        if (stat.st_uid, stat.st_gid) != (meta.uid, meta.gid) {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rfs::chownat(&self.directory, temporary, Some(uid), Some(gid), flags)
                .map_err(|e| self.error("keep the owner of the link", e))?;
        }
        let through = format!("/proc/self/fd/{}", link.as_raw_fd());
        let there = link_xattrs(&link);
        for (name, value) in &meta.xattrs {
            if there.get(name) != Some(value) {
                rfs::setxattr(&through, name.as_str(), &value.0, rfs::XattrFlags::empty())
                    .map_err(|error| Error::Metadata {
                        path: self.path.clone(),
                        what: format!("{name} ({error})"),
                    })?;
            }
        }
        Ok(())
    }

    /// Puts a state in place of what is there: what was staged under `temporary` where there is
    /// such, else staged now. One rename (or unlink, mkdir, rmdir), then the directory is synced.
    ///
    /// # Errors
    /// As [`Place::stage`]; also where a directory to be removed is not empty.
    pub fn put(&self, from: &State, to: &State, temporary: &str) -> Result<(), Error> {
        match to {
            State::Absent => self.remove(from)?,
            State::Directory { meta } if *from != State::Absent => {
                self.set_directory(&self.name, meta)?;
            }
            State::File { meta, .. } | State::Link { meta, .. } | State::Directory { meta } => {
                if !self.holds(temporary) {
                    self.stage(from, to, temporary)?;
                }
                if matches!(to, State::File { .. }) && meta.mode & 0o111 != 0 {
                    let mode = Mode::from_raw_mode(meta.mode);
                    rfs::chmodat(&self.directory, temporary, mode, AtFlags::empty())
                        .map_err(|e| self.error("keep the mode of", e))?;
                }
                hit();
                rfs::renameat(&self.directory, temporary, &self.directory, &self.name)
                    .map_err(|e| self.error("replace", e))?;
            }
        }
        hit();
        rfs::fsync(&self.directory).map_err(|e| self.error("sync the directory of", e))?;
        hit();
        Ok(())
    }

    fn remove(&self, from: &State) -> Result<(), Error> {
        let flags = match from {
            State::Directory { .. } => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        match rfs::unlinkat(&self.directory, &self.name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error("remove", error)),
        }
    }

    fn stage_directory(&self, meta: &Meta, temporary: &str) -> Result<(), Error> {
        rfs::mkdirat(&self.directory, temporary, Mode::RWXU)
            .map_err(|e| self.error("create", e))?;
        hit();
        self.set_directory(temporary, meta)
    }

    /// Owner, attributes and mode of a directory. Where it exists already this is not atomic.
    fn set_directory(&self, name: &str, meta: &Meta) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rfs::openat(&self.directory, name, flags, Mode::empty())
            .map_err(|e| self.error("open", e))?;
        let made = File::from(made);
        self.own(&made, meta)?;
        rfs::fchmod(&made, Mode::from_raw_mode(meta.mode))
            .map_err(|e| self.error("set the mode of", e))?;
        rfs::fsync(&made).map_err(|e| self.error("sync", e))
    }

    fn holds(&self, name: &str) -> bool {
        rfs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Removes what an earlier, killed run staged.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove_temporary(&self, temporary: &str) -> Result<(), Error> {
        let removed = match rfs::unlinkat(&self.directory, temporary, AtFlags::empty()) {
            Err(Errno::ISDIR) => rfs::unlinkat(&self.directory, temporary, AtFlags::REMOVEDIR),
            other => other,
        };
        match removed {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error("remove the temporary file beside", error)),
        }
    }
}

/// Replaces one of nofail's own files, or makes it: what was there does not matter and is not kept.
/// Atomic and durable as [`Place::put`].
///
/// # Errors
/// The disk refuses; the file is then as it was.
pub fn replace(path: &std::path::Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let shown = path.display().to_string();
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::path("write", &shown, Errno::ISDIR));
    };
    let parent = if parent.as_os_str().is_empty() {
        std::path::Path::new(".")
    } else {
        parent
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory =
        rfs::open(parent, flags, Mode::empty()).map_err(|e| Error::path("write", &shown, e))?;
    let place = Place::new(directory, name.to_string_lossy().into_owned(), shown);
    let new = State::File {
        content: Bytes(bytes.to_vec()),
        meta: Meta {
            mode,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            xattrs: BTreeMap::new(),
        },
    };
    let temporary = format!(".{}.{}.new", place.name, std::process::id());
    place.stage(&State::Absent, &new, &temporary)?;
    let put = place.put(&State::Absent, &new, &temporary);
    if put.is_err() {
        // What is left of the new one helps nobody.
        let _ = place.remove_temporary(&temporary);
    }
    put
}

/// Attributes that are the file's own; see [`Meta`].
fn kept(name: &str) -> bool {
    !matches!(name, "security.ima" | "security.evm")
}

fn names(list: &[u8]) -> impl Iterator<Item = String> {
    list.split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| kept(name))
}

/// A link's attributes, through /proc; none where that is not mounted (only labels matter, and
/// the policy gives a new link its label).
fn link_xattrs(link: &OwnedFd) -> BTreeMap<String, Bytes> {
    let through = format!("/proc/self/fd/{}", link.as_raw_fd());
    let mut list = vec![0; XATTR_MAX];
    let Ok(length) = rfs::listxattr(&through, list.as_mut_slice()) else {
        return BTreeMap::new();
    };
    let value = |name: String| {
        let mut value = vec![0; XATTR_MAX];
        let length = rfs::getxattr(&through, name.as_str(), value.as_mut_slice()).ok()?;
        value.truncate(length);
        Some((name, Bytes(value)))
    };
    names(&list[..length]).filter_map(value).collect()
}
