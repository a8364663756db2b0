//! `nofail watch` as a process of a test, and what it tells.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use watch::recorder::{Limits, Query, Recorded};
use watch::{Event, Kind, Recorder};

/// Every source but those named, for `without = …`.
pub fn all_but(wanted: &[&str]) -> String {
    let names = watch::sources::ALL.iter().map(|s| s.name);
    let others: Vec<&str> = names.filter(|n| !wanted.contains(n)).collect();
    format!("{others:?}")
}

/// Runs a script that must succeed.
pub fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
}

/// The daemon; ends when dropped.
pub struct Daemon {
    child: Child,
    db: PathBuf,
    /// The last event that was waited for.
    pub after: i64,
    began: Instant,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for told in self.events(0).iter().rev().take(60) {
                let event = &told.event;
                let kind = event.kind.name();
                eprintln!("{} {kind} {}: {}", told.id, event.subject, event.message);
            }
        }
    }
}

impl Daemon {
    /// Starts it in a directory that holds `watch.toml` and, if it likes, `site.toml`, and waits
    /// until it watches.
    pub fn start(directory: &Path, variables: &[(&str, &Path)]) -> Self {
        let db = directory.join("events.db");
        // An earlier daemon's start is not the one that is waited for.
        let after = events(&db, 0).iter().map(|r| r.id).max().unwrap_or(0);
        let child = Command::new(env!("CARGO_BIN_EXE_nofail"))
            .arg("watch")
            .arg("--config")
            .arg(directory.join("watch.toml"))
            .arg("--db")
            .arg(&db)
            .args(directory.join("site.toml").exists().then_some("--site"))
            .args(
                Some(directory.join("site.toml"))
                    .filter(|s| s.exists())
                    .as_deref(),
            )
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let mut daemon = Self {
            child,
            db,
            after,
            began,
        };
        daemon.next(Kind::DaemonStarted, "nofail");
        daemon
    }

    /// Events after a number.
    pub fn events(&self, after: i64) -> Vec<Recorded> {
        events(&self.db, after)
    }

    /// The next event of this kind whose subject begins so, among those after the last one that
    /// was waited for.
    pub fn next(&mut self, kind: Kind, subject: &str) -> Event {
        self.next_within(kind, subject, 60)
    }

    /// The same within so many seconds.
    pub fn next_within(&mut self, kind: Kind, subject: &str, seconds: u64) -> Event {
        let found = within(&format!("{kind:?} of {subject}"), seconds, || {
            assert!(self.child.try_wait().unwrap().is_none(), "the daemon ended");
            let mut all = self.events(self.after).into_iter();
            all.find(|r| r.event.kind == kind && r.event.subject.starts_with(subject))
        });
        self.after = found.id;
        self.tell(&found.event);
        found.event
    }

    /// The first event of this kind whose subject begins so among all of this database, in whatever
    /// order: for sources that do not wait for each other. Nothing that is waited for later is
    /// passed over.
    pub fn first(&self, kind: Kind, subject: &str) -> Event {
        let found = within(&format!("{kind:?} of {subject}"), 60, || {
            let mut all = self.events(0).into_iter();
            all.find(|r| r.event.kind == kind && r.event.subject.starts_with(subject))
        });
        self.tell(&found.event);
        found.event
    }

    /// Prints what came, with the time since the daemon's start.
    fn tell(&self, event: &Event) {
        let seconds = self.began.elapsed().as_secs_f32();
        println!("{seconds:.1} s: {}: {}", event.subject, event.message);
    }

    /// Records an event as another process does.
    pub fn record(&self, kind: Kind, subject: &str) {
        let message = format!("about {subject}");
        let now = jiff::Timestamp::now();
        let event = Event::new(now, "kvm-01", "test", kind, subject, message);
        let mut recorder = Recorder::open(&self.db, Limits::default()).unwrap();
        recorder.record(&[event]).unwrap();
    }

    /// Number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// None where the database is only being made.
fn events(db: &Path, after: i64) -> Vec<Recorded> {
    let query = Query {
        after: Some(after),
        ..Query::default()
    };
    Recorder::open_to_read(db)
        .and_then(|recorder| recorder.query(&query))
        .unwrap_or_default()
}

/// Waits a minute until something is there.
pub fn eventually<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    within(what, 60, check)
}

/// Waits until something is there.
pub fn within<T>(what: &str, seconds: u64, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(seconds), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
