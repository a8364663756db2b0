//! The socket and what comes out of it.

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// linux/if_ether.h, in network byte order as packet(7) wants it.
const ETH_P_ALL: u16 = 3;
/// IANA's number of VRRP.
const VRRP: u8 = 112;

/// One advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The group's number.
    pub id: u8,
    /// 255 is the owner of the addresses; 0 says farewell.
    pub priority: u8,
    /// The router that spoke.
    pub router: IpAddr,
    /// The first virtual address: tells groups of one number in different VLANs apart.
    pub address: IpAddr,
    /// Between two advertisements, milliseconds.
    pub interval: u32,
}

/// A packet socket on all interfaces; bridges' ports give their frames before the bridge takes
/// them, so that VRRP between guests is heard in every VLAN. The kernel drops everything else.
pub(super) fn open() -> std::io::Result<Socket> {
    let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    socket.attach_filter(&filter())?;
    Ok(socket)
}

/// Classic BPF (the kernel's Documentation/networking/filter.rst): IPv4 or IPv6, behind one VLAN
/// tag or none, that carries VRRP.
fn filter() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALL: u32 = 512;
    let vrrp = u32::from(VRRP);
    vec![
        // 0: the type of the frame.
        SockFilter::new(LOAD_HALF, 0, 0, 12),
        SockFilter::new(EQUAL, 3, 0, 0x0800),
        SockFilter::new(EQUAL, 4, 0, 0x86dd),
        SockFilter::new(EQUAL, 5, 0, 0x8100),
        SockFilter::new(RETURN, 0, 0, 0),
        // 5: IPv4.
        SockFilter::new(LOAD_BYTE, 0, 0, 23),
        SockFilter::new(EQUAL, 8, 9, vrrp),
        // 7: IPv6.
        SockFilter::new(LOAD_BYTE, 0, 0, 20),
        SockFilter::new(EQUAL, 6, 7, vrrp),
        // 9: behind a tag.
        SockFilter::new(LOAD_HALF, 0, 0, 16),
        SockFilter::new(EQUAL, 0, 2, 0x0800),
        SockFilter::new(LOAD_BYTE, 0, 0, 27),
        SockFilter::new(EQUAL, 2, 3, vrrp),
        SockFilter::new(LOAD_BYTE, 0, 0, 24),
        SockFilter::new(EQUAL, 0, 1, vrrp),
        // 15, 16
        SockFilter::new(RETURN, 0, 0, ALL),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Reads an Ethernet frame (IEEE 802.3, 802.1Q) with an advertisement of version 2 or 3.
pub(super) fn parse(frame: &[u8]) -> Option<Heard> {
    let mut at = 12;
    let mut kind = half(frame, at)?;
    if kind == 0x8100 {
        at += 4;
        kind = half(frame, at)?;
    }
    let packet = frame.get(at + 2..)?;
    let (router, message): (IpAddr, &[u8]) = match kind {
        0x0800 => {
            let header = usize::from(packet.first()? & 15) * 4;
            if *packet.get(9)? != VRRP || *packet.get(8)? != 255 {
                return None;
            }
            (
                v4(packet, 12)?.into(),
                packet.get(header..usize::from(half(packet, 2)?))?,
            )
        }
        0x86dd => {
            if *packet.get(6)? != VRRP || *packet.get(7)? != 255 {
                return None;
            }
            (v6(packet, 8)?.into(), packet.get(40..)?)
        }
        _ => return None,
    };
    let (version, advertisement) = (message.first()? >> 4, message.first()? & 15 == 1);
    if !advertisement || !(2..=3).contains(&version) {
        return None;
    }
    let interval = if version == 2 {
        u32::from(*message.get(5)?) * 1_000
    } else {
        u32::from(half(message, 4)? & 0x0fff) * 10
    };
    Some(Heard {
        id: *message.get(1)?,
        priority: *message.get(2)?,
        router,
        address: if router.is_ipv4() {
            v4(message, 8)?.into()
        } else {
            v6(message, 8)?.into()
        },
        interval: interval.max(10),
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn v4(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

fn v6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(octets.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An advertisement of version 3 over IPv4, in VLAN `tag`.
    pub(crate) fn frame(tag: Option<u16>, router: [u8; 4], id: u8, priority: u8) -> Vec<u8> {
        let mut frame = vec![1, 0, 0x5e, 0, 0, 0x12, 0, 0, 0x5e, 0, 1, id];
        if let Some(tag) = tag {
            frame.extend([0x81, 0]);
            frame.extend(tag.to_be_bytes());
        }
        frame.extend([8, 0, 0x45, 0xc0, 0, 32, 0, 0, 0, 0, 255, VRRP, 0, 0]);
        frame.extend(router);
        frame.extend([224, 0, 0, 18]);
        frame.extend([0x31, id, priority, 1, 0, 100, 0, 0, 10, 50, 1, 1]);
        // Short frames are padded.
        frame.resize(64, 0);
        frame
    }

    #[test]
    fn advertisements_tagged_and_untagged() {
        for tag in [None, Some(100)] {
            let frame = frame(tag, [10, 50, 1, 2], 7, 200);
            let heard = parse(&frame).unwrap();
            assert_eq!((heard.id, heard.priority, heard.interval), (7, 200, 1_000));
            assert_eq!(heard.router.to_string(), "10.50.1.2");
            assert_eq!(heard.address.to_string(), "10.50.1.1");
            for cut in 0..46 {
                // Whatever is cut off: no panic, and nothing is made up.
                let _ = parse(&frame[..cut.min(frame.len())]);
            }
        }
    }

    #[test]
    fn other_packets_are_none() {
        let mut frame = frame(None, [10, 50, 1, 2], 7, 200);
        frame[23] = 6;
        assert!(parse(&frame).is_none());
        frame[23] = VRRP;
        // Routed: the time to live is no longer 255.
        frame[22] = 254;
        assert!(parse(&frame).is_none());
        assert!(parse(&[]).is_none());
    }
}
