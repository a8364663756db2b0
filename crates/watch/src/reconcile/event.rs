//! A report as an event.

use super::Report;
use crate::{Event, Kind, Severity};
use change::vlan::{Ending, Shown};
use facts::Evidence;
use facts::bridge::Entries;
use jiff::Timestamp;
use model::vlan::Wanted;

/// The source's name in events.
pub const SOURCE: &str = "reconciler";

/// What a port should carry, written as what it has is.
fn planned(wanted: &Wanted) -> String {
    Shown(&wanted.entries()).to_string()
}

impl Report {
    /// The event that it is, at a time, on a host.
    pub fn event(&self, time: Timestamp, host: &str) -> Event {
        let new = |kind, port: &str, guest: &Option<String>, message: String| {
            let event = Event::new(time, host, SOURCE, kind, port, message);
            match guest {
                Some(guest) => event.of_guest(guest),
                None => event,
            }
        };
        let measured = |port: &str, have: &Entries| {
            Evidence::measured(format!("netlink:{port}"), Shown(have).to_string())
        };
        match self {
            Self::Differs {
                port,
                bridge,
                guest,
                have,
                wanted,
            } => {
                let (has, plan) = (Shown(have).to_string(), planned(wanted));
                let message = format!(
                    "{port} on {bridge} has {has}; {} says {plan}",
                    wanted.origin
                );
                new(Kind::VlanWrong, port, guest, message)
                    .change(None, has)
                    .evidence(measured(port, have))
            }
            Self::Repaired {
                guest,
                outcome,
                wanted,
            } => {
                let port = &outcome.port;
                let (before, after) = (
                    Shown(&outcome.before).to_string(),
                    Shown(&outcome.after).to_string(),
                );
                let (kind, message) = match &outcome.ending {
                    Ending::Failed(reason) => (
                        Kind::VlanWrong,
                        format!("{port} on {} has {after}: {reason}", outcome.bridge),
                    ),
                    _ => (
                        Kind::VlanRepaired,
                        format!(
                            "{port} on {} put right: {before} is now {after}",
                            outcome.bridge
                        ),
                    ),
                };
                let plan = Evidence::measured(wanted.origin.to_string(), planned(wanted));
                new(kind, port, guest, message)
                    .change(Some(before), after)
                    .evidence(measured(port, &outcome.after))
                    .evidence(plan)
            }
            Self::Flapping {
                port,
                guest,
                repairs,
                have,
                wanted,
            } => {
                let message = format!(
                    "{port} was put right {repairs} times within a minute and differs again: \
                     somebody else sets it to {}, {} says {}. It is left alone for a minute",
                    Shown(have),
                    wanted.origin,
                    planned(wanted)
                );
                new(Kind::VlanFlapping, port, guest, message)
                    .change(None, Shown(have).to_string())
                    .evidence(measured(port, have))
            }
            Self::Broken {
                port,
                guest,
                reason,
            } => new(
                Kind::VlanWrong,
                port,
                guest,
                format!("what {port} should carry cannot be told: the domain's metadata: {reason}"),
            ),
            Self::Lost => new(
                Kind::VlanChanged,
                "netlink",
                &None,
                "more links changed at once than the kernel could tell; all were read anew"
                    .to_owned(),
            )
            .severity(Severity::Info),
            Self::Map(reason) => new(
                Kind::VlanChanged,
                "site.toml",
                &None,
                format!("the VLAN map cannot be read, the one before counts: {reason}"),
            )
            .severity(Severity::Error),
        }
    }

    /// Whether a port is left that is not as planned.
    pub fn remains(&self) -> bool {
        match self {
            Self::Differs { .. } | Self::Flapping { .. } | Self::Broken { .. } => true,
            Self::Repaired { outcome, .. } => !outcome.is_met(),
            Self::Lost | Self::Map(_) => false,
        }
    }
}
