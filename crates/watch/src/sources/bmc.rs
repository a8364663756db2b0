//! BMCs: whether those in site.toml answer (the presence ping of ASF 2.0 to UDP port 623, which
//! IPMI requires of a BMC and which needs no password), and their sensors.

mod sensors;

use super::{Pulse, Source, SourceError, rest};
use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use sensors::Whose;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// The source.
pub const SOURCE: Source = Source {
    name: "bmc",
    // Twenty BMCs whose sensors take their whole deadline.
    silent_after: |settings| settings.bmc.interval * 3 + Duration::from_secs(1_200),
    run,
};

const PORT: u16 = 623;
/// Pings before it counts as unreachable: UDP may get lost.
const TRIES: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(2);
const DEVICE: &str = "/dev/ipmi0";

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let mut addresses: BTreeMap<String, SocketAddr> = BTreeMap::new();
    let mut remote: BTreeMap<String, Whose> = BTreeMap::new();
    let own = Path::new(DEVICE).exists();
    for (host, intent) in context.site.iter().flat_map(|site| &site.hosts) {
        let Some(bmc) = &intent.bmc else { continue };
        let Some(address) = bmc.address.as_deref().and_then(parse) else {
            continue;
        };
        addresses.insert(host.clone(), address);
        let own_device = own && *host == context.host;
        // Redfish has its sensors elsewhere.
        if let Some(file) = &bmc.credentials_file
            && bmc.kind.as_deref() != Some("redfish")
            && !own_device
        {
            let whose = Whose::Remote {
                host: host.clone(),
                address,
                credentials: context.site_directory.join(file),
            };
            remote.insert(host.clone(), whose);
        }
    }
    if addresses.is_empty() && !own {
        return Err(SourceError::Absent(format!(
            "site.toml has no BMC's address, and there is no {DEVICE}"
        )));
    }
    loop {
        for (host, address) in &addresses {
            pulse.beat();
            let labels = [("host", host.as_str())];
            let evidence = Evidence::measured(
                format!("ASF presence ping {address}"),
                format!("{TRIES} tries"),
            );
            match ping(*address) {
                Ok(()) => {
                    context.gauges.set("nofail_bmc_up", &labels, 1.0);
                    context.tell_once(context.event(
                        "bmc",
                        Kind::BmcReachable,
                        host,
                        "its BMC answers again",
                    ));
                    if let Some(whose) = remote.get(host) {
                        sensors::look(context, whose);
                    }
                }
                Err(error) => {
                    context.gauges.set("nofail_bmc_up", &labels, 0.0);
                    let message = format!("its BMC at {} does not answer: {error}", address.ip());
                    context.tell_once(
                        context
                            .event("bmc", Kind::BmcUnreachable, host, message)
                            .evidence(evidence),
                    );
                }
            }
        }
        if own {
            pulse.beat();
            sensors::look(context, &Whose::Own);
        }
        rest(pulse, context.settings.bmc.interval);
    }
}

/// `10.0.0.1` or `10.0.0.1:623`. Names are for `nofail bmc check`: a watch that needs DNS is
/// blind when it matters.
fn parse(address: &str) -> Option<SocketAddr> {
    let ip = address
        .parse::<IpAddr>()
        .map(|ip| SocketAddr::new(ip, PORT));
    ip.ok().or_else(|| address.parse().ok())
}

/// RMCP header (version 6, no acknowledge, class ASF), IANA number 4542, type 0x80 (presence
/// ping) with tag; answered by type 0x40 with the same tag (ASF 2.0, 3.2.4).
fn ping(address: SocketAddr) -> std::io::Result<()> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut last = std::io::Error::from(std::io::ErrorKind::TimedOut);
    for tag in 1..=TRIES {
        socket.send(&[6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, tag, 0, 0])?;
        let mut answer = [0_u8; 64];
        match socket.recv(&mut answer) {
            Ok(length) if length >= 12 && answer[3] & 0x1f == 6 && answer[8] == 0x40 => {
                return Ok(());
            }
            Ok(_) => last = std::io::Error::other("it answers something else"),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bmc_that_answers_and_one_that_does_not() {
        let bmc = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = bmc.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let mut ping = [0_u8; 64];
            let (length, from) = bmc.recv_from(&mut ping).unwrap();
            assert_eq!(
                ping[..length],
                [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 1, 0, 0]
            );
            let mut pong = vec![6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x40, 1, 0, 16];
            pong.extend([0_u8; 16]);
            bmc.send_to(&pong, from).unwrap();
        });
        ping(address).unwrap();
        answering.join().unwrap();
        // The socket is closed by now: the kernel refuses.
        assert!(ping(address).is_err());
        assert_eq!(parse("10.0.0.1").unwrap().port(), 623);
        assert_eq!(parse("[fd00::1]:1623").unwrap().port(), 1623);
        assert!(parse("bmc.example").is_none());
    }
}
