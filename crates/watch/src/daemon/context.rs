//! What every source and sink is given.

use super::Start;
use super::desk::Desk;
use crate::event::{Effect, Event, Kind};
use crate::metrics::Gauges;
use crate::recorder::{Query, Recorded, Recorder, RecorderError};
use crate::settings::Settings;
use model::Site;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names of values that hold an alert that stands, before its key.
const PROBLEM: &str = "problem ";

/// What every source and sink is given.
#[derive(Debug)]
pub struct Context {
    /// The name of this host.
    pub host: String,
    /// The settings.
    pub settings: Settings,
    /// The site's intent.
    pub site: Option<Site>,
    /// What paths in site.toml are relative to.
    pub site_directory: PathBuf,
    /// How to probe.
    pub options: collect::Options,
    /// Numbers for `/metrics`.
    pub gauges: Gauges,
    pub(crate) desk: Desk,
    reader: Mutex<Recorder>,
    problems: Mutex<BTreeMap<String, Kind>>,
}

impl Context {
    pub(super) fn new(start: Start, desk: Desk, reader: Recorder) -> Self {
        let stored = reader.states(PROBLEM).unwrap_or_default();
        let problems = stored.into_iter().filter_map(|(name, kind)| {
            Some((name.strip_prefix(PROBLEM)?.to_owned(), Kind::parse(&kind)?))
        });
        Self {
            host: start.host,
            options: collect::Options {
                deadline: start.settings.mounts.deadline,
                ..collect::Options::default()
            },
            settings: start.settings,
            site: start.site,
            site_directory: start.site_directory,
            gauges: Gauges::default(),
            desk,
            problems: Mutex::new(problems.collect()),
            reader: Mutex::new(reader),
        }
    }

    /// Hands an event to the recorder. Never blocks.
    pub fn tell(&self, event: Event) {
        self.tell_with(vec![event], Vec::new());
    }

    /// Hands events to the recorder together with values that belong to them: stored both or
    /// neither.
    pub fn tell_with(&self, events: Vec<Event>, mut state: Vec<(String, String)>) {
        for event in &events {
            self.gauges.count(event);
            let Some(key) = event.alert_key() else {
                continue;
            };
            let name = format!("{PROBLEM}{key}");
            match event.kind.effect() {
                Effect::Raises(_) => {
                    self.problems().insert(key, event.kind);
                    state.push((name, event.kind.name().to_owned()));
                }
                // An empty value is no kind.
                Effect::Clears(_) if self.problems().remove(&key).is_some() => {
                    state.push((name, String::new()));
                }
                _ => {}
            }
        }
        self.desk.put(events, state);
    }

    /// Hands an event to the recorder only where it changes an alert: what is raised already, or
    /// cleared already, is not told again. Also across restarts of the daemon.
    pub fn tell_once(&self, event: Event) {
        if self.is_news(&event) {
            self.tell(event);
        }
    }

    fn is_news(&self, event: &Event) -> bool {
        let Some(key) = event.alert_key() else {
            return true;
        };
        let standing = self.problems().get(&key).copied();
        match event.kind.effect() {
            Effect::Raises(_) => standing != Some(event.kind),
            Effect::Clears(_) => standing.is_some(),
            Effect::Note => true,
        }
    }

    /// Every alert that stands, by key, with what raised it last.
    pub fn standing(&self) -> BTreeMap<String, Kind> {
        self.problems().clone()
    }

    /// A value that a source or sink kept, also before a restart.
    pub fn state(&self, name: &str) -> Option<String> {
        self.reader().state(name).ok().flatten()
    }

    /// Keeps a value. Never blocks.
    pub fn keep(&self, name: impl Into<String>, value: impl Into<String>) {
        self.desk.put(Vec::new(), vec![(name.into(), value.into())]);
    }

    /// What is recorded.
    ///
    /// # Errors
    /// As [`Recorder::query`].
    pub fn recorded(&self, query: &Query) -> Result<Vec<Recorded>, RecorderError> {
        self.reader().query(query)
    }

    /// The recorder, to read.
    pub fn reader(&self) -> MutexGuard<'_, Recorder> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn problems(&self) -> MutexGuard<'_, BTreeMap<String, Kind>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
