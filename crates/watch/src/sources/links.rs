//! Links: carrier, what belongs to which bridge, VLANs of ports, and error counters. The kernel
//! tells that something changed (rtnetlink(7), group `RTNLGRP_LINK`); what changed is found by
//! reading all and comparing, so that an overrun socket loses nothing.

mod compare;

use super::{Pulse, Source, SourceError};
use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use collect::netlink;
use facts::bridge::Link;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{self, AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// The source.
pub const SOURCE: Source = Source {
    name: "links",
    silent_after: |settings| settings.links.interval * 3,
    run,
};

/// Link changes (linux/rtnetlink.h: `RTNLGRP_LINK` is 1; the address holds a mask).
const GROUP: u32 = 1;
/// Changes come in bursts: a guest's start is a dozen messages.
const SETTLE: Duration = Duration::from_millis(200);
/// Counters under `/sys/class/net/NAME/statistics` that mean a bad cable, optic or port.
const COUNTERS: &[&str] = &[
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_errors",
    "tx_errors",
    "tx_carrier_errors",
];

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let socket =
        open().map_err(|e| SourceError::failed("cannot listen to the kernel's links", &e))?;
    let mut links = read()?;
    let mut counters = BTreeMap::new();
    let interval = context.settings.links.interval;
    let mut next = Instant::now();
    loop {
        pulse.beat();
        if Instant::now() >= next {
            next = Instant::now() + interval;
            count(context, &links, &mut counters);
        }
        if !wait(&socket, next)? {
            continue;
        }
        std::thread::sleep(SETTLE);
        drain(&socket)?;
        let new = read()?;
        let mut events = compare::compare(&links, &new);
        for change in events.drain(..) {
            let mut event = context.event("links", change.kind, change.subject, change.message);
            event.before = change.before;
            event.after = change.after;
            let evidence = Evidence::measured(
                format!("netlink:{}", event.subject),
                event.after.clone().unwrap_or_default(),
            );
            context.tell(event.evidence(evidence));
        }
        links = new;
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket = net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    net::bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
    Ok(socket)
}

fn read() -> Result<Vec<Link>, SourceError> {
    let has_device = |name: &str| {
        Path::new("/sys/class/net")
            .join(name)
            .join("device")
            .exists()
    };
    netlink::links(Duration::from_secs(5), &has_device)
        .map_err(|e| SourceError::failed("links", &e))
}

fn wait(socket: &OwnedFd, until: Instant) -> Result<bool, SourceError> {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(60),
        tv_nsec: left.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(SourceError::failed("netlink", &error)),
    }
}

/// Takes what lies in the socket. `ENOBUFS` says that more came than it holds: all is read
/// anyway.
fn drain(socket: &OwnedFd) -> Result<(), SourceError> {
    let mut buffer = [0_u8; 16 << 10];
    loop {
        match net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(SourceError::failed("netlink", &error)),
        }
    }
}

/// Compares the error counters of devices (not of guests' ports and bridges) with the last look.
fn count(context: &Context, links: &[Link], before: &mut BTreeMap<String, u64>) {
    for link in links {
        let directory = Path::new("/sys/class/net").join(&link.name);
        if !directory.join("device").exists() {
            continue;
        }
        let read = |name: &&str| -> Option<u64> {
            let text = std::fs::read_to_string(directory.join("statistics").join(name)).ok()?;
            text.trim().parse().ok()
        };
        let each: Vec<(&str, u64)> = COUNTERS
            .iter()
            .filter_map(|c| Some((*c, read(c)?)))
            .collect();
        let sum = each.iter().map(|(_, n)| n).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "a counter of errors")]
        context.gauges.set(
            "nofail_link_errors_total",
            &[("interface", &link.name)],
            sum as f64,
        );
        let Some(known) = before.insert(link.name.clone(), sum) else {
            continue;
        };
        let told = each
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect::<Vec<_>>()
            .join(", ");
        let (kind, message) = if sum > known {
            (
                Kind::LinkErrors,
                format!(
                    "{} errors since the last look: cable, optic or port",
                    sum - known
                ),
            )
        } else {
            (
                Kind::LinkErrorsStopped,
                "no more errors are counted".to_owned(),
            )
        };
        let evidence = Evidence::measured(format!("{}/statistics", directory.display()), told);
        context.tell_once(
            context
                .event("links", kind, &link.name, message)
                .evidence(evidence),
        );
    }
}
