//! Looks at paths that may hang: every question is put to a disposable child process, with a
//! deadline. A child that does not answer is killed and left behind, never waited for.
//!
//! A dead NFS server blocks whoever touches the mount, uninterruptibly. So a path that may lie on
//! a network mount, a FUSE mount or a block device of another machine is never touched in the
//! process that must live on.

mod child;
mod health;
mod protocol;

pub use child::child_main;
pub use health::{probe_mount, verdict};
pub use protocol::{ProbeList, ProbeStat, ProbeVfs};

use crate::Options;
use facts::mount::{mount_of, parse_mountinfo};
use protocol::{Request, Response, from_hex};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// After so many children got stuck on one mount, it is no longer tried.
const STUCK_PER_MOUNT: u32 = 2;
/// After so many stuck children in all, nothing is tried any more.
const STUCK_IN_ALL: u32 = 16;

/// Why a probe gave no answer of use.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Nothing came within the deadline, or the mount hung before and is no longer tried.
    #[error("no answer within {0:?}")]
    NotResponding(Duration),
    /// `ESTALE`: the server no longer knows the file handle.
    #[error("stale file handle")]
    Stale,
    /// The kernel's error.
    #[error("{0}")]
    Io(std::io::Error),
}

impl ProbeError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::NotResponding(_) => None,
            Self::Stale => Some(rustix::io::Errno::STALE.raw_os_error()),
            Self::Io(error) => error.raw_os_error(),
        }
    }

    /// Whether the path does not exist.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory))
    }
}

/// Asks children about paths. Has at most one living child; the next one is started when it is
/// needed.
#[derive(Debug)]
pub struct Prober {
    program: PathBuf,
    deadline: Duration,
    /// Until when several questions together are to be answered.
    until: Option<Instant>,
    child: Option<Running>,
    stuck: BTreeMap<String, u32>,
    /// Children that were given up and are not gone yet; each one's reaper counts it out.
    hanging: Arc<AtomicU32>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Prober {
    /// A prober that has not started anything yet.
    pub fn new(options: &Options) -> Self {
        Self {
            program: options.probe_program.clone(),
            deadline: options.deadline,
            until: None,
            child: None,
            stuck: BTreeMap::new(),
            hanging: Arc::default(),
        }
    }

    /// The questions from now on have one deadline together, not one each; `false` ends that.
    fn together(&mut self, together: bool) {
        self.until = together.then(|| Instant::now() + self.deadline);
    }

    /// Metadata of what a path leads to.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn stat(&mut self, path: &str) -> Result<ProbeStat, ProbeError> {
        match self.ask(&Request::Stat {
            path: path.to_owned(),
        })? {
            Response::Stat(stat) => Ok(stat),
            _ => Err(confused()),
        }
    }

