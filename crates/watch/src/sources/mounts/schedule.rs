//! Whose turn it is to be probed: pure, over times since the start.
//!
//! Mounts of one server make a group, and each group has a turn of its own once per interval: no
//! group waits for the answer of another. File servers come first, and nothing but the bound on
//! helpers holds them up, so that a lost server is told within interval and deadline. FUSE mounts
//! may not take the helpers that servers need: few at a time, a part of the bound, and after some
//! time-outs of one type the rest of it is put off. Those that were put off have waited longest
//! and are first when the type is tried again: so all come round.

use std::collections::BTreeMap;
use std::time::Duration;

/// Helpers that are at work or hang in the kernel, in all.
pub(super) const HELPERS: u32 = 16;
/// How many FUSE mounts of one class are probed at the same time.
const FUSE_AT_ONCE: u32 = 4;
/// After so many time-outs of one type within an interval the rest of that type waits.
const TIMEOUTS: u32 = 4;

/// What stands behind a group, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A file server, asked by the kernel.
    Server,
    /// A FUSE mount that has a server (`sshfs`, GlusterFS).
    FuseServer,
    /// Any other FUSE mount.
    Fuse,
}

impl Class {
    /// How many helpers this class, and those less urgent, may take together.
    fn limit(self) -> u32 {
        match self {
            Self::Server => HELPERS,
            Self::FuseServer => 12,
            Self::Fuse => 8,
        }
    }
}

/// One group and its turn.
#[derive(Debug)]
struct Turn {
    class: Class,
    /// Type of the file system.
    fstype: String,
    due: Duration,
    /// Since when it is being probed.
    began: Option<Duration>,
    /// Something of it changed meanwhile: due then instead of after the interval.
    again: Option<Duration>,
    /// Helpers of earlier turns that hang in the kernel.
    hanging: u32,
}

/// What is to be done with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Probe it now.
    Probe(String),
    /// Its last helper still hangs: it does not answer, no other one is needed to know.
    StillHangs(String),
    /// It cannot be probed: too many helpers hang.
    NoRoom(String),
}

/// Every group's turn.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    turns: BTreeMap<String, Turn>,
    /// Time-outs by type, and when they are forgotten.
    timeouts: BTreeMap<String, (u32, Duration)>,
}

impl Schedule {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            turns: BTreeMap::new(),
            timeouts: BTreeMap::new(),
        }
    }

    /// There is such a group; something of it changed, so it is due soon.
    pub(super) fn set(&mut self, name: &str, class: Class, fstype: &str, due: Duration) {
        let turn = self.turns.entry(name.to_owned()).or_insert_with(|| Turn {
            class,
            fstype: fstype.to_owned(),
            due,
            began: None,
            again: None,
            hanging: 0,
        });
        if turn.began.is_some() {
            turn.again = Some(due);
        } else {
            turn.due = turn.due.min(due);
        }
    }

    /// There is no such group any more.
    pub(super) fn remove(&mut self, name: &str) {
        self.turns.remove(name);
    }

    /// How many helpers of a group hang.
    pub(super) fn hangs(&mut self, name: &str, hanging: u32) {
        if let Some(turn) = self.turns.get_mut(name) {
            turn.hanging = hanging;
        }
    }

    /// A probe ended, or could not begin.
    pub(super) fn done(&mut self, name: &str, timed_out: bool, now: Duration) {
        let Some(turn) = self.turns.get_mut(name) else {
            return;
        };
        if let Some(began) = turn.began.take() {
            turn.due = turn.again.take().unwrap_or(began + self.interval);
        }
        if timed_out && turn.class != Class::Server {
            let until = now + self.interval;
            let entry = self.timeouts.entry(turn.fstype.clone());
            entry.or_insert((0, until)).0 += 1;
        }
    }

    fn is_put_off(&self, turn: &Turn) -> bool {
        let timeouts = self.timeouts.get(&turn.fstype);
        turn.class != Class::Server && timeouts.is_some_and(|(count, _)| *count >= TIMEOUTS)
    }

    /// What is to be done now; to be asked until it gives `None`.
    pub(super) fn next(&mut self, now: Duration) -> Option<Step> {
        self.timeouts.retain(|_, (_, until)| *until > now);
        let at_work = |class: Class| {
            let mine = self.turns.values().filter(|t| t.class == class);
            count(mine.filter(|t| t.began.is_some()))
        };
        // Helpers taken by a class and those less urgent.
        let taken = |class: Class| -> u32 {
            let those = self.turns.values().filter(|t| t.class >= class);
            those
                .map(|t| t.hanging + u32::from(t.began.is_some()))
                .sum()
        };
        let room = |class: Class| {
            let above = [Class::Server, Class::FuseServer, Class::Fuse];
            above
                .iter()
                .filter(|c| **c <= class)
                .all(|c| taken(*c) < c.limit())
                && (class == Class::Server || at_work(class) < FUSE_AT_ONCE)
        };
        // Once for all of a class: there may be a thousand.
        let rooms = [Class::Server, Class::FuseServer, Class::Fuse].map(room);
        let hanging: u32 = self.turns.values().map(|t| t.hanging).sum();
        let (name, step) = self
            .turns
            .iter()
            .filter(|(_, t)| t.began.is_none() && t.due <= now)
            .filter_map(|(name, turn)| {
                let step = if turn.hanging > 0 {
                    Step::StillHangs(name.clone())
                } else if self.is_put_off(turn) {
                    return None;
                } else if rooms[turn.class as usize] {
                    Step::Probe(name.clone())
                } else if turn.class == Class::Server && hanging >= HELPERS {
                    Step::NoRoom(name.clone())
                } else {
                    return None;
                };
                Some((turn, name, step))
            })
            .min_by_key(|(turn, name, _)| (turn.class, turn.due, name.as_str()))
            .map(|(_, name, step)| (name.clone(), step))?;
        let turn = self.turns.get_mut(&name)?;
        match step {
            Step::Probe(_) => {
                turn.began = Some(now);
            }
            Step::StillHangs(_) | Step::NoRoom(_) => turn.due = now + self.interval,
        }
        Some(step)
    }

    /// When to ask again, if nothing happens before.
    pub(super) fn wake(&self, now: Duration) -> Option<Duration> {
        let idle = self.turns.values().filter(|t| t.began.is_none());
        let due = idle.filter(|t| t.due > now).map(|t| t.due);
        due.chain(self.timeouts.values().map(|(_, until)| *until))
            .min()
    }

    /// Groups whose turn is more than an interval overdue: they are not watched as promised.
    pub(super) fn overdue(&self, now: Duration) -> impl Iterator<Item = &str> {
        let late = move |turn: &Turn| turn.began.is_none() && turn.due + self.interval < now;
        let turns = self.turns.iter().filter(move |(_, turn)| late(turn));
        turns.map(|(name, _)| name.as_str())
    }
}

