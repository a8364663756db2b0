//! Sinks: each hands on what is recorded. Its place in the record is kept there too, so that what
//! a lost network or a restart held up is delivered later: the recorder is the only spool.
//!
//! Two sorts: streams take every event (syslog, the journal, a file of lines), alerting sinks
//! tell people of what is wrong, of its end, and of nothing twice ([`book`]).

mod alertmanager;
pub mod book;
mod http;
mod journal;
mod lines;
mod mail;
mod names;
mod syslog;
mod text;
mod webhook;

use crate::daemon::{Context, DaemonError};
use crate::event::{Evidence, Kind, Severity};
use crate::recorder::{Query, Recorded};
use crate::settings::{Alerting, Settings, SinkKind};
use book::{Batch, Book};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use names::Finder;
use std::sync::Arc;
use std::time::Duration;

/// Events that are fetched at once.
const FETCH: u32 = 256;
/// After a failed delivery; doubled each time.
const AGAIN: Duration = Duration::from_secs(2);
/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// One delivery over the network.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// Why something was not delivered; one line.
pub type Failure = String;

/// Takes events as they come.
trait Stream: Send {
    /// Delivers in order; gives how many were delivered before an error, and the error.
    fn deliver(&mut self, events: &[Recorded]) -> Result<(), (usize, Failure)>;
}

/// Takes what people shall be told.
trait Teller: Send {
    /// Tells a batch as one message.
    fn tell(&mut self, host: &str, batch: &Batch) -> Result<(), Failure>;
    /// Whether it wants alerts that stand again and again, as Alertmanager does.
    fn refreshes(&self) -> Option<Duration> {
        None
    }
}

enum Way {
    Stream(Box<dyn Stream>, Severity),
    Teller(Box<dyn Teller>, Alerting),
}

/// A sink that is ready to be started.
pub struct Prepared {
    name: String,
    way: Way,
}

/// Makes the sinks of the settings. Where none is configured, critical events go to syslog
/// (`local0.crit`), if the host has one.
pub(crate) fn prepare(context: &Arc<Context>) -> Result<Vec<Prepared>, DaemonError> {
    let mut prepared = Vec::new();
    for (name, sink) in &context.settings.sinks {
        let way = way(sink, Finder::keeping(context)).map_err(|reason| DaemonError::Sink {
            name: name.clone(),
            reason,
        })?;
        let name = name.clone();
        prepared.push(Prepared { name, way });
    }
    if prepared.is_empty() && std::path::Path::new("/dev/log").exists() {
        let stream = syslog::Syslog::new("/dev/log", Finder::default()).map_err(|reason| {
            DaemonError::Sink {
                name: "syslog".to_owned(),
                reason,
            }
        })?;
        prepared.push(Prepared {
            name: "syslog".to_owned(),
            way: Way::Stream(Box::new(stream), Severity::Critical),
        });
    }
    Ok(prepared)
}

/// Whether each sink of the settings could be made; nothing is sent, and nobody asked.
pub(crate) fn check(settings: &Settings) -> Result<(), DaemonError> {
    for (name, sink) in &settings.sinks {
        way(sink, Finder::default()).map_err(|reason| DaemonError::Sink {
            name: name.clone(),
            reason,
        })?;
    }
    Ok(())
}

fn way(kind: &SinkKind, finder: Finder) -> Result<Way, Failure> {
    Ok(match kind {
        SinkKind::Syslog { to, severity } => {
            Way::Stream(Box::new(syslog::Syslog::new(to, finder)?), *severity)
        }
        SinkKind::Journal { socket, severity } => {
            Way::Stream(Box::new(journal::Journal::new(socket)), *severity)
        }
        SinkKind::Lines {
            path,
            severity,
            megabytes,
        } => Way::Stream(
            Box::new(lines::Lines::new(path, megabytes << 20)),
            *severity,
        ),
        SinkKind::Alertmanager { url, alerting } => Way::Teller(
            Box::new(alertmanager::Alertmanager::new(url, finder)?),
            alerting.clone(),
        ),
        SinkKind::Webhook {
            url,
            form,
            alerting,
        } => Way::Teller(
            Box::new(webhook::Webhook::new(url, *form, finder)?),
            alerting.clone(),
        ),
        SinkKind::Mail {
            url,
            from,
            to,
            password_file,
            ca_file,
            alerting,
        } => Way::Teller(
            Box::new(mail::Mail::new(
                url,
                from,
                to,
                password_file.as_deref(),
                ca_file.as_deref(),
                finder,
            )?),
            alerting.clone(),
        ),
    })
}

/// Starts a sink's thread.
pub(crate) fn start(sink: Prepared, context: Arc<Context>) {
    let cursor = format!("sink.{}.cursor", sink.name);
    let known = context.state(&cursor).and_then(|text| text.parse().ok());
    // A new sink is told what comes from now on, not the history of a year.
    let after = known.unwrap_or_else(|| context.reader().last_id().unwrap_or(0));
    std::thread::spawn(move || {
        let runner = Runner {
            context,
            name: sink.name,
            cursor,
            after,
            failing: None,
        };
        match sink.way {
            Way::Stream(stream, severity) => runner.stream(stream, severity),
            Way::Teller(teller, alerting) => runner.alerting(teller, &alerting),
        }
    });
}

