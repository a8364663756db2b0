//! Who is master of which group: pure, over times since the start.

use super::listen::Heard;
use crate::event::Kind;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A change worth telling.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub kind: Kind,
    pub group: String,
    pub message: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Debug)]
struct Router {
    last: Duration,
    interval: Duration,
    priority: u8,
    /// Advertisements since it was first heard (or heard again).
    count: u32,
}

#[derive(Debug, Default)]
struct Group {
    routers: BTreeMap<IpAddr, Router>,
    master: Option<IpAddr>,
    silent: bool,
    double: bool,
}

/// Every group that was heard.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<(u8, IpAddr), Group>,
}

/// A master that is silent for so many intervals is gone (RFC 5798, 6.1: three and a skew below
/// one).
const INTERVALS: u32 = 4;

impl Router {
    fn lives(&self, now: Duration) -> bool {
        now.saturating_sub(self.last) <= self.interval * INTERVALS
    }
}

fn name((id, address): &(u8, IpAddr)) -> String {
    format!("{address} (VRID {id})")
}

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Takes one advertisement. The same frame may be seen on several interfaces.
    pub(super) fn heard(&mut self, heard: &Heard, now: Duration) -> Vec<Change> {
        let key = (heard.id, heard.address);
        let group = self.groups.entry(key).or_default();
        let mut changes = Vec::new();
        if heard.priority == 0 {
            if group.routers.remove(&heard.router).is_some() {
                changes.push(Change {
                    kind: Kind::VrrpResigned,
                    group: name(&key),
                    message: format!("{} gives its mastership up", heard.router),
                    before: Some(heard.router.to_string()),
                    after: None,
                });
            }
            return changes;
        }
        let router = group.routers.entry(heard.router).or_insert(Router {
            last: now,
            interval: Duration::from_secs(1),
            priority: 0,
            count: 0,
        });
        if !router.lives(now) {
            router.count = 0;
        }
        router.last = now;
        router.count += 1;
        router.interval = Duration::from_millis(heard.interval.into());
        router.priority = heard.priority;
        changes
    }

    /// Judges what the time brought.
    pub(super) fn passed(&mut self, now: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, group) in &mut self.groups {
            let living: Vec<(IpAddr, u8)> = group
                .routers
                .iter()
                // In a handover both speak for a moment: whoever has been heard some times is
                // meant.
                .filter(|(_, router)| {
                    router.lives(now) && (router.count > 2 || group.master.is_none())
                })
                .map(|(address, router)| (*address, router.priority))
                .collect();
            let text = |list: &[(IpAddr, u8)]| {
                list.iter()
                    .map(|(a, p)| format!("{a} (priority {p})"))
                    .collect::<Vec<_>>()
                    .join(" and ")
            };
            let mut change = |kind, message: String, before: Option<IpAddr>| {
                changes.push(Change {
                    kind,
                    group: name(key),
                    message,
                    before: before.map(|a| a.to_string()),
                    after: Some(text(&living)).filter(|t| !t.is_empty()),
                });
            };
            match living.as_slice() {
                [] if group.routers.values().any(|r| r.lives(now)) => {}
                [] if !group.silent => {
                    group.silent = true;
                    group.double = false;
                    let before = group.master.take();
                    change(
                        Kind::VrrpSilent,
                        "no master is heard any more: the virtual address answers nobody".into(),
                        before,
                    );
                }
                [] => {}
                [(master, priority)] => {
                    if group.master != Some(*master) || group.silent || group.double {
                        let message = format!("{master} is master, priority {priority}");
                        change(Kind::VrrpMaster, message, group.master);
                    }
                    group.master = Some(*master);
                    group.silent = false;
                    group.double = false;
                }
                several => {
                    if !group.double {
                        let message = format!(
                            "{} routers say that they are master: {}",
                            several.len(),
                            text(several)
                        );
                        change(Kind::VrrpTwoMasters, message, group.master);
                    }
                    group.double = true;
                    group.silent = false;
                }
            }
            // A router that left long ago is forgotten.
            group
                .routers
                .retain(|_, router| now.saturating_sub(router.last) < Duration::from_secs(3_600));
        }
        changes
    }

    /// For each group, how many say that they are master, as of the last judgement.
    pub(super) fn masters(&self) -> Vec<(String, f64)> {
        let count = |group: &Group| match (group.silent, group.double) {
            (true, _) => 0.0,
            (_, true) => 2.0,
            _ => 1.0,
        };
        self.groups
            .iter()
            .map(|(key, group)| (name(key), count(group)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::listen::{parse, tests::frame};
    use super::*;

    fn say(groups: &mut Groups, router: u8, priority: u8, at: u64) -> Vec<Kind> {
        let heard = parse(&frame(Some(100), [10, 50, 1, router], 7, priority)).unwrap();
        let now = Duration::from_millis(at);
        let mut changes = groups.heard(&heard, now);
        changes.extend(groups.passed(now));
        changes.into_iter().map(|c| c.kind).collect()
    }

    #[test]
    fn a_master_a_failover_silence_and_two_masters() {
        let mut groups = Groups::default();
        assert_eq!(say(&mut groups, 2, 200, 0), [Kind::VrrpMaster]);
        for n in 1..10 {
            assert!(say(&mut groups, 2, 200, n * 1_000).is_empty());
        }
        // The master falls silent; the backup takes over within four seconds.
        let mut told = Vec::new();
        for n in 13..20 {
            told.extend(say(&mut groups, 3, 100, n * 1_000));
        }
        assert_eq!(told, [Kind::VrrpMaster]);
        // The old one comes back without taking over properly: two masters.
        let mut told = Vec::new();
        for n in 20..30 {
            told.extend(say(&mut groups, 2, 200, n * 1_000));
            told.extend(say(&mut groups, 3, 100, n * 1_000 + 500));
        }
        assert_eq!(told, [Kind::VrrpTwoMasters]);
        // One gives up, then the other falls silent.
        let mut told = say(&mut groups, 3, 0, 30_000);
        told.extend(say(&mut groups, 2, 200, 30_100));
        assert_eq!(told, [Kind::VrrpResigned, Kind::VrrpMaster]);
        let later = groups.passed(Duration::from_secs(60));
        assert_eq!(later.len(), 1);
        assert_eq!(later[0].kind, Kind::VrrpSilent);
        assert!(groups.passed(Duration::from_secs(61)).is_empty());
    }

    #[test]
    fn a_quick_handover_is_no_double_mastership() {
        let mut groups = Groups::default();
        for n in 0..5 {
            say(&mut groups, 2, 200, n * 1_000);
        }
        let mut told = say(&mut groups, 3, 250, 4_500);
        for n in 6..12 {
            told.extend(say(&mut groups, 3, 250, n * 1_000));
        }
        assert!(!told.contains(&Kind::VrrpSilent), "{told:?}");
        assert_eq!(told.last(), Some(&Kind::VrrpMaster));
    }
}
