//! Addresses and routes out of raw rtnetlink messages: pure.

use super::decode::Messages;
use facts::ip::{Address, Hop, Route};
use netlink_packet_core::{DecodeError, NlasIterator, parse_string, parse_u32};
use std::collections::BTreeMap;
use std::net::IpAddr;

// linux/rtnetlink.h
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTN_UNICAST: u8 = 1;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_ONLINK: u32 = 4;
const RT_TABLE_LOCAL: u32 = 255;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_F_SECONDARY: u32 = 1;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
/// A lifetime that never ends.
const FOR_EVER: u32 = u32::MAX;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Names of devices by interface index.
pub type Names = BTreeMap<u32, String>;

/// The addresses in a dump of `RTM_GETADDR`, in the kernel's order.
///
/// # Errors
/// Where a message or an attribute asked for is cut off or of the wrong size.
pub fn addresses(bytes: &[u8], names: &Names) -> Result<Vec<Address>, DecodeError> {
    let mut found = Vec::new();
    for message in Messages::new(bytes) {
        let message = message?;
        if message.kind != RTM_NEWADDR {
            continue;
        }
        let body = message.bytes.get(16..).unwrap_or(&[]);
        let header = fixed::<8>(body)?;
        let index = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
        if !matches!(header[0], AF_INET | AF_INET6) {
            continue;
        }
        let Some(device) = names.get(&index) else {
            continue;
        };
        let (mut local, mut other) = (None, None);
        let (mut label, mut metric, mut broadcast) = (None, None, None);
        let mut flags = u32::from(header[2]);
        let (mut preferred, mut valid) = (FOR_EVER, FOR_EVER);
        for attribute in NlasIterator::new(body.get(8..).unwrap_or(&[])) {
            let attribute = attribute?;
            let value = attribute.value();
            match attribute.kind() {
                IFA_ADDRESS => other = Some(ip(value)?),
                IFA_LOCAL => local = Some(ip(value)?),
                IFA_LABEL => label = Some(parse_string(value)?).filter(|l| l != device),
                IFA_BROADCAST => broadcast = Some(ip(value)?),
                IFA_FLAGS => flags = parse_u32(value)?,
                IFA_RT_PRIORITY => metric = Some(parse_u32(value)?),
                IFA_CACHEINFO => {
                    let info = fixed::<8>(value)?;
                    preferred = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
                    valid = u32::from_ne_bytes([info[4], info[5], info[6], info[7]]);
                }
                _ => {}
            }
        }
        // IPv6 has only IFA_ADDRESS, unless the address has another end.
        let Some(local_address) = local.or(other) else {
            continue;
        };
        found.push(Address {
            device: device.clone(),
            local: local_address,
            peer: other.filter(|o| *o != local_address),
            prefix: header[1],
            scope: header[3],
            broadcast,
            label,
            metric,
            no_prefix_route: flags & IFA_F_NOPREFIXROUTE != 0,
            // For IPv6 the same bit says "temporary".
            secondary: header[0] == AF_INET && flags & IFA_F_SECONDARY != 0,
            valid: Some(valid).filter(|v| *v != FOR_EVER),
            preferred: Some(preferred).filter(|p| *p != FOR_EVER),
        });
    }
    Ok(found)
}

/// The unicast routes in a dump of `RTM_GETROUTE`, but for the table `local` and cached ones.
///
/// # Errors
/// As [`addresses`].
pub fn routes(bytes: &[u8], names: &Names) -> Result<Vec<Route>, DecodeError> {
    let mut found = Vec::new();
    for message in Messages::new(bytes) {
        let message = message?;
        if message.kind != RTM_NEWROUTE {
            continue;
        }
        let body = message.bytes.get(16..).unwrap_or(&[]);
        // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
        let header = fixed::<12>(body)?;
        let flags = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        if header[7] != RTN_UNICAST
            || flags & RTM_F_CLONED != 0
            || !matches!(header[0], AF_INET | AF_INET6)
        {
            continue;
        }
        let mut route = Route {
            v6: header[0] == AF_INET6,
            destination: None,
            prefix: header[1],
            table: u32::from(header[4]),
            protocol: header[5],
            scope: header[6],
            metric: None,
            source: None,
            hops: Vec::new(),
        };
        let mut hop = Hop {
            weight: 1,
            onlink: flags & RTNH_F_ONLINK != 0,
            ..Hop::default()
        };
        for attribute in NlasIterator::new(body.get(12..).unwrap_or(&[])) {
            let attribute = attribute?;
            let value = attribute.value();
            match attribute.kind() {
                RTA_DST => route.destination = Some(ip(value)?),
                RTA_OIF => hop.device = names.get(&parse_u32(value)?).cloned(),
                RTA_GATEWAY => hop.via = Some(ip(value)?),
                RTA_VIA => hop.via = via(value)?,
                RTA_PRIORITY => route.metric = Some(parse_u32(value)?),
                RTA_PREFSRC => route.source = Some(ip(value)?),
                RTA_TABLE => route.table = parse_u32(value)?,
                RTA_MULTIPATH => route.hops = hops(value, names)?,
                _ => {}
            }
        }
        if route.hops.is_empty() {
            route.hops.push(hop);
        }
        if route.table != RT_TABLE_LOCAL {
            found.push(route);
        }
    }
    Ok(found)
}