struct Runner {
    context: Arc<Context>,
    name: String,
    cursor: String,
    after: i64,
    failing: Option<Duration>,
}

impl Runner {
    /// What was recorded since, waiting up to `limit` for something to come.
    fn next(&mut self, limit: Duration) -> Vec<Recorded> {
        let last = self.context.desk.wait(self.after, limit);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number of events, for a graph"
        )]
        let behind = (last - self.after) as f64;
        self.gauge("nofail_sink_behind", behind);
        if last <= self.after {
            return Vec::new();
        }
        let query = Query {
            after: Some(self.after),
            limit: Some(FETCH),
            ..Query::default()
        };
        let events = self.context.recorded(&query).unwrap_or_default();
        self.miss(&events);
        events
    }

    /// Tells where events were removed before we took them.
    fn miss(&self, events: &[Recorded]) {
        let Some(first) = events.first() else { return };
        let oldest = self
            .context
            .reader()
            .bounds()
            .ok()
            .flatten()
            .map(|(first, _)| first);
        // A gap in the middle is a transaction that was undone, not a loss.
        if first.id > self.after + 1 && oldest == Some(first.id) && self.after > 0 {
            let message = format!(
                "{} events were removed before they were delivered",
                first.id - self.after - 1
            );
            self.context.tell(
                self.context
                    .event("sinks", Kind::SinkLost, &self.name, message),
            );
        }
    }

    fn gauge(&self, metric: &'static str, value: f64) {
        self.context
            .gauges
            .set(metric, &[("sink", &self.name)], value);
    }

    /// A sink's own trouble is no event for that very sink to choke on.
    fn is_own(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        event.subject == self.name && matches!(event.kind, Kind::SinkFailed | Kind::SinkRecovered)
    }

    fn worked(&mut self) {
        self.gauge("nofail_sink_up", 1.0);
        self.failing = None;
        let event = self
            .context
            .event("sinks", Kind::SinkRecovered, &self.name, "delivers again");
        self.context.tell_once(event);
    }

    fn failed(&mut self, reason: &str) {
        self.gauge("nofail_sink_up", 0.0);
        let wait = self.failing.map_or(AGAIN, |wait| (wait * 2).min(LONGEST));
        self.failing = Some(wait);
        let message = format!("does not deliver: {reason}; what it has not delivered waits");
        let event = self
            .context
            .event("sinks", Kind::SinkFailed, &self.name, message);
        self.context
            .tell_once(event.evidence(Evidence::measured("sink", reason)));
        std::thread::sleep(wait);
    }

    fn stream(mut self, mut stream: Box<dyn Stream>, severity: Severity) {
        loop {
            let events = self.next(Duration::from_secs(60));
            let Some(last) = events.last().map(|r| r.id) else {
                continue;
            };
            let mut wanted: Vec<Recorded> = events
                .into_iter()
                .filter(|r| r.event.severity >= severity && !self.is_own(r))
                .collect();
            while !wanted.is_empty() {
                match stream.deliver(&wanted) {
                    Ok(()) => {
                        wanted.clear();
                        self.worked();
                    }
                    Err((done, reason)) => {
                        if let Some(delivered) = wanted.drain(..done).next_back() {
                            self.after = delivered.id;
                            self.context.keep(&self.cursor, self.after.to_string());
                        }
                        self.failed(&reason);
                    }
                }
            }
            self.after = last;
            self.context.keep(&self.cursor, self.after.to_string());
        }
    }

    fn alerting(mut self, mut teller: Box<dyn Teller>, alerting: &Alerting) {
        let stored = format!("sink.{}.book", self.name);
        let mut book: Book = self
            .context
            .state(&stored)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let zone = TimeZone::system();
        loop {
            let now = Timestamp::now();
            let time = Zoned::new(now, zone.clone()).time();
            let quiet = alerting.quiet.and_then(|quiet| quiet.left(time));
            let limit = book.wait(now, alerting, quiet, teller.refreshes());
            let events = self.next(limit);
            let now = Timestamp::now();
            let mut changed = false;
            for recorded in &events {
                self.after = recorded.id;
                changed |= !self.is_own(recorded) && book.take(recorded, alerting, now);
            }
            let time = Zoned::new(now, zone.clone()).time();
            let quiet = alerting.quiet.is_some_and(|quiet| quiet.holds(time));
            let mut failure = None;
            if let Some(batch) = book.batch(now, alerting, quiet, teller.refreshes()) {
                match teller.tell(&self.context.host, &batch) {
                    Ok(()) => {
                        book.told(&batch, now);
                        changed = true;
                        self.worked();
                    }
                    Err(reason) => failure = Some(reason),
                }
            }
            // The place and the book together: neither is ahead of the other.
            if changed || !events.is_empty() {
                let state = vec![
                    (self.cursor.clone(), self.after.to_string()),
                    (
                        stored.clone(),
                        serde_json::to_string(&book).unwrap_or_default(),
                    ),
                ];
                self.context.tell_with(Vec::new(), state);
            }
            if let Some(reason) = failure {
                self.failed(&reason);
            }
        }
    }
}
