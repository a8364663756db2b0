//! One entry into the journal, with fields, without ever waiting for it.
//!
//! journald's native protocol (systemd.io, "Native Journal Protocol"): one datagram of `KEY=value`
//! lines to a UNIX socket; a value with a line feed is sent with its length instead. Where the
//! journal takes nothing (absent, or hung with a full queue), the same goes to syslog's socket
//! (RFC 3164, as syslog(3) writes it there), and at last to the kernel's log.

use rustix::fs::{self, Mode, OFlags};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where journald listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where syslog listens.
const SYSLOG: &str = "/dev/log";
/// The kernel's log, which outlives both.
const KMSG: &str = "/dev/kmsg";
/// A record of the kernel's log is no longer (`LOG_LINE_MAX` of the kernel, less its prefix).
const KMSG_LINE: usize = 900;

/// How grave an entry is; the numbers of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Something that must be seen to at once.
    Critical = 2,
    /// An error.
    Error = 3,
    /// A warning.
    Warning = 4,
    /// Normal, and worth a note.
    Notice = 5,
    /// For the record.
    Info = 6,
    /// For whoever looks for it.
    Debug = 7,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Priority.
    pub priority: Priority,
    /// `SYSLOG_IDENTIFIER`, the tag.
    pub identifier: &'static str,
    /// The message.
    pub message: String,
    /// Further fields: upper-case letters, digits and underscores, not beginning with either of the
    /// last two. Empty values are left out.
    pub fields: Vec<(&'static str, String)>,
}

/// What took an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The journal, with its fields.
    Journal,
    /// Syslog, the message only.
    Syslog,
    /// The kernel's log, the message only.
    Kernel,
}

impl Entry {
    /// The datagram of the native protocol.
    pub fn native(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        let priority = (self.priority as u8).to_string();
        field(&mut bytes, "MESSAGE", &self.message);
        field(&mut bytes, "PRIORITY", &priority);
        field(&mut bytes, "SYSLOG_IDENTIFIER", self.identifier);
        for (key, value) in self.fields.iter().filter(|(_, value)| !value.is_empty()) {
            field(&mut bytes, key, value);
        }
        bytes
    }

    /// The line for syslog and the kernel's log: `<PRI>tag: message`, facility daemon (3).
    pub fn line(&self) -> String {
        let message = self.message.replace(['\n', '\r'], " ");
        let code = 3 * 8 + self.priority as u8;
        format!("<{code}>{}: {message}", self.identifier)
    }

    /// Hands it over to whatever takes it at once. Never blocks, and never fails loudly: who cannot
    /// log goes on with his work.
    pub fn send(&self) -> Option<Taken> {
        let sent = |path: &str, bytes: &[u8]| datagram(Path::new(path), bytes).is_ok();
        if sent(JOURNAL, &self.native()) {
            return Some(Taken::Journal);
        }
        if sent(SYSLOG, self.line().as_bytes()) {
            return Some(Taken::Syslog);
        }
        kernel_log(&self.line()).ok().map(|()| Taken::Kernel)
    }
}

fn field(bytes: &mut Vec<u8>, key: &str, value: &str) {
    bytes.extend_from_slice(key.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

fn datagram(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A listener that hangs has a full queue: EAGAIN instead of waiting.
    socket.set_nonblocking(true)?;
    socket.send_to(bytes, path).map(|_| ())
}

fn kernel_log(line: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut file = std::fs::File::from(fs::open(KMSG, flags, Mode::empty())?);
    let end = (0..=KMSG_LINE.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at));
    file.write_all(&line.as_bytes()[..end.unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn entry(message: &str) -> Entry {
        Entry {
            priority: Priority::Warning,
            identifier: "nofail-hook",
            message: message.to_owned(),
            fields: vec![("GUEST", "bind-01".to_owned()), ("AFTER", String::new())],
        }
    }

    #[test]
    fn the_native_form() {
        let text = String::from_utf8(entry("a = b").native()).unwrap();
        assert_eq!(
            text,
            "MESSAGE=a = b\nPRIORITY=4\nSYSLOG_IDENTIFIER=nofail-hook\nGUEST=bind-01\n"
        );
        let bytes = entry("two\nlines").native();
        assert!(bytes.starts_with(b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=4\n"));
        assert_eq!(entry("two\nlines").line(), "<28>nofail-hook: two lines");
    }

    #[test]
    fn a_listener_that_hangs_keeps_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixDatagram::bind(&path).unwrap();
        let bytes = entry("x").native();
        datagram(&path, &bytes).unwrap();
        let mut buffer = [0; 200];
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], &bytes[..]);
        // Nobody reads any more: the queue fills up, then sending fails at once.
        let began = Instant::now();
        let full = (0..10_000).find_map(|_| datagram(&path, &bytes).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(listener);
        assert!(datagram(&path, &bytes).is_err());
    }
}
