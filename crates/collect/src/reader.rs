//! Where bytes come from: this host, or a directory tree that holds a host's files.
//!
//! Under a root every path is opened relative to the root's directory handle and absolute links
//! resolve inside it (`openat2(2)` with `RESOLVE_IN_ROOT`), so that no link escapes the tree.

use rustix::fs::{self as rfs, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// No configuration file that nofail reads is larger; what is, is an error, not memory.
const MAX_FILE: u64 = 64 << 20;

/// What stat(2) says, as far as nofail asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Permission bits with set-ID and sticky (`0o7777`).
    pub mode: u32,
    /// Kind of file.
    pub kind: Kind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Bytes really allocated.
    pub allocated: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Change time, seconds since 1970.
    pub ctime: i64,
}

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Link,
    /// Block device.
    Block,
    /// Anything else.
    Other,
}

/// Reads one host's files. Paths are absolute, as they are on that host.
///
/// For local, well-behaved file systems only (`/etc`, `/run`, `/proc`, `/sys`): what may lie on
/// a network mount is looked at by a disposable child.
pub trait HostReader: Send + Sync {
    /// `live` or `root`.
    fn kind(&self) -> &'static str;

    /// Whether this is the running host: its kernel, daemons and commands may be asked.
    fn live(&self) -> bool {
        self.kind() == "live"
    }

    /// The whole file.
    ///
    /// # Errors
    /// The system's, or `InvalidData` for a file over 64 MiB.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// Up to `length` bytes from `offset` on.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Names in a directory, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// The file's metadata; links followed.
    ///
    /// # Errors
    /// The system's.
    fn stat(&self, path: &str) -> io::Result<Stat>;

    /// The metadata of the path itself; a link is not followed.
    ///
    /// # Errors
    /// The system's.
    fn lstat(&self, path: &str) -> io::Result<Stat>;

    /// What a symbolic link holds.
    ///
    /// # Errors
    /// The system's; `InvalidInput` for what is no link.
    fn read_link(&self, path: &str) -> io::Result<String>;

    /// An extended attribute; `None` where the file has none of that name, or the file system
    /// has no attributes.
    ///
    /// # Errors
    /// The system's.
    fn xattr(&self, path: &str, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// The file as text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As for [`HostReader::read`].
    fn text(&self, path: &str) -> io::Result<String> {
        Ok(match String::from_utf8(self.read(path)?) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// A path at which a command that runs on this machine finds that file, where there is one.
    /// For a root it goes through this process's own directory handle.
    fn path_here(&self, path: &str) -> Option<PathBuf> {
        self.live().then(|| PathBuf::from(path))
    }

    /// Whether the absence of a file here means that the host has no such file. Not so in a
    /// tree that holds only a few files of a host.
    fn complete(&self) -> bool;
}

/// This host, or a tree.
#[derive(Debug)]
pub struct LocalReader {
    root: OwnedFd,
    rooted: bool,
    complete: bool,
}

impl LocalReader {
    /// This host.
    ///
    /// # Errors
    /// The system's, when `/` cannot be opened.
    pub fn live() -> io::Result<Self> {
        Self::open(Path::new("/"), false)
    }

    /// A tree that holds a host's files. It counts as complete when it holds a `usr` and an
    /// `etc/os-release` (os-release(5) demands one).
    ///
    /// # Errors
    /// The system's, when the directory cannot be opened.
    pub fn rooted(root: &Path) -> io::Result<Self> {
        let mut reader = Self::open(root, true)?;
        let os_release =
            reader.stat("/etc/os-release").is_ok() || reader.stat("/usr/lib/os-release").is_ok();
        reader.complete = os_release && reader.stat("/usr").is_ok();
        Ok(reader)
    }

    fn open(root: &Path, rooted: bool) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: rfs::open(root, flags, Mode::empty())?,
            rooted,
            complete: !rooted,
        })
    }

    fn at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        if !self.rooted {
            return Ok(rfs::open(path, flags, Mode::empty())?);
        }
        open_in_root(self.root.as_fd(), path, flags)
    }

    fn stat_of(&self, path: &str, follow: bool) -> io::Result<Stat> {
        let nofollow = if follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        let file = self.at(path, OFlags::PATH | nofollow)?;
        let stat = rfs::statat(&file, "", AtFlags::EMPTY_PATH)?;
        Ok(Stat {
            mode: stat.st_mode & 0o7777,
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Link,
                FileType::BlockDevice => Kind::Block,
                _ => Kind::Other,
            },
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            allocated: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
            mtime: stat.st_mtime,
            ctime: stat.st_ctime,
        })
    }
}

