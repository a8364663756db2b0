//! The running kernel's ports, over one netlink socket with one deadline for everything.

use super::{PortState, Ports, encode};
use collect::netlink::decode::{self, AF_BRIDGE, Messages};
use collect::netlink::{NetlinkError, dump};
use facts::bridge::{Entries, VlanEntry};
use netlink_packet_core::DecodeError;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why VLANs could not be read or set.
#[derive(Debug, Error)]
pub enum VlanError {
    /// The ports could not be listed.
    #[error("cannot list the ports of bridges")]
    List(#[from] NetlinkError),
    /// The netlink socket failed.
    #[error("cannot {0} the netlink socket")]
    Socket(&'static str, #[source] Errno),
    /// The kernel has no VLANs on bridges.
    #[error("this kernel has no VLAN filtering on bridges")]
    NoVlans(#[source] Errno),
    /// The kernel refused the request.
    #[error("the kernel refused it")]
    Refused(#[source] Errno),
    /// The kernel's answer is not what rtnetlink(7) says.
    #[error("cannot decode the kernel's answer")]
    Decode(#[from] DecodeError),
    /// There was no time left, before the kernel answered.
    #[error("out of time")]
    Deadline,
}

/// The kernel, until a moment after which nothing is asked of it any more.
#[derive(Debug)]
pub struct Kernel {
    socket: Option<OwnedFd>,
    sequence: u32,
    end: Instant,
}

impl Kernel {
    /// Everything asked for must be done by `end`. Nothing is opened yet.
    pub fn until(end: Instant) -> Self {
        Self {
            socket: None,
            sequence: 0,
            end,
        }
    }

    fn left(&self) -> Result<Duration, VlanError> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(VlanError::Deadline);
        }
        Ok(left)
    }

    /// Sends one request and waits for its acknowledgement. A process that the kernel kept waiting
    /// beyond its time (for the RTNL lock) sends nothing more: the port may be another's by then.
    fn ask(&mut self, request: impl FnOnce(u32) -> Vec<u8>) -> Result<(), VlanError> {
        self.left()?;
        self.sequence += 1;
        let sequence = self.sequence;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => open()?,
        };
        net::send(&socket, &request(sequence), SendFlags::empty())
            .map_err(|error| VlanError::Socket("write to", error))?;
        let answer = self.acknowledgement(&socket, sequence);
        self.socket = Some(socket);
        answer
    }

    fn acknowledgement(&self, socket: &OwnedFd, sequence: u32) -> Result<(), VlanError> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            set_socket_timeout(socket, Timeout::Recv, Some(self.left()?))
                .map_err(|error| VlanError::Socket("set up", error))?;
            let length = match net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((_, length)) => length.min(buffer.len()),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Err(VlanError::Deadline),
                Err(error) => return Err(VlanError::Socket("read from", error)),
            };
            for message in Messages::new(&buffer[..length]) {
                let message = message?;
                match message.end {
                    Some(0) if message.sequence == sequence => return Ok(()),
                    Some(code) if message.sequence == sequence => {
                        let errno = Errno::from_raw_os_error(code.saturating_neg());
                        return Err(match errno {
                            Errno::OPNOTSUPP => VlanError::NoVlans(errno),
                            _ => VlanError::Refused(errno),
                        });
                    }
                    // Of an earlier request.
                    _ => {}
                }
            }
        }
    }
}

fn open() -> Result<OwnedFd, VlanError> {
    let failed = |what| move |error| VlanError::Socket(what, error);
    let socket = net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // Protocol 0 of this family is NETLINK_ROUTE.
        None,
    )
    .map_err(failed("open"))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    net::bind(&socket, &kernel).map_err(failed("bind"))?;
    net::connect(&socket, &kernel).map_err(failed("connect"))?;
    Ok(socket)
}

impl Ports for Kernel {
    type Error = VlanError;

    fn is_final(error: &VlanError) -> bool {
        matches!(error, VlanError::NoVlans(_) | VlanError::Deadline)
    }

    /// One dump: names, bridges and VLANs of every port of this network namespace.
    fn read(&mut self) -> Result<Vec<PortState>, VlanError> {
        let raw = dump(AF_BRIDGE, self.left()?)?;
        let links = decode::links(&raw, &raw, &|_| false)?;
        let names: BTreeMap<u32, String> =
            links.iter().map(|l| (l.index, l.name.clone())).collect();
        let states = links.into_iter().filter_map(|link| {
            // A NIC's own built-in switch answers as well, without a bridge.
            let bridge = names.get(&link.controller?)?.clone();
            Some(PortState {
                index: link.index,
                name: link.name,
                bridge,
                entries: Entries::flat(link.vlans.as_deref().unwrap_or_default()),
            })
        });
        let mut by_index: BTreeMap<u32, PortState> = BTreeMap::new();
        for state in states {
            let known = by_index.entry(state.index).or_insert_with(|| state.clone());
            if known.entries == Entries::default() {
                *known = state;
            }
        }
        Ok(by_index.into_values().collect())
    }

    fn set(&mut self, port: &PortState, entries: &[VlanEntry]) -> Result<(), VlanError> {
        self.ask(|sequence| encode::set(port.index, port.is_own(), entries, sequence))
    }

    fn remove(&mut self, port: &PortState, ranges: &[(u16, u16)]) -> Result<(), VlanError> {
        self.ask(|sequence| encode::remove(port.index, port.is_own(), ranges, sequence))
    }
}
