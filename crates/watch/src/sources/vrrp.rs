//! VRRP as it is heard: who is master, whether one is there at all, whether two say so. Passive:
//! a packet socket with a filter in the kernel, which needs `CAP_NET_RAW`; nothing is sent and no
//! group is joined (RFC 5798, RFC 3768).

mod listen;
mod track;

use super::{Pulse, Source, SourceError, usual};
use crate::daemon::Context;
use crate::event::{Evidence, Kind, Severity};
use std::convert::Infallible;
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};
use track::{Change, Groups};

/// The source.
pub const SOURCE: Source = Source {
    name: "vrrp",
    silent_after: usual,
    run,
};

/// A packet that VRRP fits in many times.
const FRAME: usize = 512;

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let planned = context
        .site
        .iter()
        .flat_map(|site| site.guests.values())
        .any(|guest| guest.ready.as_deref() == Some("vrrp"));
    if !context.settings.vrrp.listen.unwrap_or(planned) {
        return Err(SourceError::Absent(
            "site.toml names no guest with ready = \"vrrp\"".into(),
        ));
    }
    let socket = listen::open()
        .map_err(|e| SourceError::failed("cannot listen for VRRP (CAP_NET_RAW?)", &e))?;
    let began = Instant::now();
    let mut groups = Groups::default();
    let mut buffer = [0_u8; FRAME];
    loop {
        pulse.beat();
        // Often enough to miss a master within its dead interval of some seconds, and only while
        // there is one to miss.
        let wait = if groups.is_empty() {
            Duration::from_secs(60)
        } else {
            Duration::from_secs(1)
        };
        socket
            .set_read_timeout(Some(wait))
            .map_err(|e| SourceError::failed("vrrp", &e))?;
        let mut changes = match (&socket).read(&mut buffer) {
            Ok(length) => listen::parse(&buffer[..length])
                .map_or_else(Vec::new, |heard| groups.heard(&heard, began.elapsed())),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Vec::new()
            }
            Err(error) => return Err(SourceError::failed("vrrp", &error)),
        };
        changes.extend(groups.passed(began.elapsed()));
        for change in changes {
            tell(context, change);
        }
        for (group, masters) in groups.masters() {
            context
                .gauges
                .set("nofail_vrrp_masters", &[("group", &group)], masters);
        }
    }
}

/// A takeover is told whether or not an alert stands; a master that was known before a restart of
/// the daemon is no news.
fn tell(context: &Context, change: Change) {
    let mut event = context.event("vrrp", change.kind, &change.group, change.message);
    event.before = change.before;
    event.after.clone_from(&change.after);
    let masters = change.after.unwrap_or_default();
    let event = event.evidence(Evidence::measured("VRRP", &masters));
    if change.kind != Kind::VrrpMaster {
        context.tell_once(event);
        return;
    }
    let name = format!("vrrp.{}", change.group);
    let known = context.state(&name);
    if known.as_ref() == Some(&masters) {
        context.tell_once(event);
        return;
    }
    let event = if known.is_none() {
        event.severity(Severity::Info)
    } else {
        event
    };
    context.tell_with(vec![event], vec![(name, masters)]);
}
