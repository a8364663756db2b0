//! The kernel's notifications of links and their VLANs, as reasons to look.
//!
//! Group `RTNLGRP_LINK` (linux/rtnetlink.h) carries links that come and go, ports that join a
//! bridge, and, as messages of family `AF_BRIDGE`, every change of a port's VLANs.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{self, AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// `RTNLGRP_LINK` as a bit of the group mask.
const LINKS: u32 = 1;
/// At most so many notifications are taken at once before a look.
const AT_ONCE: usize = 4096;

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Something changed.
    Changed,
    /// Notifications were lost: the socket's buffer was full.
    Lost,
    /// Nothing, for the time that was waited.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Notifications(OwnedFd);

impl Notifications {
    pub(super) fn open() -> io::Result<Self> {
        let socket = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        net::bind(&socket, &SocketAddrNetlink::new(0, LINKS))?;
        Ok(Self(socket))
    }

    /// Waits for a notification, and takes those that are there.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<Wake> {
        let timeout = Timespec::try_from(limit).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Wake::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut wake = Wake::Changed;
        // What they say is read anew from the kernel: only their presence counts.
        let mut buffer = [0_u8; 64];
        for _ in 0..AT_ONCE {
            match net::recv(&self.0, &mut buffer[..], RecvFlags::TRUNC) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => wake = Wake::Lost,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(wake)
    }
}