fn count<T>(iterator: impl Iterator<Item = T>) -> u32 {
    u32::try_from(iterator.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn schedule(servers: u32, fuse: u32) -> Schedule {
        let mut schedule = Schedule::new(INTERVAL);
        for n in 0..servers {
            schedule.set(&format!("server {n:04}"), Class::Server, "nfs4", at(0));
        }
        for n in 0..fuse {
            schedule.set(&format!("fuse {n:04}"), Class::Fuse, "fuse.x", at(0));
        }
        schedule
    }

    fn probes(schedule: &mut Schedule, now: Duration) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(step) = schedule.next(now) {
            if let Step::Probe(name) = step {
                names.push(name);
            }
        }
        names
    }

    #[test]
    fn servers_are_first_and_do_not_wait_for_anything() {
        let mut schedule = schedule(3, 1_000);
        let first = probes(&mut schedule, at(0));
        assert_eq!(first.len(), 7, "{first:?}");
        assert!(first[..3].iter().all(|n| n.starts_with("server")));
        for name in &first[..3] {
            schedule.done(name, false, at(0));
        }
        // All of FUSE hangs; the servers have their turn in time all the same.
        for name in &first[3..] {
            schedule.done(name, true, at(5));
            schedule.hangs(name, 1);
        }
        assert!(probes(&mut schedule, at(29)).is_empty());
        assert_eq!(probes(&mut schedule, at(30)).len(), 3);
    }

    #[test]
    fn after_some_time_outs_of_a_type_the_rest_waits_and_goes_on_behind_them() {
        let mut schedule = schedule(0, 20);
        schedule.set("other", Class::Fuse, "fuse.y", at(10));
        let mut seen = BTreeSet::new();
        let mut now = 0;
        for round in 0..5 {
            let names = probes(&mut schedule, at(now));
            assert_eq!(names.len(), 4, "round {round}: {names:?}");
            for name in names {
                assert!(
                    seen.insert(name.clone()),
                    "{name} twice before all had a turn"
                );
                schedule.done(&name, true, at(now + 5));
            }
            // Another type is not put off with them.
            if round == 0 {
                assert_eq!(probes(&mut schedule, at(10)), ["other"]);
                schedule.done("other", false, at(10));
                schedule.remove("other");
                // Nothing comes before the time-outs are forgotten or the first are due again.
                assert_eq!(schedule.wake(at(10)), Some(at(30)));
            }
            if round == 1 {
                assert_eq!(schedule.overdue(at(36)).count(), 12);
            }
            now += 35;
        }
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn helpers_are_bounded_whatever_hangs() {
        let mut schedule = schedule(40, 40);
        for second in 0..200 {
            for name in probes(&mut schedule, at(second)) {
                schedule.done(&name, true, at(second));
                schedule.hangs(&name, 1);
            }
            let hanging: u32 = schedule.turns.values().map(|t| t.hanging).sum();
            assert!(hanging <= HELPERS);
        }
        // One server answers again: another one has its turn.
        schedule.hangs("server 0000", 0);
        assert_eq!(probes(&mut schedule, at(240)).len(), 1);
    }

    #[test]
    fn a_helper_that_hangs_is_answer_enough() {
        let mut schedule = schedule(1, 0);
        assert_eq!(probes(&mut schedule, at(0)).len(), 1);
        assert_eq!(schedule.next(at(60)), None, "it is at work");
        // What changes meanwhile is not forgotten.
        schedule.set("server 0000", Class::Server, "nfs4", at(61));
        schedule.done("server 0000", true, at(60));
        schedule.hangs("server 0000", 1);
        assert_eq!(
            schedule.next(at(61)),
            Some(Step::StillHangs("server 0000".into()))
        );
        assert_eq!(schedule.next(at(62)), None);
        schedule.hangs("server 0000", 0);
        assert_eq!(
            schedule.next(at(91)),
            Some(Step::Probe("server 0000".into()))
        );
        schedule.remove("server 0000");
        schedule.done("server 0000", false, at(92));
        assert_eq!(schedule.wake(at(92)), None);
    }
}
