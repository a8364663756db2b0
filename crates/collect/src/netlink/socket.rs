//! One request over a netlink socket, read to its end, with a deadline.

use super::decode::{AF_BRIDGE, Messages};
use netlink_packet_core::{DecodeError, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily as Family, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How often a dump that changed under our eyes (`NLM_F_DUMP_INTR`) is read anew.
const TRIES: u32 = 5;
/// No dump of a real host is larger (1,000 links are some 2 MB).
const MAX_DUMP: usize = 256 << 20;
/// The kernel fills answers up to 32 KiB when the reader offers as much; one message alone may be
/// larger, which `MSG_TRUNC` tells.
const BUFFER: usize = 64 << 10;

/// Why the kernel's links could not be read.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// The socket could not be opened, bound, or written to.
    #[error("cannot open a netlink socket")]
    Open(#[source] Errno),
    /// Reading failed.
    #[error("cannot read from the netlink socket")]
    Read(#[source] Errno),
    /// The kernel answered with an error.
    #[error("the kernel refused to list links, addresses or routes")]
    Refused(#[source] Errno),
    /// The kernel did not answer in time.
    #[error("the kernel did not list its links, addresses or routes within {0:?}")]
    Deadline(Duration),
    /// The list changed again and again while it was read.
    #[error("links changed while they were read, {TRIES} times in a row")]
    Changing,
    /// An answer is larger than the buffer, or all of them than memory is meant for.
    #[error("the kernel's list of links is too large ({0} bytes)")]
    TooLarge(usize),
    /// An answer is not what rtnetlink(7) says.
    #[error("cannot decode the kernel's answer: {0}")]
    Decode(#[from] DecodeError),
}

/// Asks the kernel for all links of a family (0 for any) and returns the raw messages, one after
/// the other, without the closing `NLMSG_DONE`.
///
/// # Errors
/// [`NetlinkError`].
pub fn dump(family: u8, deadline: Duration) -> Result<Vec<u8>, NetlinkError> {
    dump_of(Asked::Links(family), deadline)
}

/// What a dump is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// Links of a family.
    Links(u8),
    /// Addresses of IPv4 and IPv6.
    Addresses,
    /// Routes of IPv4 and IPv6, every table.
    Routes,
}

/// As [`dump`], of anything that nofail asks for.
pub(super) fn dump_of(asked: Asked, deadline: Duration) -> Result<Vec<u8>, NetlinkError> {
    let end = Instant::now() + deadline;
    let socket = open()?;
    for sequence in 1..=TRIES {
        net::send(&socket, &request(asked, sequence), SendFlags::empty())
            .map_err(NetlinkError::Open)?;
        if let Some(messages) = receive(&socket, sequence, end, deadline)? {
            return Ok(messages);
        }
    }
    Err(NetlinkError::Changing)
}

fn open() -> Result<OwnedFd, NetlinkError> {
    let socket = net::socket_with(
        Family::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // Protocol 0 of this family is NETLINK_ROUTE.
        None,
    )
    .map_err(NetlinkError::Open)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    net::bind(&socket, &kernel).map_err(NetlinkError::Open)?;
    // Connected to port 0: only the kernel's messages are delivered.
    net::connect(&socket, &kernel).map_err(NetlinkError::Open)?;
    Ok(socket)
}

fn request(asked: Asked, sequence: u32) -> Vec<u8> {
    let asked = match asked {
        Asked::Links(family) => RouteNetlinkMessage::GetLink(link_request(family)),
        // Family 0: every family that has any.
        Asked::Addresses => RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        Asked::Routes => RouteNetlinkMessage::GetRoute(RouteMessage::default()),
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, asked.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn link_request(family: u8) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.interface_family = AddressFamily::from(family);
    let mask = if family == AF_BRIDGE {
        vec![LinkExtentMask::BrvlanCompressed]
    } else {
        vec![LinkExtentMask::SkipStats]
    };
    link.attributes.push(LinkAttribute::ExtMask(mask));
    link
}

/// Reads one dump to its end; `None` where the kernel says that it was interrupted.
fn receive(
    socket: &OwnedFd,
    sequence: u32,
    end: Instant,
    deadline: Duration,
) -> Result<Option<Vec<u8>>, NetlinkError> {
    let mut all = Vec::new();
    let mut interrupted = false;
    let mut buffer = vec![0; BUFFER];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(NetlinkError::Deadline(deadline));
        }
        set_socket_timeout(socket, Timeout::Recv, Some(left)).map_err(NetlinkError::Open)?;
        let (_, length) = match net::recv(socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Ok(got) => got,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Err(NetlinkError::Deadline(deadline)),
            Err(error) => return Err(NetlinkError::Read(error)),
        };
        if length > buffer.len() || all.len() + length > MAX_DUMP {
            return Err(NetlinkError::TooLarge(length.max(all.len())));
        }
        for message in Messages::new(&buffer[..length]) {
            let message = message?;
            if message.sequence != sequence {
                // The rest of an earlier, interrupted dump.
                continue;
            }
            interrupted |= message.interrupted;
            if let Some(code) = message.end {
                return match code {
                    0 if interrupted => Ok(None),
                    0 => Ok(Some(all)),
                    code => Err(NetlinkError::Refused(Errno::from_raw_os_error(
                        code.saturating_neg(),
                    ))),
                };
            }
            all.extend_from_slice(message.bytes);
            all.resize(all.len().next_multiple_of(4), 0);
        }
    }
}
