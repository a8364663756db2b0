//! Keeps the sources running: one thread each, started again with back-off when it ends, and
//! missed when it says nothing.

use super::Context;
use crate::event::Kind;
use crate::sources::{ALL, Source, SourceError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest wait before a source is tried again.
const LONGEST: Duration = Duration::from_secs(300);
/// A source with nothing to watch is tried again after this: libvirt may be installed meanwhile.
const ABSENT: Duration = Duration::from_secs(600);
/// A source that ran so long begins its back-off anew.
const STEADY: Duration = Duration::from_secs(60);

/// A source's sign of life.
#[derive(Debug)]
pub struct Pulse {
    born: Instant,
    last: AtomicU64,
    running: AtomicBool,
    ever: AtomicBool,
}

impl Pulse {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            last: AtomicU64::new(0),
            running: AtomicBool::new(false),
            ever: AtomicBool::new(false),
        }
    }

    /// Said by the source at least as often as it promised.
    pub fn beat(&self) {
        self.last
            .store(self.born.elapsed().as_secs(), Ordering::Relaxed);
        self.ever.store(true, Ordering::Relaxed);
    }

    /// How long it has been silent; `None` while it is not running.
    fn silence(&self) -> Option<Duration> {
        let now = self.born.elapsed().as_secs();
        let last = self.last.load(Ordering::Relaxed);
        self.running
            .load(Ordering::Relaxed)
            .then(|| Duration::from_secs(now.saturating_sub(last)))
    }
}

pub(super) struct Keeper {
    sources: Vec<(&'static Source, Arc<Pulse>)>,
}

impl Keeper {
    pub(super) fn start(context: &Arc<Context>) -> Self {
        let wanted = |s: &&Source| !context.settings.without.iter().any(|w| w == s.name);
        let sources: Vec<_> = ALL
            .iter()
            .filter(wanted)
            .map(|source| {
                let pulse = Arc::new(Pulse::new());
                let (context, beats) = (context.clone(), pulse.clone());
                std::thread::spawn(move || keep_one(source, &context, &beats));
                (source, pulse)
            })
            .collect();
        Self { sources }
    }

    /// Misses those that are silent.
    pub(super) fn look(&mut self, context: &Context) {
        for (source, pulse) in &self.sources {
            let silence = pulse.silence();
            let up = silence.is_some() && pulse.ever.load(Ordering::Relaxed);
            let silent = silence.is_some_and(|s| s > (source.silent_after)(&context.settings));
            context.gauges.set(
                "nofail_source_up",
                &[("source", source.name)],
                u8::from(up && !silent).into(),
            );
            if silent {
                let seconds = silence.map_or(0, |s| s.as_secs());
                let message = format!(
                    "nothing was heard of the source for {seconds} s: what it watches is not watched"
                );
                context.tell_once(context.event(
                    "daemon",
                    Kind::SourceSilent,
                    source.name,
                    message,
                ));
            } else if up {
                let message = "the source works again";
                context.tell_once(context.event(
                    "daemon",
                    Kind::SourceRecovered,
                    source.name,
                    message,
                ));
            }
        }
    }
}

/// The life of one source. Ends only with the process.
fn keep_one(source: &'static Source, context: &Context, pulse: &Pulse) {
    let mut told_absent = false;
    let mut wait = Duration::from_secs(1);
    loop {
        let began = Instant::now();
        pulse.beat();
        pulse.ever.store(false, Ordering::Relaxed);
        pulse.running.store(true, Ordering::Relaxed);
        let ended = catch_unwind(AssertUnwindSafe(|| (source.run)(context, pulse)));
        pulse.running.store(false, Ordering::Relaxed);
        let reason = match ended {
            Ok(Err(SourceError::Absent(reason))) => {
                if !told_absent {
                    told_absent = true;
                    context.tell(context.event(
                        "daemon",
                        Kind::SourceAbsent,
                        source.name,
                        format!("not watched: {reason}"),
                    ));
                }
                std::thread::sleep(ABSENT);
                continue;
            }
            Ok(Err(SourceError::Failed(reason))) => reason,
            Ok(Ok(never)) => match never {},
            Err(_) => "it broke (a defect of nofail: please report it)".to_owned(),
        };
        if began.elapsed() > STEADY {
            wait = Duration::from_secs(1);
        }
        let message = format!("{reason}; tried again in {} s", wait.as_secs());
        context.tell_once(context.event("daemon", Kind::SourceFailed, source.name, message));
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST);
    }
}
