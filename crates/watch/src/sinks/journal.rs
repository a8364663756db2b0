//! The journal in its native protocol, with fields of our own (systemd.io, "Native Journal
//! Protocol"): `journalctl NOFAIL_KIND=mount.stale`.

use super::{Failure, Stream};
use crate::recorder::Recorded;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A journal that takes no message for so long hangs.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Journal {
    socket: PathBuf,
}

impl Journal {
    pub(super) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }
}

impl Stream for Journal {
    fn deliver(&mut self, events: &[Recorded]) -> Result<(), (usize, Failure)> {
        let failed = |done: usize| move |e: std::io::Error| (done, format!("journal: {e}"));
        let socket = UnixDatagram::unbound().map_err(failed(0))?;
        socket
            .set_write_timeout(Some(PATIENCE))
            .map_err(failed(0))?;
        for (done, recorded) in events.iter().enumerate() {
            socket
                .send_to(&entry(recorded), &self.socket)
                .map_err(failed(done))?;
        }
        Ok(())
    }
}

fn entry(recorded: &Recorded) -> Vec<u8> {
    let event = &recorded.event;
    let mut out = Vec::with_capacity(512);
    let mut field = |name: &str, value: &str| {
        out.extend(name.as_bytes());
        if value.contains('\n') {
            out.push(b'\n');
            out.extend((value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend(value.as_bytes());
        out.push(b'\n');
    };
    field("MESSAGE", &format!("{}: {}", event.subject, event.message));
    field("PRIORITY", &event.severity.syslog().to_string());
    field("SYSLOG_IDENTIFIER", "nofail");
    field("SYSLOG_FACILITY", "16");
    field("NOFAIL_EVENT", &recorded.id.to_string());
    field("NOFAIL_KIND", event.kind.name());
    field("NOFAIL_SUBJECT", &event.subject);
    field("NOFAIL_TIME", &event.time.to_string());
    for (name, value) in [
        ("NOFAIL_GUEST", &event.guest),
        ("NOFAIL_BEFORE", &event.before),
        ("NOFAIL_AFTER", &event.after),
    ] {
        if let Some(value) = value {
            field(name, value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use jiff::Timestamp;

    #[test]
    fn fields_with_and_without_line_ends() {
        let event = Event::new(
            Timestamp::UNIX_EPOCH,
            "h",
            "s",
            Kind::MountStale,
            "/a",
            "x\ny",
        );
        let bytes = entry(&Recorded { id: 3, event });
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            bytes.starts_with(b"MESSAGE\n\x07\0\0\0\0\0\0\0/a: x\ny\n"),
            "{text:?}"
        );
        assert!(
            text.contains("\nPRIORITY=2\n") && text.ends_with("NOFAIL_TIME=1970-01-01T00:00:00Z\n")
        );
    }
}
