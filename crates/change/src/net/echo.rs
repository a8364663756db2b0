//! One ICMP echo (RFC 792, RFC 4443) of our own: a host may have no ping(8), and a probe must not
//! depend on it. Takes a raw socket, so root or CAP_NET_RAW.

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Sends one echo request and waits for its reply.
///
/// # Errors
/// No raw socket may be opened. That the network cannot be reached is no error, but no answer.
pub fn answers(address: IpAddr, wait: Duration) -> Result<bool, Errno> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = net::socket_with(
        family,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )?;
    let token = token();
    let request = request(address.is_ipv6(), token);
    let sent = net::connect(&socket, &SocketAddr::new(address, 0))
        .and_then(|()| net::send(&socket, &request, SendFlags::empty()));
    if sent.is_err() {
        return Ok(false);
    }
    let end = Instant::now() + wait;
    let mut packet = [0; 2048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Ok(false);
        }
        set_socket_timeout(&socket, Timeout::Recv, Some(left))?;
        match net::recv(&socket, packet.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, length)) => {
                let packet = packet.get(..length).unwrap_or(&[]);
                if is_reply(address.is_ipv6(), packet, token) {
                    return Ok(true);
                }
            }
            Err(Errno::INTR) => {}
            // Unreachable, refused, or nothing in time.
            Err(_) => return Ok(false),
        }
    }
}

/// Tells our replies from others': identifier and sequence number.
fn token() -> u32 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "any bits do"
    )]
    let mixed = (now.tv_nsec as u32).rotate_left(7) ^ std::process::id();
    mixed
}

fn request(v6: bool, token: u32) -> Vec<u8> {
    let mut packet = vec![if v6 { 128 } else { 8 }, 0, 0, 0];
    packet.extend(token.to_be_bytes());
    packet.extend(b"nofail: is the way still there?\n");
    if !v6 {
        // For ICMPv6 the kernel does it, with the pseudo header.
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

/// Whether a packet from a raw socket is the reply: IPv4 gives it with its IP header.
fn is_reply(v6: bool, packet: &[u8], token: u32) -> bool {
    let header = if v6 {
        0
    } else {
        packet.first().map_or(0, |b| usize::from(b & 15) * 4)
    };
    let icmp = packet.get(header..).unwrap_or(&[]);
    icmp.first() == Some(&if v6 { 129 } else { 0 })
        && icmp.get(4..8) == Some(token.to_be_bytes().as_slice())
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sums_up_to_nothing_and_its_reply_is_known() {
        let packet = request(false, 0x0102_0304);
        assert_eq!(checksum(&packet), 0);
        let mut reply = vec![0x45];
        reply.resize(20, 0);
        reply.extend(&packet);
        reply[20] = 0;
        assert!(is_reply(false, &reply, 0x0102_0304));
        assert!(!is_reply(false, &reply, 0x0102_0305));
        for length in 0..28 {
            assert!(!is_reply(false, &reply[..length], 0x0102_0304));
        }
    }
}
