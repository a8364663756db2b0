//! The desk where events are handed in: one thread that stores them, in the order in which they
//! came. Where the recorder refuses (a full disk), they wait in memory, bounded, and are tried
//! again.

use crate::event::{Event, Kind};
use crate::recorder::{Recorder, RecorderError};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hand-ins that wait for the thread; more than this at once are counted and dropped.
const WAITING: usize = 4_096;
/// Hand-ins that are kept in memory while the recorder refuses.
const BACKLOG: usize = 16_384;
/// Hand-ins that are stored in one transaction.
const BATCH: usize = 512;
/// How often the thread looks for what other processes have recorded.
const LOOK: Duration = Duration::from_secs(2);
/// After a refusal.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two removals of what is too old or too much.
const PRUNE: Duration = Duration::from_secs(600);

/// Events and the values that belong to them.
type HandIn = (Vec<Event>, Vec<(String, String)>);

enum Hand {
    In(Vec<Event>, Vec<(String, String)>),
    Close(SyncSender<()>),
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    sender: SyncSender<Hand>,
    dropped: AtomicU64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    born: Instant,
    /// Seconds after `born` at which the thread last went round.
    alive: AtomicU64,
    /// The largest number that is stored.
    last: Mutex<i64>,
    more: Condvar,
}

impl Desk {
    pub(super) fn open(recorder: Recorder) -> Result<Self, RecorderError> {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let shared = Arc::new(Shared {
            born: Instant::now(),
            alive: AtomicU64::new(0),
            last: Mutex::new(recorder.last_id()?),
            more: Condvar::new(),
        });
        let thread = Clerk {
            recorder,
            shared: shared.clone(),
            backlog: VecDeque::new(),
            lost: 0,
            refused: None,
            version: 0,
            pruned: None,
        };
        std::thread::spawn(move || thread.run(&receiver));
        Ok(Self {
            sender,
            dropped: AtomicU64::new(0),
            shared,
        })
    }

    pub(super) fn put(&self, events: Vec<Event>, state: Vec<(String, String)>) {
        if self.sender.try_send(Hand::In(events, state)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hand-ins that were dropped since there were too many at once.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether the thread went round lately.
    pub(super) fn is_alive(&self) -> bool {
        let now = self.shared.born.elapsed().as_secs();
        now.saturating_sub(self.shared.alive.load(Ordering::Relaxed)) < 60
    }

    /// Waits until more than `after` is stored, or the time is over; the largest number stored.
    pub(crate) fn wait(&self, after: i64, limit: Duration) -> i64 {
        let last = self
            .shared
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .shared
            .more
            .wait_timeout_while(last, limit, |last| *last <= after);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Stores what waits, within the time.
    pub(super) fn close(&self, limit: Duration) {
        let (sender, done) = mpsc::sync_channel(1);
        if self.sender.send(Hand::Close(sender)).is_ok() {
            let _ = done.recv_timeout(limit);
        }
    }
}

struct Clerk {
    recorder: Recorder,
    shared: Arc<Shared>,
    backlog: VecDeque<HandIn>,
    lost: u64,
    refused: Option<Instant>,
    version: i64,
    pruned: Option<Instant>,
}

impl Clerk {
    fn run(mut self, receiver: &Receiver<Hand>) {
        let mut closing: Option<SyncSender<()>> = None;
        loop {
            let alive = self.shared.born.elapsed().as_secs();
            self.shared.alive.store(alive, Ordering::Relaxed);
            let mut next = match receiver.recv_timeout(LOOK) {
                Ok(hand) => Some(hand),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Some(hand) = next.take() {
                match hand {
                    Hand::In(events, state) => self.backlog.push_back((events, state)),
                    Hand::Close(done) => closing = Some(done),
                }
                while self.backlog.len() > BACKLOG {
                    self.backlog.pop_front();
                    self.lost += 1;
                }
                if self.backlog.len() < BATCH {
                    next = receiver.try_recv().ok();
                }
            }
            if self.refused.is_none_or(|since| since.elapsed() >= AGAIN) {
                self.store();
            }
            self.look();
            if let Some(done) = closing.take() {
                let _ = done.send(());
            }
        }
    }

    fn store(&mut self) {
        while !self.backlog.is_empty() {
            let count = self.backlog.len().min(BATCH);
            let (mut events, mut state) = (Vec::new(), Vec::new());
            for (some, more) in self.backlog.iter().take(count) {
                events.extend(some.iter().cloned());
                state.extend(more.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            }
            match self.recorder.record_with(&events, &state) {
                Ok(ids) => {
                    self.backlog.drain(..count);
                    if let Some(last) = ids.last() {
                        self.announce(*last);
                    }
                    if self.refused.take().is_some() {
                        self.recovered();
                    }
                }
                Err(error) => {
                    if self.refused.is_none() {
                        // To standard error, which under systemd is the journal: the recorder
                        // cannot take its own failure.
                        eprintln!("nofail: {error}; {count} wait in memory");
                    }
                    self.refused = Some(Instant::now());
                    return;
                }
            }
        }
    }

    fn recovered(&mut self) {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let lost = self.lost;
        let message = format!("events are recorded again; {lost} were lost meanwhile");
        let kind = if lost > 0 {
            Kind::SinkLost
        } else {
            Kind::RecorderRecovered
        };
        let event = Event::new(
            Timestamp::now(),
            host,
            "recorder",
            kind,
            "recorder",
            message,
        );
        self.lost = 0;
        self.backlog.push_back((vec![event], Vec::new()));
    }

    /// Looks for what others have recorded, and removes what is too old.
    fn look(&mut self) {
        if let Ok(version) = self.recorder.version()
            && version != self.version
        {
            self.version = version;
            if let Ok(last) = self.recorder.last_id() {
                self.announce(last);
            }
        }
        if self.pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
            self.pruned = Some(Instant::now());
            if let Err(error) = self.recorder.prune(Timestamp::now()) {
                eprintln!("nofail: {error}");
            }
        }
    }

    fn announce(&self, id: i64) {
        let mut last = self
            .shared
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(id);
        self.shared.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Limits, Query};

    #[test]
    fn what_is_handed_in_is_stored_in_order_and_waiters_wake() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.db");
        let desk = Desk::open(Recorder::open(&path, Limits::default()).unwrap()).unwrap();
        let now = Timestamp::now();
        for n in 0..1_000 {
            let time = now + jiff::SignedDuration::from_millis(n);
            let event = Event::new(time, "h", "s", Kind::Remark, n.to_string(), "x");
            desk.put(vec![event], vec![("n".into(), n.to_string())]);
        }
        desk.close(Duration::from_secs(10));
        assert_eq!(desk.wait(999, Duration::from_secs(5)), 1_000);
        let mut other = Recorder::open(&path, Limits::default()).unwrap();
        assert_eq!(other.state("n").unwrap().as_deref(), Some("999"));
        let all = other.query(&Query::default()).unwrap();
        assert!(
            all.iter()
                .zip(0..)
                .all(|(r, n)| r.event.subject == n.to_string())
        );
        // What another process records is noticed as well.
        let event = Event::new(Timestamp::now(), "h", "hook", Kind::Remark, "x", "x");
        other.record(&[event]).unwrap();
        assert_eq!(desk.wait(1_000, Duration::from_secs(10)), 1_001);
    }
}
