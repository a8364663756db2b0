//! The book of an alerting sink: what stands, what was told, what is to be told now. Pure, over
//! times that are given; kept in the recorder across restarts.

use crate::event::{Effect, Severity};
use crate::recorder::Recorded;
use crate::settings::Alerting;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// One alert, or one event worth telling that raises none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Number of the event in the recorder: the same message has the same number.
    pub id: i64,
    /// Key of the alert; of an event that raises none, its number.
    pub key: String,
    /// The kind's name.
    pub kind: String,
    /// The severity's name.
    pub severity: String,
    /// The guest.
    pub guest: Option<String>,
    /// What it is about.
    pub subject: String,
    /// One sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// When people were told last; `None` while it waits.
    pub told: Option<Timestamp>,
    /// When it came to the book: what comes at the same moment is told together.
    pub came: Timestamp,
}

/// What is told in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Alerts that are raised, or changed, or stand for so long that they are told again.
    pub raised: Vec<Item>,
    /// Alerts that are over, with the moment of their end.
    pub cleared: Vec<(Item, Timestamp)>,
    /// Events that raise no alert.
    pub notes: Vec<Item>,
    /// Whether it is (also) a sign of life.
    pub heartbeat: bool,
    /// How many alerts stand in all.
    pub standing: usize,
}

/// The book.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    open: BTreeMap<String, Item>,
    cleared: Vec<(Item, Timestamp)>,
    notes: Vec<Item>,
    heartbeat: Option<Timestamp>,
    refreshed: Option<Timestamp>,
}

