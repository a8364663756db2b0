//! The disposable child: does what it is asked, one request after the other, and may hang.

use super::protocol::{
    MAX_COUNT, MAX_READ, ProbeList, ProbeStat, ProbeVfs, Request, Response, to_hex,
};
use rustix::fs::{self as rfs, Access, AtFlags, Dir, Mode, OFlags, StatVfsMountFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, OpenTreeFlags, mount_bind, mount_change, open_tree};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

/// To be called first thing in `main`: where this process was started as `PROGRAM probe-child`,
/// serves requests until standard input ends and returns the exit code to end with; else `None`.
pub fn child_main() -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != "probe-child" {
        return None;
    }
    // A child that hangs must not outlive its parent. Nothing is lost where this fails: the end
    // of standard input ends it too.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(request) = serde_json::from_str::<Request>(&line) else {
            return Some(ExitCode::from(2));
        };
        let response = answer(&request).unwrap_or_else(|e| Response::Errno(e.raw_os_error()));
        let Ok(mut text) = serde_json::to_string(&response) else {
            return Some(ExitCode::from(2));
        };
        text.push('\n');
        if output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush())
            .is_err()
        {
            break;
        }
    }
    Some(ExitCode::SUCCESS)
}

fn answer(request: &Request) -> Result<Response, Errno> {
    Ok(match request {
        Request::Stat { path } => Response::Stat(stat(path)?),
        Request::List {
            path,
            limit,
            count_to,
        } => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Response::List(list(
                rfs::open(path, flags, Mode::empty())?,
                *limit,
                *count_to,
            )?)
        }
        Request::ReadAt {
            path,
            offset,
            length,
        } => Response::Bytes(to_hex(&read_at(path, *offset, *length)?)),
        Request::StatVfs { path } => {
            let vfs = rfs::statvfs(path)?;
            Response::StatVfs(ProbeVfs {
                size: vfs.f_blocks.saturating_mul(vfs.f_frsize),
                free: vfs.f_bfree.saturating_mul(vfs.f_frsize),
                available: vfs.f_bavail.saturating_mul(vfs.f_frsize),
                read_only: vfs.f_flag.contains(StatVfsMountFlags::RDONLY),
            })
        }
        Request::Writable { path } => {
            rfs::accessat(rfs::CWD, path, Access::WRITE_OK, AtFlags::empty())?;
            Response::Writable
        }
        Request::Canonical { path } => {
            let path = std::fs::canonicalize(path)
                .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
            Response::Path(path.to_string_lossy().into_owned())
        }
        Request::Under {
            mount,
            inside,
            limit,
        } => Response::List(list(under(mount, inside)?, *limit, MAX_COUNT)?),
    })
}

fn stat(path: &str) -> Result<ProbeStat, Errno> {
    let stat = rfs::statx(
        rfs::CWD,
        path,
        // The server is asked even where the kernel has the attributes in its cache.
        AtFlags::NO_AUTOMOUNT | AtFlags::STATX_FORCE_SYNC,
        StatxFlags::BASIC_STATS,
    )?;
    Ok(ProbeStat {
        mode: stat.stx_mode.into(),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        size: stat.stx_size,
        allocated: stat.stx_blocks.saturating_mul(512),
        device: format!("{}:{}", stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        mtime: stat.stx_mtime.tv_sec,
    })
}

fn list(directory: OwnedFd, limit: usize, count_to: u64) -> Result<ProbeList, Errno> {
    let mode = rfs::fstat(&directory)?.st_mode & 0o7777;
    let (mut names, mut count) = (Vec::new(), 0_u64);
    for entry in Dir::new(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() < limit {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        count += 1;
        if count >= count_to.min(MAX_COUNT) {
            break;
        }
    }
    names.sort();
    Ok(ProbeList { names, count, mode })
}

fn read_at(path: &str, offset: u64, length: usize) -> Result<Vec<u8>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rfs::open(path, flags, Mode::empty())?);
    let mut bytes = vec![0; length.min(MAX_READ)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Opens a directory of the mount at `mount` as it is without the mounts below. Needs root.
fn under(mount: &str, inside: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let inside = inside.trim_matches('/');
    let inside = if inside.is_empty() { "." } else { inside };
    // A detached copy of that one mount (Linux 5.2): nothing is mounted anywhere, and it goes
    // when the descriptor is closed.
    match open_tree(
        rfs::CWD,
        mount,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    ) {
        Ok(tree) => rfs::openat(tree.as_fd(), inside, flags, Mode::empty()),
        Err(Errno::NOSYS) => under_by_bind(mount, inside, flags),
        Err(error) => Err(error),
    }
}

/// The same for older kernels (RHEL 8): binds that one mount in a mount namespace of this
/// child's own, over a directory that nobody needs there any more.
fn under_by_bind(mount: &str, inside: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    #[expect(
        deprecated,
        reason = "deprecated for CLONE_FILES only; a mount namespace needs no unsafe code"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    mount_bind(mount, "/proc")?;
    rfs::open(format!("/proc/{inside}"), flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernels_way_sees_the_bare_directory_too() {
        // In a thread of its own: unshare changes the namespace of the calling thread, and only
        // of this one (after CLONE_FS is undone, which NEWNS implies).
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        std::thread::spawn(move || {
            // `/proc` is a mount; below the root file system it is a bare directory.
            let bare = list(under_by_bind("/", "proc", flags).unwrap(), 5, 9).unwrap();
            assert_eq!(bare.count, 0, "{:?}", bare.names);
        })
        .join()
        .unwrap();
        assert!(std::path::Path::new("/proc/self").exists());
    }
}