/// struct rtnexthop: length, flags, hops (weight less one), interface index; then attributes.
fn hops(mut bytes: &[u8], names: &Names) -> Result<Vec<Hop>, DecodeError> {
    let mut hops = Vec::new();
    while bytes.len() >= 8 {
        let head = fixed::<8>(bytes)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let index = u32::from_ne_bytes([head[4], head[5], head[6], head[7]]);
        if length < 8 || length > bytes.len() {
            return Err(DecodeError::from("a hop of a route is cut off"));
        }
        let mut hop = Hop {
            device: names.get(&index).cloned(),
            via: None,
            weight: u16::from(head[3]) + 1,
            onlink: u32::from(head[2]) & RTNH_F_ONLINK != 0,
        };
        for attribute in NlasIterator::new(&bytes[8..length]) {
            let attribute = attribute?;
            match attribute.kind() {
                RTA_GATEWAY => hop.via = Some(ip(attribute.value())?),
                RTA_VIA => hop.via = via(attribute.value())?,
                _ => {}
            }
        }
        hops.push(hop);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(hops)
}

/// struct rtvia: a router of another family than the destination.
fn via(value: &[u8]) -> Result<Option<IpAddr>, DecodeError> {
    value.get(2..).map(ip).transpose()
}

fn ip(value: &[u8]) -> Result<IpAddr, DecodeError> {
    if let Ok(four) = <[u8; 4]>::try_from(value) {
        return Ok(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(value)
        .map(IpAddr::from)
        .map_err(|_| DecodeError::from("an address is of no known length"))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes
        .get(..N)
        .and_then(|b| <[u8; N]>::try_from(b).ok())
        .ok_or_else(|| DecodeError::from("a header is cut off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4)
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len() + 16)
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_never_a_panic() {
        let names: Names = [(3, "br0".to_owned())].into();
        let mut body = vec![AF_INET, 24, 0x80, 0, 3, 0, 0, 0];
        body.extend(attribute(IFA_LOCAL, &[10, 50, 1, 12]));
        body.extend(attribute(IFA_FLAGS, &0x281_u32.to_ne_bytes()));
        let whole = message(RTM_NEWADDR, &body);
        let found = addresses(&whole, &names).unwrap();
        assert_eq!(found[0].text(), "10.50.1.12/24");
        assert!(found[0].no_prefix_route && found[0].secondary && found[0].valid.is_none());
        for length in 0..whole.len() {
            let _ = addresses(&whole[..length], &names);
        }
        let cut = message(RTM_NEWADDR, &[AF_INET, 24]);
        assert!(addresses(&cut, &names).is_err());

        let mut hop = vec![16, 0, 0, 1, 3, 0, 0, 0];
        hop.extend(attribute(RTA_GATEWAY, &[10, 50, 1, 1]));
        let mut body = vec![AF_INET, 0, 0, 0, 254, 4, 0, RTN_UNICAST, 0, 0, 0, 0];
        body.extend(attribute(RTA_MULTIPATH, &hop));
        let whole = message(RTM_NEWROUTE, &body);
        let found = routes(&whole, &names).unwrap();
        assert_eq!(found[0].destination_text(), "default");
        assert_eq!(found[0].hops[0].weight, 2);
        assert!(found[0].uses("br0"));
        for length in 0..whole.len() {
            let _ = routes(&whole[..length], &names);
        }
    }
}