    /// Up to `limit` names of a directory, and how many there are.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn list(&mut self, path: &str, limit: usize) -> Result<ProbeList, ProbeError> {
        self.list_to(path, limit, protocol::MAX_COUNT)
    }

    /// Up to `limit` names of a directory; stops there, so that a directory of many thousand
    /// entries on a slow server is no time-out.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn peek(&mut self, path: &str, limit: usize) -> Result<ProbeList, ProbeError> {
        self.list_to(path, limit, limit as u64)
    }

    fn list_to(
        &mut self,
        path: &str,
        limit: usize,
        count_to: u64,
    ) -> Result<ProbeList, ProbeError> {
        let path = path.to_owned();
        match self.ask(&Request::List {
            path,
            limit,
            count_to,
        })? {
            Response::List(list) => Ok(list),
            _ => Err(confused()),
        }
    }

    /// Up to `length` bytes (at most 1 MiB) of a file from `offset` on; fewer at its end.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn read_at(
        &mut self,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, ProbeError> {
        let request = Request::ReadAt {
            path: path.to_owned(),
            offset,
            length,
        };
        match self.ask(&request)? {
            Response::Bytes(hex) => from_hex(&hex).ok_or_else(confused),
            _ => Err(confused()),
        }
    }

    /// Size and free space of the file system that a path lies on. On NFS, SMB and FUSE this
    /// asks the server each time.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn statvfs(&mut self, path: &str) -> Result<ProbeVfs, ProbeError> {
        match self.ask(&Request::StatVfs {
            path: path.to_owned(),
        })? {
            Response::StatVfs(vfs) => Ok(vfs),
            _ => Err(confused()),
        }
    }

    /// Whether the kernel would let this user write there; nothing is written.
    ///
    /// # Errors
    /// [`ProbeError`]; `EROFS` for a read-only file system, `EACCES` for missing permission.
    pub fn writable(&mut self, path: &str) -> Result<(), ProbeError> {
        match self.ask(&Request::Writable {
            path: path.to_owned(),
        })? {
            Response::Writable => Ok(()),
            _ => Err(confused()),
        }
    }

    /// The path without links in it, as realpath(3).
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn canonical(&mut self, path: &str) -> Result<String, ProbeError> {
        match self.ask(&Request::Canonical {
            path: path.to_owned(),
        })? {
            Response::Path(path) => Ok(path),
            _ => Err(confused()),
        }
    }

    /// What the directory `inside` of the mount at `mount` holds below everything that is mounted
    /// over it. Needs root; does not touch the covering mount.
    ///
    /// # Errors
    /// [`ProbeError`]; `EPERM` without root.
    pub fn under(
        &mut self,
        mount: &str,
        inside: &str,
        limit: usize,
    ) -> Result<ProbeList, ProbeError> {
        let request = Request::Under {
            mount: mount.to_owned(),
            inside: inside.to_owned(),
            limit,
        };
        match self.ask(&request)? {
            Response::List(list) => Ok(list),
            _ => Err(confused()),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Response, ProbeError> {
        if self.is_spent(request.path()) {
            return Err(ProbeError::NotResponding(self.deadline));
        }
        // A child that died (killed from outside, out of memory) is replaced once.
        for _ in 0..2 {
            match self.exchange(request) {
                Ok(Some(Response::Errno(errno))) => return Err(from_errno(errno)),
                Ok(Some(response)) => return Ok(response),
                Ok(None) => self.discard(),
                Err(RecvTimeoutError::Timeout) => {
                    self.discard();
                    let key = culprit(request.path());
                    *self.stuck.entry(key).or_default() += 1;
                    return Err(ProbeError::NotResponding(self.deadline));
                }
                Err(RecvTimeoutError::Disconnected) => self.discard(),
            }
        }
        Err(ProbeError::Io(std::io::Error::other(format!(
            "the probe child `{} probe-child` ended without an answer",
            self.program.display()
        ))))
    }

    /// One request to the living child; `Ok(None)` where it could not be started or written to.
    fn exchange(&mut self, request: &Request) -> Result<Option<Response>, RecvTimeoutError> {
        if self.child.is_none() {
            self.child = self.start().ok();
        }
        let Some(running) = &mut self.child else {
            return Ok(None);
        };
        let Ok(mut line) = serde_json::to_string(request) else {
            return Ok(None);
        };
        line.push('\n');
        // A request is far below the 64 KiB of a pipe's buffer: this does not block.
        if running.input.write_all(line.as_bytes()).is_err() {
            return Ok(None);
        }
        let end = self.until.unwrap_or_else(|| Instant::now() + self.deadline);
        let answer = running
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))?;
        Ok(serde_json::from_str(&answer).ok())
    }

    fn start(&self) -> std::io::Result<Running> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a child that answers many requests; its deadline is kept in `exchange`"
        )]
        let mut child = std::process::Command::new(&self.program)
            .arg("probe-child")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("no pipes to the probe child"));
        };
        let (sender, lines) = mpsc::channel();
        // Ends with the child: its end closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Running {
            child,
            input,
            lines,
        })
    }

    /// How many children were given up and still hang in the kernel.
    pub fn hanging(&self) -> u32 {
        self.hanging.load(Ordering::Relaxed)
    }

    /// Ends the living child and forgets which mounts hung: for a prober that rests for a while
    /// and then tries all again. [`Self::hanging`] goes on counting.
    pub fn rest(&mut self) {
        self.discard();
        self.stuck.clear();
    }

    /// Whether too many children hung already for this path to be tried.
    fn is_spent(&self, path: &str) -> bool {
        if self.stuck.is_empty() {
            return false;
        }
        let in_all: u32 = self.stuck.values().sum();
        let here = self.stuck.get(&culprit(path));
        in_all >= STUCK_IN_ALL || here.is_some_and(|n| *n >= STUCK_PER_MOUNT)
    }

    /// Kills the child and forgets it. It is reaped in the background: a process in
    /// uninterruptible sleep dies only when it wakes.
    fn discard(&mut self) {
        let Some(running) = self.child.take() else {
            return;
        };
        let Running {
            mut child, input, ..
        } = running;
        drop(input);
        let _ = child.kill();
        let hanging = self.hanging.clone();
        hanging.fetch_add(1, Ordering::Relaxed);
        std::thread::spawn(move || {
            let _ = child.wait();
            hanging.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.discard();
    }
}

/// What to blame when a path hangs: the network mount it lies on, else the path itself (a link
/// may lead from a healthy file system to a dead one; the healthy one must stay in use).
fn culprit(path: &str) -> String {
    std::fs::read_to_string("/proc/self/mountinfo")
        .ok()
        .and_then(|text| parse_mountinfo(&text).ok())
        .and_then(|mounts| {
            mount_of(path, &mounts)
                .filter(|m| m.is_network())
                .map(|m| m.target.clone())
        })
        .unwrap_or_else(|| path.to_owned())
}

fn from_errno(errno: i32) -> ProbeError {
    if errno == rustix::io::Errno::STALE.raw_os_error() {
        ProbeError::Stale
    } else {
        ProbeError::Io(std::io::Error::from_raw_os_error(errno))
    }
}

fn confused() -> ProbeError {
    ProbeError::Io(std::io::Error::other(
        "the probe child answered something else",
    ))
}

#[cfg(test)]
mod tests;
