//! Syslog, facility local0: over the network as RFC 5424 with structured data, to `/dev/log` in
//! the form that every local daemon takes (RFC 3164 without the host).

use super::names::Finder;
use super::{Failure, Stream};
use crate::event::Event;
use crate::recorder::Recorded;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// local0 (RFC 5424, table 1).
const FACILITY: u8 = 16;
/// A private enterprise number for examples (RFC 5612): nofail has none of its own.
const ENTERPRISE: u32 = 32_473;
/// A local daemon that takes no message for so long is not there for us.
const PATIENCE: Duration = Duration::from_secs(5);
/// A datagram that every receiver takes (RFC 5426, 3.2).
const DATAGRAM: usize = 2_048;

enum To {
    Local(String),
    Udp(Place),
    Tcp(Place, Option<TcpStream>),
}

/// A receiver over the network.
struct Place {
    host: String,
    port: u16,
    finder: Finder,
}

impl Place {
    fn parse(text: &str, finder: Finder) -> Result<Self, Failure> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (text, "514"),
        };
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| format!("`{port}` is no port"))?,
            finder,
        })
    }

    /// Its addresses at this moment.
    fn find(&self) -> std::io::Result<Vec<SocketAddr>> {
        let found = self
            .finder
            .find(&self.host)
            .map_err(std::io::Error::other)?;
        let place = |address| SocketAddr::new(address, self.port);
        Ok(found.into_iter().map(place).collect())
    }

    /// A connection to the first address that takes one.
    fn connect(&self) -> std::io::Result<TcpStream> {
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in self.find()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(open) => return Ok(open),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

pub(super) struct Syslog {
    to: To,
}

impl Syslog {
    pub(super) fn new(to: &str, finder: Finder) -> Result<Self, Failure> {
        let to = if let Some(rest) = to.strip_prefix("udp://") {
            To::Udp(Place::parse(rest, finder)?)
        } else if let Some(rest) = to.strip_prefix("tcp://") {
            To::Tcp(Place::parse(rest, finder)?, None)
        } else if to.starts_with('/') {
            To::Local(to.to_owned())
        } else {
            return Err(format!(
                "`{to}` is neither /dev/log, udp://ADDRESS:PORT nor tcp://ADDRESS:PORT"
            ));
        };
        Ok(Self { to })
    }

    fn send(&mut self, recorded: &Recorded) -> std::io::Result<()> {
        match &mut self.to {
            To::Local(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket
                    .send_to(local(&recorded.event).as_bytes(), path)
                    .map(|_| ())
            }
            To::Udp(place) => {
                let all = place.find()?;
                let Some(address) = all.first() else {
                    return Err(std::io::ErrorKind::AddrNotAvailable.into());
                };
                let any: SocketAddr = if address.is_ipv4() {
                    ([0, 0, 0, 0], 0).into()
                } else {
                    ([0_u16; 8], 0).into()
                };
                let mut text = rfc5424(recorded);
                let mut end = text.len().min(DATAGRAM);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.truncate(end);
                let socket = UdpSocket::bind(any)?;
                // Connected: a refusal of the receiver comes back to us.
                socket.connect(*address)?;
                socket.send(text.as_bytes()).map(|_| ())
            }
            To::Tcp(place, stream) => {
                let open = match stream.take() {
                    Some(open) if is_open(&open) => open,
                    _ => {
                        let open = place.connect()?;
                        open.set_write_timeout(Some(PATIENCE))?;
                        open
                    }
                };
                let text = rfc5424(recorded);
                // RFC 6587, 3.4.1: octet counting.
                (&open).write_all(format!("{} {text}", text.len()).as_bytes())?;
                *stream = Some(open);
                Ok(())
            }
        }
    }
}

/// Whether the receiver has closed its end: syslog has no acknowledgement, so this is all that
/// can be known before writing.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0_u8; 1];
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let open =
        matches!(stream.peek(&mut byte), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock);
    open && stream.set_nonblocking(false).is_ok()
}

impl Stream for Syslog {
    fn deliver(&mut self, events: &[Recorded]) -> Result<(), (usize, Failure)> {
        for (done, recorded) in events.iter().enumerate() {
            self.send(recorded)
                .map_err(|e| (done, format!("syslog: {e}")))?;
        }
        Ok(())
    }
}

fn priority(event: &Event) -> u8 {
    FACILITY * 8 + event.severity.syslog()
}

/// Without line ends and other control characters: one event is one line.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn words(event: &Event) -> String {
    plain(&format!(
        "{} {}: {}",
        event.kind.name(),
        event.subject,
        event.message
    ))
}

fn local(event: &Event) -> String {
    let time = event.time.to_zoned(jiff::tz::TimeZone::system());
    format!(
        "<{}>{} nofail: {}",
        priority(event),
        time.strftime("%b %e %H:%M:%S"),
        words(event)
    )
}

fn rfc5424(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let mut data = format!(
        "[nofail@{ENTERPRISE} id=\"{}\" kind=\"{}\" subject=\"{}\"",
        recorded.id,
        event.kind.name(),
        escape(&event.subject)
    );
    if let Some(guest) = &event.guest {
        data += &format!(" guest=\"{}\"", escape(guest));
    }
    for (name, value) in [("before", &event.before), ("after", &event.after)] {
        if let Some(value) = value {
            data += &format!(" {name}=\"{}\"", escape(value));
        }
    }
    let host: String = event
        .host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    format!(
        "<{}>1 {} {host} nofail - {} {data}] {}",
        priority(event),
        event.time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        event.kind.name(),
        words(event)
    )
}

/// RFC 5424, 6.3.3: quote, backslash and bracket are escaped.
fn escape(value: &str) -> String {
    let mut out = String::new();
    for c in plain(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use jiff::Timestamp;

    #[test]
    fn critical_is_local0_crit_and_the_data_are_escaped() {
        let time = Timestamp::from_microsecond(1_500_000).unwrap();
        let event = Event::new(
            time,
            "kvm-01",
            "mounts",
            Kind::MountStale,
            "/mnt/\"a]",
            "stale\nnow",
        )
        .of_guest("g");
        let text = rfc5424(&Recorded {
            id: 7,
            event: event.clone(),
        });
        assert_eq!(
            text,
            "<130>1 1970-01-01T00:00:01.500000Z kvm-01 nofail - mount.stale [nofail@32473 id=\"7\" kind=\"mount.stale\" \
             subject=\"/mnt/\\\"a\\]\" guest=\"g\"] mount.stale /mnt/\"a]: stale now"
        );
        assert!(local(&event).starts_with("<130>Jan  1 "));
        assert!(Syslog::new("pigeon", Finder::default()).is_err());
        assert!(Syslog::new("tcp://127.0.0.1:x", Finder::default()).is_err());
    }
}