/// Opens what exists at a path inside a root's directory handle: every link, absolute or climbing,
/// resolves inside it (`openat2(2)`, `RESOLVE_IN_ROOT`).
///
/// # Errors
/// The system's.
pub fn open_in_root(
    root: std::os::fd::BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    let inside = path.trim_start_matches('/');
    let inside = if inside.is_empty() { "." } else { inside };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match rfs::openat2(root, inside, flags, Mode::empty(), resolve) {
        // Linux before 5.6 (RHEL 8) has no openat2.
        Err(rustix::io::Errno::NOSYS) => walk(root, inside, flags),
        other => Ok(other?),
    }
}

/// Resolves a path inside a root by hand, component by component.
fn walk(root: std::os::fd::BorrowedFd<'_>, inside: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let mut left: Vec<String> = inside.split('/').rev().map(str::to_owned).collect();
    let mut resolved: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                resolved.pop();
                continue;
            }
            _ => {}
        }
        resolved.push(part);
        let last = left.iter().all(|p| p.is_empty() || p == ".");
        if last && flags.contains(OFlags::NOFOLLOW) {
            break;
        }
        let so_far = resolved.join("/");
        match rfs::readlinkat(root, so_far.as_str(), Vec::new()) {
            Ok(target) => {
                links += 1;
                if links > 40 {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = target.to_string_lossy().into_owned();
                resolved.pop();
                if target.starts_with('/') {
                    resolved.clear();
                }
                left.extend(target.split('/').rev().map(str::to_owned));
            }
            Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let path = if resolved.is_empty() {
        ".".to_owned()
    } else {
        resolved.join("/")
    };
    // No link is left in `path` (but for the last part where it is not to be followed).
    Ok(rfs::openat(root, path, flags, Mode::empty())?)
}

impl HostReader for LocalReader {
    fn kind(&self) -> &'static str {
        if self.rooted { "root" } else { "live" }
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        // NONBLOCK: opening a FIFO that lies where a file should must not wait for a writer.
        let file = File::from(self.at(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "larger than 64 MiB: not a configuration file",
            ));
        }
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = File::from(self.at(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let read = file.read_at(&mut bytes[filled..], offset + filled as u64)?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let directory = self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(directory)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            let name = name.to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn stat(&self, path: &str) -> io::Result<Stat> {
        self.stat_of(path, true)
    }

    fn lstat(&self, path: &str) -> io::Result<Stat> {
        self.stat_of(path, false)
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        let link = self.at(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        let target = rfs::readlinkat(&link, "", Vec::new())?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn xattr(&self, path: &str, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = self.at(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let mut value = vec![0; 4096];
        match rfs::fgetxattr(&file, name, value.as_mut_slice()) {
            Ok(length) => {
                value.truncate(length);
                Ok(Some(value))
            }
            Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn path_here(&self, path: &str) -> Option<PathBuf> {
        if !self.rooted {
            return Some(PathBuf::from(path));
        }
        let handle = format!("/proc/{}/fd/{}", std::process::id(), self.root.as_raw_fd());
        Some(Path::new(&handle).join(path.trim_start_matches('/')))
    }

    fn complete(&self) -> bool {
        self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, LocalReader) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/hostname"), "kvm-01\n").unwrap();
        symlink("/etc/hostname", dir.path().join("etc/absolute")).unwrap();
        symlink("../../../../etc/hostname", dir.path().join("etc/climbing")).unwrap();
        symlink("loop", dir.path().join("etc/loop")).unwrap();
        let reader = LocalReader::rooted(dir.path()).unwrap();
        (dir, reader)
    }

    #[test]
    fn links_stay_inside_the_root() {
        let (_dir, reader) = tree();
        for path in ["/etc/hostname", "/etc/absolute", "/etc/climbing"] {
            assert_eq!(reader.text(path).unwrap(), "kvm-01\n", "{path}");
        }
        assert!(reader.read("/etc/loop").is_err());
        assert_eq!(reader.read_link("/etc/absolute").unwrap(), "/etc/hostname");
    }

    #[test]
    fn the_walk_by_hand_agrees_with_openat2() {
        let (_dir, reader) = tree();
        for path in ["etc/hostname", "etc/absolute", "etc/climbing"] {
            let mut text = String::new();
            File::from(walk(reader.root.as_fd(), path, OFlags::RDONLY).unwrap())
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, "kvm-01\n", "{path}");
        }
        assert!(walk(reader.root.as_fd(), "etc/loop", OFlags::RDONLY).is_err());
    }

    #[test]
    fn a_tree_of_few_files_is_not_complete() {
        let (dir, reader) = tree();
        assert!(!reader.complete());
        std::fs::create_dir(dir.path().join("usr")).unwrap();
        std::fs::write(dir.path().join("etc/os-release"), "ID=debian\n").unwrap();
        assert!(LocalReader::rooted(dir.path()).unwrap().complete());
    }

    #[test]
    fn a_fifo_does_not_block() {
        let (dir, reader) = tree();
        let fifo = dir.path().join("etc/fstab");
        rfs::mknodat(rfs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(reader.read("/etc/fstab").unwrap(), b"");
    }
}
