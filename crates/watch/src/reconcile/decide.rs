//! Which ports to put right now, which to report, which to leave alone for a while: pure.

use super::Policy;
use change::vlan::{PortState, Target, delta};
use facts::bridge::Entries;
use model::vlan::Wanted;
use std::collections::BTreeMap;
use std::time::Duration;

/// So long a new port whose guest is not known yet is waited for: libvirt writes a guest's status
/// only once its device is in place.
pub const GRACE: Duration = Duration::from_secs(3);
/// The time in which repairs of one port are counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many repairs of one port within [`WINDOW`]; then somebody else holds on to another opinion.
pub const REPAIRS: usize = 5;
/// So long a flapping port is left alone.
pub const HOLD: Duration = Duration::from_secs(60);

/// A port as it was read, and what it should carry.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The port.
    pub state: PortState,
    /// Its guest, where that is known.
    pub guest: Option<String>,
    /// What it should carry; `None` where nobody planned it.
    pub wanted: Option<Wanted>,
}

/// What to do about one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Put it right.
    Repair(Target),
    /// It differs; said once for each way in which it differs.
    Report,
    /// It was put right again and again; it is left alone for [`HOLD`]. Said once.
    Flapping {
        /// How often it was put right within [`WINDOW`].
        repairs: usize,
    },
}

#[derive(Clone, Debug, Default)]
struct Memory {
    first_seen: Duration,
    repairs: Vec<Duration>,
    held_until: Option<Duration>,
    reported: Option<Entries>,
}

/// Remembers of each port (by its index, which the kernel does not soon use again) what was done.
#[derive(Clone, Debug, Default)]
pub struct Reconciler {
    policy: Policy,
    ports: BTreeMap<u32, Memory>,
}

impl Reconciler {
    /// One that has seen nothing yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ports: BTreeMap::new(),
        }
    }

    /// Decides on every port; `now` counts from any fixed moment. Ports that are gone are
    /// forgotten. `wait` false means that nobody comes back: unknown guests are not waited for.
    pub fn decide(&mut self, now: Duration, seen: &[Seen], wait: bool) -> Vec<(Seen, Decision)> {
        self.ports
            .retain(|index, _| seen.iter().any(|s| s.state.index == *index));
        let policy = self.policy;
        seen.iter()
            .filter_map(|seen| {
                let memory = self
                    .ports
                    .entry(seen.state.index)
                    .or_insert_with(|| Memory {
                        first_seen: now,
                        ..Memory::default()
                    });
                let decision = memory.decide(policy, now, seen, wait)?;
                Some((seen.clone(), decision))
            })
            .collect()
    }

    /// When to look again without a notification: a guest becomes known, a hold ends.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let moments = self.ports.values().flat_map(|memory| {
            let known = memory.first_seen + GRACE;
            [Some(known), memory.held_until]
        });
        moments.flatten().filter(|at| *at > now).min()
    }
}

impl Memory {
    fn decide(
        &mut self,
        policy: Policy,
        now: Duration,
        seen: &Seen,
        wait: bool,
    ) -> Option<Decision> {
        let wanted = seen.wanted.as_ref()?;
        let have = &seen.state.entries;
        if delta(have, wanted).is_empty() {
            self.reported = None;
            return None;
        }
        if wait && seen.guest.is_none() && now < self.first_seen + GRACE {
            return None;
        }
        if policy == Policy::Report {
            return self.report(have);
        }
        if let Some(until) = self.held_until {
            if now < until {
                return None;
            }
            self.held_until = None;
            self.repairs.clear();
        }
        self.repairs.retain(|at| *at + WINDOW > now);
        if self.repairs.len() >= REPAIRS {
            self.held_until = Some(now + HOLD);
            return Some(Decision::Flapping {
                repairs: self.repairs.len(),
            });
        }
        self.repairs.push(now);
        Some(Decision::Repair(Target {
            port: seen.state.name.clone(),
            wanted: wanted.clone(),
        }))
    }

    fn report(&mut self, have: &Entries) -> Option<Decision> {
        if self.reported.as_ref() == Some(have) {
            return None;
        }
        self.reported = Some(have.clone());
        Some(Decision::Report)
    }
}
