//! The machine's serial line as a UNIX socket of this machine, as QEMU would have it: one visitor at
//! a time, and what is sent while nobody visits waits in the line.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A pseudo-terminal whose one side is the machine's line and whose other side is a socket.
#[derive(Debug)]
pub struct Serial {
    line: String,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    // Without it the line would hang up whenever the machine closes it.
    _slave: fs::File,
}

impl Serial {
    /// A line whose other side listens at the socket `path`.
    ///
    /// # Errors
    /// Where there is no pseudo-terminal left or the socket cannot be made.
    pub fn open(path: &Path) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .context("no pseudo-terminal")?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let line = ptsname(&master, Vec::new())?.into_string()?;
        let slave = fs::File::options().read(true).write(true).open(&line)?;
        let mut settings = tcgetattr(&slave)?;
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || pass(&listener, &master, &ended));
        Ok(Self {
            line,
            end,
            thread: Some(thread),
            _slave: slave,
        })
    }

    /// The machine's side, a path.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Passes bytes on between the line and the present visitor, until the end.
fn pass(listener: &UnixListener, master: &OwnedFd, end: &AtomicBool) {
    let mut visitor: Option<UnixStream> = None;
    let mut block = [0; 4096];
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    while !end.load(Ordering::Relaxed) {
        let mut ready = [false; 2];
        {
            let door = visitor
                .as_ref()
                .map_or_else(|| listener.as_fd(), AsFd::as_fd);
            let mut fds = vec![PollFd::new(&door, PollFlags::IN)];
            if visitor.is_some() {
                fds.push(PollFd::new(master, PollFlags::IN));
            }
            if poll(&mut fds, Some(&tick)).is_err() {
                continue;
            }
            for (flag, fd) in ready.iter_mut().zip(&fds) {
                *flag = !fd.revents().is_empty();
            }
        }
        let [door, line] = ready;
        let Some(stream) = visitor.as_mut() else {
            if door && let Ok((stream, _)) = listener.accept() {
                visitor = Some(stream);
            }
            continue;
        };
        let mut gone = false;
        if door {
            match stream.read(&mut block) {
                Ok(size) if size > 0 => gone |= write_all(master, &block[..size]).is_err(),
                _ => gone = true,
            }
        }
        if line && let Ok(size) = rustix::io::read(master, &mut block) {
            gone |= stream.write_all(&block[..size]).is_err();
        }
        if gone {
            visitor = None;
        }
    }
}

/// Writes all of `bytes` to the line.
fn write_all(line: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(line, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}
