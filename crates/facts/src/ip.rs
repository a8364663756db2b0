//! IP addresses and routes of the running kernel (rtnetlink(7), ip-address(8), ip-route(8)).

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Name of the interface.
    pub device: String,
    /// The address.
    pub local: IpAddr,
    /// The other end of a point-to-point address, where that is not the address itself.
    pub peer: Option<IpAddr>,
    /// Length of the prefix.
    pub prefix: u8,
    /// Scope as the kernel numbers it: 0 global, 200 site, 253 link, 254 host (rtnetlink(7)).
    pub scope: u8,
    /// Broadcast address, where one is set.
    pub broadcast: Option<IpAddr>,
    /// Label, where it is not the interface's name.
    pub label: Option<String>,
    /// Metric of the route to its subnet, where one is set.
    pub metric: Option<u32>,
    /// Whether the kernel makes no route to its subnet.
    pub no_prefix_route: bool,
    /// Whether another address of the same subnet was there first (it goes when that goes).
    pub secondary: bool,
    /// Seconds that it is valid for; `None` is for ever.
    pub valid: Option<u32>,
    /// Seconds that it is preferred for; `None` is for ever.
    pub preferred: Option<u32>,
}

impl Address {
    /// A global address with nothing else set.
    pub fn new(device: &str, local: IpAddr, prefix: u8) -> Self {
        Self {
            device: device.to_owned(),
            local,
            peer: None,
            prefix,
            scope: 0,
            broadcast: None,
            label: None,
            metric: None,
            no_prefix_route: false,
            secondary: false,
            valid: None,
            preferred: None,
        }
    }
}

/// One way of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop {
    /// Name of the interface; `None` where the route has none of this namespace.
    pub device: Option<String>,
    /// Next router; `None` where the destination is on the link.
    pub via: Option<IpAddr>,
    /// Weight, from 1, among several ways.
    pub weight: u16,
    /// Whether the router is taken to be on the link without an address that says so.
    pub onlink: bool,
}

/// One unicast route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Whether it is one of IPv6.
    pub v6: bool,
    /// Destination; `None` with prefix 0 is the default route.
    pub destination: Option<IpAddr>,
    /// Length of the destination's prefix.
    pub prefix: u8,
    /// Routing table, 254 is main.
    pub table: u32,
    /// Who made it, as the kernel numbers it: 2 kernel, 3 boot, 4 static, 9 RA, 16 DHCP.
    pub protocol: u8,
    /// Scope: 0 global, 253 link.
    pub scope: u8,
    /// Metric, where one is set.
    pub metric: Option<u32>,
    /// Source address that it prefers.
    pub source: Option<IpAddr>,
    /// Its ways; one for most.
    pub hops: Vec<Hop>,
}

/// Protocol number of routes that the kernel made by itself (linux/rtnetlink.h, RTPROT_KERNEL).
pub const PROTOCOL_KERNEL: u8 = 2;
/// Table of everybody's routes (RT_TABLE_MAIN).
pub const TABLE_MAIN: u32 = 254;

impl Address {
    /// `ADDRESS/PREFIX`, as ip-address(8) writes it.
    pub fn text(&self) -> String {
        format!("{}/{}", self.local, self.prefix)
    }

    /// Whether another address lies in this one's subnet.
    pub fn covers(&self, other: IpAddr) -> bool {
        in_subnet(self.peer.unwrap_or(self.local), self.prefix, other)
    }
}

impl Route {
    /// Whether it goes over an interface.
    pub fn uses(&self, device: &str) -> bool {
        self.hops
            .iter()
            .any(|hop| hop.device.as_deref() == Some(device))
    }

    /// `default` or `ADDRESS/PREFIX`.
    pub fn destination_text(&self) -> String {
        match self.destination {
            Some(address) => format!("{address}/{}", self.prefix),
            None if self.prefix == 0 => "default".to_owned(),
            None => format!("{}/{}", if self.v6 { "::" } else { "0.0.0.0" }, self.prefix),
        }
    }

    /// Whether it leads to an address.
    pub fn covers(&self, address: IpAddr) -> bool {
        self.v6 == address.is_ipv6()
            && self
                .destination
                .is_none_or(|d| in_subnet(d, self.prefix, address))
    }
}

/// The route that the kernel would take to an address: the longest prefix, then the lowest
/// metric. Policy rules and tables other than main are not looked at.
pub fn lookup(routes: &[Route], to: IpAddr) -> Option<&Route> {
    routes
        .iter()
        .filter(|r| r.table == TABLE_MAIN && r.covers(to))
        .min_by_key(|r| (std::cmp::Reverse(r.prefix), r.metric.unwrap_or(0)))
}

/// Whether two addresses share a prefix.
pub fn in_subnet(a: IpAddr, prefix: u8, b: IpAddr) -> bool {
    let prefix = u32::from(prefix);
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            u32::from(a) & mask == u32::from(b) & mask
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            u128::from(a) & mask == u128::from(b) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        let a = |s: &str| s.parse::<IpAddr>().unwrap();
        assert!(in_subnet(a("10.50.1.12"), 24, a("10.50.1.200")));
        assert!(!in_subnet(a("10.50.1.12"), 24, a("10.50.2.200")));
        assert!(in_subnet(a("10.50.1.12"), 0, a("1.1.1.1")));
        assert!(!in_subnet(a("10.50.1.12"), 32, a("10.50.1.13")));
        assert!(in_subnet(a("2001:db8::1"), 64, a("2001:db8::2")));
        assert!(!in_subnet(a("2001:db8::1"), 64, a("10.0.0.1")));
    }

    #[test]
    fn the_longest_prefix_wins_then_the_lowest_metric() {
        let route = |destination: Option<&str>, prefix, metric, device: &str| Route {
            v6: false,
            destination: destination.map(|d| d.parse().unwrap()),
            prefix,
            table: TABLE_MAIN,
            protocol: 4,
            scope: 0,
            metric,
            source: None,
            hops: vec![Hop {
                device: Some(device.to_owned()),
                ..Hop::default()
            }],
        };
        let routes = [
            route(None, 0, Some(100), "slow"),
            route(None, 0, None, "fast"),
            route(Some("10.50.1.0"), 24, Some(900), "lan"),
        ];
        assert!(lookup(&routes, "10.50.1.9".parse().unwrap()).is_some_and(|r| r.uses("lan")));
        assert!(lookup(&routes, "10.9.9.9".parse().unwrap()).is_some_and(|r| r.uses("fast")));
        assert_eq!(lookup(&routes, "2001:db8::1".parse().unwrap()), None);
    }
}
