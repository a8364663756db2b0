//! FUSE mounts of tests, with servers that answer, refuse, or never say a word. Needs root and
//! `/dev/fuse`.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the server behind a FUSE mount does.
#[derive(Clone)]
pub enum Server {
    /// Never answers, not even the kernel's first message: whoever asks can be killed.
    Silent,
    /// Takes every question and answers none: whoever asks hangs beyond SIGKILL.
    Swallows,
    /// Answers everything with this error.
    Errno(i32),
    /// A directory with one entry, while this holds; afterwards as [`Server::Swallows`].
    Answers(Arc<AtomicBool>),
}

/// Mounts at a directory. The mount lives as long as the device is open.
pub fn mount_at(directory: &Path, fstype: &str, source: &str, server: &Server, user: u32) -> File {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .unwrap();
    let data = format!(
        "fd={},rootmode=40000,user_id={user},group_id={user}",
        device.as_raw_fd()
    );
    mount(
        source,
        directory,
        fstype,
        MountFlags::NOSUID | MountFlags::NODEV,
        CString::new(data).unwrap().as_c_str(),
    )
    .unwrap();
    if !matches!(server, Server::Silent) {
        let (device, server) = (device.try_clone().unwrap(), server.clone());
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || serve(device, &server))
            .unwrap();
    }
    device
}

/// Takes a mount away, however dead its server is.
pub fn unmount_at(directory: &Path) {
    // Detached first: the server's thread ends when the last descriptor sees ENODEV.
    let _ = unmount(directory, UnmountFlags::DETACH | UnmountFlags::FORCE);
}

/// A FUSE server of protocol 7.31 (linux/fuse.h) that opens the connection and then does as told.
fn serve(mut device: File, server: &Server) {
    let mut request = vec![0; 1 << 17];
    while let Ok(length) = device.read(&mut request) {
        if length < 40 {
            break;
        }
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let opcode = word(4);
        // FORGET, INTERRUPT and BATCH_FORGET want no answer.
        if matches!(opcode, 2 | 36 | 42) {
            continue;
        }
        let answer = match server {
            // INIT: version 7.31, read-ahead, flags, background limits, largest write, …
            _ if opcode == 26 => {
                let mut words = [0; 16];
                words[..8].copy_from_slice(&[7, 31, 4096, 0, 0x0010_0010, 1 << 16, 1, 16]);
                Ok(words32(&words))
            }
            Server::Silent | Server::Swallows => continue,
            Server::Errno(errno) => Err(*errno),
            Server::Answers(on) if !on.load(Ordering::Relaxed) => continue,
            Server::Answers(_) => directory(opcode, word(48)),
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(errno) => (-errno, Vec::new()),
        };
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
        bytes.extend(error.to_ne_bytes());
        bytes.extend(&request[8..16]);
        bytes.extend(body);
        if device.write_all(&bytes).is_err() {
            break;
        }
    }
}

fn words32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

/// A directory with one entry; `offset` is where READDIR goes on.
fn directory(opcode: u32, offset: u32) -> Result<Vec<u8>, i32> {
    const ENOSYS: i32 = 38;
    Ok(match opcode {
        // GETATTR: 16 bytes of validity (none), inode 1, a directory of mode 755 with two links.
        3 => {
            let mut words = [0; 26];
            words[4] = 1;
            (words[19], words[20]) = (0o40755, 2);
            words32(&words)
        }
        // STATFS: blocks, free, available, files; block size, name length, fragment size.
        17 => {
            let mut words = [0; 20];
            (words[0], words[2], words[4]) = (1_000, 500, 500);
            (words[10], words[11], words[12]) = (4_096, 255, 4_096);
            words32(&words)
        }
        // OPENDIR, RELEASEDIR
        27 => vec![0; 16],
        29 => Vec::new(),
        // READDIR: inode 2, next offset 1, a name of one letter, a regular file.
        28 if offset == 0 => words32(&[2, 0, 1, 0, 1, 8, u32::from_ne_bytes(*b"x\0\0\0"), 0]),
        28 => Vec::new(),
        // ACCESS: the kernel does not ask again.
        _ => return Err(ENOSYS),
    })
}
