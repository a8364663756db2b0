//! BMCs: whether those in site.toml answer (the presence ping of ASF 2.0 to UDP port 623, which
//! IPMI requires of a BMC and which needs no password), and the sensors of this host's own.

use super::{Pulse, Source, SourceError, rest};
use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use collect::command;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// The source.
pub const SOURCE: Source = Source {
    name: "bmc",
    silent_after: |settings| settings.bmc.interval * 3,
    run,
};

const PORT: u16 = 623;
/// Pings before it counts as unreachable: UDP may get lost.
const TRIES: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(2);
const DEVICE: &str = "/dev/ipmi0";
/// Reading all sensors through a slow BMC takes its time.
const SENSORS: Duration = Duration::from_secs(60);

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let mut addresses: BTreeMap<String, SocketAddr> = BTreeMap::new();
    for (host, intent) in context.site.iter().flat_map(|site| &site.hosts) {
        let address = intent.bmc.as_ref().and_then(|bmc| bmc.address.as_deref());
        if let Some(address) = address.and_then(parse) {
            addresses.insert(host.clone(), address);
        }
    }
    let sensors = Path::new(DEVICE).exists();
    if addresses.is_empty() && !sensors {
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
        if sensors {
            pulse.beat();
            look(context)?;
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

/// Reads every sensor with ipmitool and tells those outside their limits.
fn look(context: &Context) -> Result<(), SourceError> {
    let output = command::output("ipmitool", &["-c", "sdr", "list"], SENSORS)
        .map_err(|e| SourceError::failed("cannot read sensors", &e))?;
    for (name, value, status) in sensors(&String::from_utf8_lossy(&output)) {
        let evidence = Evidence::measured("ipmitool sdr", format!("{name}: {value}, {status}"));
        let (kind, message) = match status.as_str() {
            "ok" => (Kind::SensorOk, format!("{value}: within its limits")),
            "nc" | "cr" | "nr" => (
                Kind::SensorBad,
                format!("{value}: outside its limits ({status})"),
            ),
            // `ns`: no reading.
            _ => continue,
        };
        context.tell_once(
            context
                .event("bmc", kind, &name, message)
                .evidence(evidence),
        );
    }
    Ok(())
}

/// `Fan1,1200,RPM,ok`: name, value with its unit, status.
fn sensors(text: &str) -> Vec<(String, String, String)> {
    let rows = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let (name, status) = (*fields.first()?, *fields.last()?);
        let value = fields.get(1..fields.len().checked_sub(1)?)?.join(" ");
        (!name.is_empty()).then(|| (name.to_owned(), value, status.to_owned()))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_of_ipmitool() {
        let all = sensors("Fan1,1200,RPM,ok\nTemp,95,degrees C,cr\nPS2,0x00,ok\nx\n\n");
        assert_eq!(all.len(), 3);
        assert_eq!(all[1], ("Temp".into(), "95 degrees C".into(), "cr".into()));
        assert_eq!(all[2].1, "0x00");
    }

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
