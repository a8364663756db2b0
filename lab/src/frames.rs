//! Ethernet frames: built, read, and put on or taken off a link inside a machine with tcpreplay
//! and tcpdump, which speak pcap files.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::agent::{Running, quote};
use crate::machine::Machine;

/// An Ethernet frame, with an IEEE 802.1Q tag or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Address of the receiver.
    pub to: [u8; 6],
    /// Address of the sender.
    pub from: [u8; 6],
    /// VLAN of the tag, `None` without a tag.
    pub vlan: Option<u16>,
    /// EtherType of the payload.
    pub kind: u16,
    /// The payload; on a link it is padded to 46 bytes.
    pub payload: Vec<u8>,
}

/// An EtherType for local experiments (IEEE 802, table of public assignments): no stack answers it.
pub const EXPERIMENTAL: u16 = 0x88b5;

/// The EtherType of an IEEE 802.1Q tag.
const TAGGED: u16 = 0x8100;

/// All stations.
pub const BROADCAST: [u8; 6] = [0xff; 6];

impl Frame {
    /// A broadcast from the lab's test address with this text.
    #[must_use]
    pub fn broadcast(vlan: Option<u16>, text: &str) -> Self {
        Self {
            to: BROADCAST,
            from: [0x02, 0, 0, 0x1a, 0xb0, 0x01],
            vlan,
            kind: EXPERIMENTAL,
            payload: text.as_bytes().to_vec(),
        }
    }

    /// Whether the payload starts with this text.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.payload.starts_with(text.as_bytes())
    }

    /// Its bytes as they go over a link, without the checksum.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.to, self.from].concat();
        if let Some(vlan) = self.vlan {
            bytes.extend_from_slice(&TAGGED.to_be_bytes());
            bytes.extend_from_slice(&(vlan & 0xfff).to_be_bytes());
        }
        bytes.extend_from_slice(&self.kind.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes.resize(bytes.len().max(60), 0);
        bytes
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// Where the bytes end within the header.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let address = |at: usize| bytes.get(at..at + 6).and_then(|six| six.try_into().ok());
        let short = "a frame that ends within its header";
        let outer = word(12).context(short)?;
        let (vlan, at) = if outer == TAGGED {
            (Some(word(14).context(short)? & 0xfff), 16)
        } else {
            (None, 12)
        };
        Ok(Self {
            to: address(0).context(short)?,
            from: address(6).context(short)?,
            vlan,
            kind: word(at).context(short)?,
            payload: bytes.get(at + 2..).unwrap_or_default().to_vec(),
        })
    }
}

/// Frames as a pcap file (libpcap savefile format 2.4, little-endian, microseconds).
#[must_use]
pub fn to_pcap(frames: &[Frame]) -> Vec<u8> {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    for frame in frames {
        let bytes = frame.bytes();
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        for field in [0, 0, size, size] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        file.extend_from_slice(&bytes);
    }
    file
}

/// Reads a pcap file as tcpdump writes it on this architecture; a frame cut off at the end is left.
///
/// # Errors
/// Where it is no such file.
pub fn from_pcap(file: &[u8]) -> Result<Vec<Frame>> {
    let word = |at: usize| {
        let four: [u8; 4] = file.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(four))
    };
    if !matches!(word(0), Some(0xa1b2_c3d4 | 0xa1b2_3c4d)) || word(20) != Some(1) {
        bail!("no pcap file of Ethernet frames");
    }
    let (mut at, mut frames) = (24, Vec::new());
    while let Some(size) = word(at + 8) {
        let start = at + 16;
        let Some(bytes) = file.get(start..start + size as usize) else {
            break;
        };
        frames.push(Frame::parse(bytes)?);
        at = start + size as usize;
    }
    Ok(frames)
}

/// A link inside a machine, in a network namespace of it or in none.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// Name of the namespace (`ip netns`), `None` for the host's own.
    pub namespace: Option<&'a str>,
    /// Name of the link.
    pub name: &'a str,
}

impl Link<'_> {
    /// Puts frames on the link.
    ///
    /// # Errors
    /// Where tcpreplay fails.
    pub fn send(&self, frames: &[Frame]) -> Result<()> {
        let file = format!("/run/lab-send-{}.pcap", self.name);
        self.machine.put(&file, &to_pcap(frames))?;
        let link = quote(self.name);
        let command = self.within(&format!("tcpreplay -q --topspeed -i {link} {file}"));
        self.machine.ok(&command)?;
        Ok(())
    }

    /// Starts to take what comes in on the link (not what goes out); returns once it listens.
    ///
    /// # Errors
    /// Where tcpdump does not start.
    pub fn capture(&self) -> Result<Capture<'_>> {
        self.capture_going("in")
    }

    /// Starts to take what goes out on the link: of a bridge's port, what the guest behind it hears.
    ///
    /// # Errors
    /// As [`Self::capture`].
    pub fn capture_sent(&self) -> Result<Capture<'_>> {
        self.capture_going("out")
    }

    fn capture_going(&self, way: &str) -> Result<Capture<'_>> {
        // A name of its own: what an earlier capture said is not this one's.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("/run/lab-capture-{number}-{}.pcap", self.name);
        let link = quote(self.name);
        // At once: what waits in the kernel's ring when tcpdump is ended is lost.
        let tcpdump = format!(
            "exec tcpdump --immediate-mode -U -n -s 0 -Q {way} -i {link} -w {file} 2> {file}.log"
        );
        let running = self.machine.start_command(&self.within(&tcpdump))?;
        let listening = "listening on";
        self.machine.ok(&format!(
            "for i in $(seq 200); do grep -q '{listening}' {file}.log 2>/dev/null && exit 0; \
             sleep 0.05; done; cat {file}.log >&2; exit 1"
        ))?;
        Ok(Capture {
            machine: self.machine,
            running,
            file,
        })
    }

    fn within(&self, command: &str) -> String {
        match self.namespace {
            Some(name) => format!("ip netns exec {} bash -c {}", quote(name), quote(command)),
            None => format!("bash -c {}", quote(command)),
        }
    }
}

/// A capture under way.
#[derive(Debug)]
pub struct Capture<'a> {
    machine: &'a Machine,
    running: Running,
    file: String,
}

impl Capture<'_> {
    /// Waits a moment for frames under way, ends the capture and returns what came.
    ///
    /// # Errors
    /// Where tcpdump failed.
    pub fn stop(self) -> Result<Vec<Frame>> {
        let file = &self.file;
        self.machine.ok(&format!(
            "sleep 0.3; pkill -INT -f 'tcpdump.*-w {file}' || true"
        ))?;
        self.machine.wait(self.running, Duration::from_secs(20))?;
        from_pcap(&self.machine.get(file)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_a_pcap_file() {
        let frames = [
            Frame::broadcast(None, "plain"),
            Frame::broadcast(Some(100), "tagged"),
        ];
        let read = from_pcap(&to_pcap(&frames)).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].vlan, read[1].vlan), (None, Some(100)));
        assert!(read[0].says("plain") && read[1].says("tagged"));
        assert_eq!(read[1].from, frames[1].from);
        assert_eq!(frames[0].bytes().len(), 60);
    }

    #[test]
    fn what_is_no_capture_is_an_error_and_a_cut_one_is_read_to_its_end() {
        assert!(from_pcap(b"GIF89a").is_err());
        let file = to_pcap(&[Frame::broadcast(None, "a"), Frame::broadcast(None, "b")]);
        assert_eq!(from_pcap(&file[..file.len() - 1]).unwrap().len(), 1);
        assert!(Frame::parse(&[0; 13]).is_err());
    }
}
