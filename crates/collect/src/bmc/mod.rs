//! Asks a BMC from outside, as an administrator would on the day when it is needed.
//!
//! Every question has a deadline; a BMC that hangs costs a bounded time and leaves nothing
//! behind. The password goes through the environment of `ipmitool` or a TLS connection, never
//! over a command line.

mod credentials;
mod ipmi;
mod redfish;

pub use credentials::{Credentials, CredentialsError};

use crate::netlink;
use facts::bmc::Check;
use facts::bmc::check::{Answer, SCHEMA};
use facts::ip::lookup;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

/// How far a BMC's clock may be off before its event log misleads, in seconds.
const CLOCK_SECONDS: i64 = 300;

/// How a BMC is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPMI over LAN.
    Ipmi,
    /// Redfish over HTTPS.
    Redfish,
}

/// A BMC to check.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host whose BMC it is.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port, where it is not the usual one.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub kind: Kind,
    /// Trusted certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Whether certificates are checked.
    pub verify: bool,
    /// Plain HTTP: only ever for a simulator.
    pub plain: bool,
}

/// Checks one BMC. Never fails as a whole: each question has its answer.
pub fn check(
    target: &Target,
    credentials: Result<&Credentials, &str>,
    probe_weak: bool,
    deadline: Duration,
) -> Check {
    let usual = match target.kind {
        Kind::Ipmi => 623,
        Kind::Redfish => 443,
    };
    let to = SocketAddr::new(target.address, target.port.unwrap_or(usual));
    let mut check = Check {
        schema: SCHEMA.to_owned(),
        host: target.host.clone(),
        address: match target.port {
            Some(_) => to.to_string(),
            None => target.address.to_string(),
        },
        kind: match target.kind {
            Kind::Ipmi => "ipmi",
            Kind::Redfish => "redfish",
        }
        .to_owned(),
        at: format!("{:.0}", jiff::Timestamp::now()),
        from_host: own_name(),
        from_address: source(to),
        ..Check::default()
    };
    way(to, &mut check);
    match target.kind {
        Kind::Ipmi => ipmi::check(to, credentials, probe_weak, deadline, &mut check),
        Kind::Redfish => redfish::check(target, to, credentials, probe_weak, deadline, &mut check),
    }
    check
}

/// Compares a BMC's clock with ours.
fn clock(seconds: i64, shown: &str) -> Answer {
    let off = seconds - jiff::Timestamp::now().as_second();
    if off.abs() <= CLOCK_SECONDS {
        Answer::good(format!("{shown}, {off:+} s"))
    } else {
        Answer::bad(format!(
            "{shown}, {off:+} s off: its event log tells the wrong time"
        ))
    }
}

/// The address that this machine speaks from: nothing is sent.
fn source(to: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if to.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The way to it: over a router, or on the link.
fn way(to: SocketAddr, check: &mut Check) {
    const DEADLINE: Duration = Duration::from_secs(2);
    let Ok(links) = netlink::links(DEADLINE, &|_| false) else {
        return;
    };
    let Ok((_, routes)) = netlink::addresses_and_routes(&links, DEADLINE) else {
        return;
    };
    if to.ip().is_loopback() || check.from_address == Some(to.ip()) {
        check.on_link = true;
    } else if let Some(route) = lookup(&routes, to.ip()) {
        check.gateway = route.hops.iter().find_map(|hop| hop.via);
        check.on_link = check.gateway.is_none();
    }
}

fn own_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