fn span(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn hours(hours: u64) -> SignedDuration {
    SignedDuration::from_hours(i64::try_from(hours).unwrap_or(0))
}

impl Book {
    /// Takes an event in; says whether the book changed.
    pub fn take(&mut self, recorded: &Recorded, alerting: &Alerting, now: Timestamp) -> bool {
        let event = &recorded.event;
        let item = || Item {
            id: recorded.id,
            key: event
                .alert_key()
                .unwrap_or_else(|| format!("event {}", recorded.id)),
            kind: event.kind.name().to_owned(),
            severity: event.severity.name().to_owned(),
            guest: event.guest.clone(),
            subject: event.subject.clone(),
            message: event.message.clone(),
            since: event.time,
            told: None,
            came: now,
        };
        let bad = event.severity >= alerting.severity;
        match event.kind.effect() {
            Effect::Raises(_) if bad => {
                let mut item = item();
                if let Some(known) = self.open.get(&item.key) {
                    if known.kind == item.kind {
                        return false;
                    }
                    // Another trouble of the same subject: the alert goes on.
                    item.since = known.since;
                }
                self.open.insert(item.key.clone(), item);
                true
            }
            // A milder trouble in place of the one that was told: that one is over.
            Effect::Raises(_) | Effect::Clears(_) => {
                let Some(item) = event.alert_key().and_then(|key| self.open.remove(&key)) else {
                    return false;
                };
                // Nobody was told of it: nobody needs to be told of its end.
                if item.told.is_some() && alerting.recovery {
                    self.cleared.push((Item { came: now, ..item }, event.time));
                }
                true
            }
            Effect::Note if bad => {
                self.notes.push(item());
                true
            }
            Effect::Note => false,
        }
    }

    /// What is to be told now; `None` where nothing is, or where it is worth waiting for more.
    pub fn batch(
        &self,
        now: Timestamp,
        alerting: &Alerting,
        quiet: bool,
        refresh: Option<Duration>,
    ) -> Option<Batch> {
        let repeat = hours(alerting.repeat_hours);
        let due = |item: &&Item| match item.told {
            None => true,
            Some(told) => alerting.repeat_hours > 0 && now.duration_since(told) >= repeat,
        };
        let waiting = self.open.values().filter(due).filter(|i| may(i, quiet));
        let ripe = |item: &Item| now.duration_since(item.came) >= span(alerting.group);
        let any_ripe = waiting.clone().any(ripe)
            || self.notes.iter().filter(|i| may(i, quiet)).any(ripe)
            || self
                .cleared
                .iter()
                .filter(|(i, _)| may(i, quiet))
                .any(|(i, _)| ripe(i));
        let heartbeat = alerting.heartbeat_hours > 0
            && self
                .heartbeat
                .is_none_or(|last| now.duration_since(last) >= hours(alerting.heartbeat_hours));
        let refreshing = refresh.is_some_and(|every| {
            !self.open.is_empty()
                && self
                    .refreshed
                    .is_none_or(|last| now.duration_since(last) >= span(every))
        });
        if !any_ripe && !heartbeat && !refreshing {
            return None;
        }
        let raised = if refresh.is_some() {
            self.open.values().cloned().collect()
        } else {
            waiting.cloned().collect()
        };
        Some(Batch {
            raised,
            cleared: self
                .cleared
                .iter()
                .filter(|(i, _)| may(i, quiet))
                .cloned()
                .collect(),
            notes: self
                .notes
                .iter()
                .filter(|i| may(i, quiet))
                .cloned()
                .collect(),
            heartbeat,
            standing: self.open.len(),
        })
    }

    /// A batch was delivered.
    pub fn told(&mut self, batch: &Batch, now: Timestamp) {
        for item in &batch.raised {
            if let Some(open) = self.open.get_mut(&item.key)
                && open.id == item.id
            {
                open.told = Some(now);
            }
        }
        self.cleared.retain(|pair| !batch.cleared.contains(pair));
        self.notes.retain(|note| !batch.notes.contains(note));
        if batch.heartbeat {
            self.heartbeat = Some(now);
        }
        self.refreshed = Some(now);
    }

    /// How long to wait for events before looking at the book again. `quiet` is how long it is
    /// still quiet, where it is.
    pub fn wait(
        &self,
        now: Timestamp,
        alerting: &Alerting,
        quiet: Option<Duration>,
        refresh: Option<Duration>,
    ) -> Duration {
        let fresh = self
            .open
            .values()
            .filter(|i| i.told.is_none())
            .chain(&self.notes)
            .chain(self.cleared.iter().map(|(i, _)| i));
        // What quiet hours hold back is ripe all the time, and waits for their end.
        let ripe = fresh.filter(|i| may(i, quiet.is_some())).map(|item| {
            let age = now.duration_since(item.came).unsigned_abs();
            alerting
                .group
                .saturating_sub(age)
                .max(Duration::from_millis(100))
        });
        // A look each minute in any case: the clock may have been set.
        let usual = refresh
            .unwrap_or(Duration::from_secs(60))
            .min(Duration::from_secs(60));
        ripe.chain(quiet).min().unwrap_or(usual).min(usual)
    }
}

/// Whether an item may be told now: in quiet hours only a critical one.
fn may(item: &Item, quiet: bool) -> bool {
    !quiet || item.severity == Severity::Critical.name()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    struct Desk {
        book: Book,
        alerting: Alerting,
        id: i64,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                book: Book::default(),
                alerting: Alerting::default(),
                id: 0,
            }
        }

        fn event(&mut self, second: i64, kind: Kind, subject: &str) {
            self.id += 1;
            let event = Event::new(at(second), "h", "s", kind, subject, "m");
            self.book
                .take(&Recorded { id: self.id, event }, &self.alerting, at(second));
        }

        /// Raised, cleared, notes of what is told at this moment.
        fn told(&mut self, second: i64, quiet: bool) -> (usize, usize, usize) {
            let Some(batch) = self.book.batch(at(second), &self.alerting, quiet, None) else {
                return (0, 0, 0);
            };
            self.book.told(&batch, at(second));
            (batch.raised.len(), batch.cleared.len(), batch.notes.len())
        }
    }

    #[test]
    fn grouped_told_once_repeated_and_cleared() {
        let mut desk = Desk::new();
        desk.event(0, Kind::MountStale, "/a");
        assert_eq!(desk.told(1, false), (0, 0, 0));
        desk.event(5, Kind::MountStale, "/b");
        desk.event(6, Kind::MountStale, "/a");
        assert_eq!(desk.told(11, false), (2, 0, 0));
        assert_eq!(desk.told(100, false), (0, 0, 0));
        // After a restart, from what was kept.
        let text = serde_json::to_string(&desk.book).unwrap();
        desk.book = serde_json::from_str(&text).unwrap();
        assert_eq!(desk.told(200, false), (0, 0, 0));
        assert_eq!(desk.told(86_500, false), (2, 0, 0));
        desk.event(90_000, Kind::MountHealthy, "/a");
        assert_eq!(desk.told(90_011, false), (0, 1, 0));
        // Another trouble of the same mount is told.
        desk.event(90_100, Kind::MountNotResponding, "/b");
        assert_eq!(desk.told(90_111, false), (1, 0, 0));
    }

    #[test]
    fn what_is_over_before_it_was_told_is_not_told() {
        let mut desk = Desk::new();
        desk.event(0, Kind::MountStale, "/a");
        desk.event(3, Kind::MountHealthy, "/a");
        assert_eq!(desk.told(60, false), (0, 0, 0));
        desk.event(70, Kind::MountHealthy, "/a");
        assert_eq!(desk.told(90, false), (0, 0, 0));
    }

    #[test]
    fn quiet_hours_hold_back_all_but_the_critical() {
        let mut desk = Desk::new();
        desk.event(0, Kind::UnitFailed, "a.service");
        desk.event(0, Kind::MountStale, "/a");
        desk.event(0, Kind::KernelOomKill, "qemu");
        desk.event(0, Kind::KernelDisk, "sda");
        assert_eq!(desk.told(20, true), (1, 0, 1));
        assert_eq!(desk.told(3_600, true), (0, 0, 0));
        assert_eq!(desk.told(7_200, false), (1, 0, 1));
    }

    #[test]
    fn what_is_held_back_waits_for_the_end_and_nothing_else_does() {
        let mut desk = Desk::new();
        let wait = |desk: &Desk, second, quiet: Option<u64>| {
            let quiet = quiet.map(Duration::from_secs);
            desk.book.wait(at(second), &desk.alerting, quiet, None)
        };
        desk.event(0, Kind::UnitFailed, "a.service");
        // Ripe at second 10, and not before the end; nobody asks ten times a second meanwhile.
        assert_eq!(wait(&desk, 3, Some(3_600)), Duration::from_secs(60));
        assert_eq!(wait(&desk, 20, Some(40)), Duration::from_secs(40));
        assert_eq!(wait(&desk, 60, None), Duration::from_millis(100));
        // A critical one waits for its group alone.
        desk.event(50, Kind::MountStale, "/a");
        assert_eq!(wait(&desk, 53, Some(3_600)), Duration::from_secs(7));
        assert_eq!(wait(&desk, 60, Some(3_600)), Duration::from_millis(100));
    }

    #[test]
    fn mild_events_and_heartbeats() {
        let mut desk = Desk::new();
        desk.event(0, Kind::GuestStarted, "a");
        desk.event(0, Kind::LinkErrors, "eno1");
        assert_eq!(desk.told(60, false), (0, 0, 0));
        desk.alerting.heartbeat_hours = 1;
        let batch = desk
            .book
            .batch(at(60), &desk.alerting, false, None)
            .unwrap();
        assert!(batch.heartbeat && batch.raised.is_empty());
        desk.book.told(&batch, at(60));
        assert_eq!(
            desk.book.batch(at(3_000), &desk.alerting, false, None),
            None
        );
        assert!(
            desk.book
                .batch(at(3_700), &desk.alerting, false, None)
                .is_some()
        );
    }

    #[test]
    fn alertmanager_is_told_again_and_again_what_stands() {
        let mut desk = Desk::new();
        let refresh = Some(Duration::from_secs(60));
        desk.event(0, Kind::MountStale, "/a");
        let batch = desk
            .book
            .batch(at(10), &desk.alerting, false, refresh)
            .unwrap();
        desk.book.told(&batch, at(10));
        assert_eq!(
            desk.book.batch(at(20), &desk.alerting, false, refresh),
            None
        );
        let again = desk
            .book
            .batch(at(70), &desk.alerting, false, refresh)
            .unwrap();
        assert_eq!(again.raised.len(), 1);
    }
}
