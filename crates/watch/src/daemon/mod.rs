//! The process: one thread per source and sink, each with little to do, and one loop that keeps
//! them.

pub mod context;
pub mod desk;
mod notify;
pub mod supervise;
mod trim;

pub use context::Context;

use crate::event::{Event, Kind};
use crate::recorder::{self, Recorder, RecorderError};
use crate::settings::Settings;
use crate::{metrics, sinks, sources};
use desk::Desk;
use jiff::Timestamp;
use model::Site;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// How often the keeper looks at its threads.
const ROUND: Duration = Duration::from_secs(10);

/// What the daemon is started with.
#[derive(Debug)]
pub struct Start {
    /// The settings.
    pub settings: Settings,
    /// The site's intent, where there is a site.toml.
    pub site: Option<Site>,
    /// Directory of site.toml: paths in it are relative to it.
    pub site_directory: PathBuf,
    /// The name of this host.
    pub host: String,
}

/// Why the daemon cannot run.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The recorder cannot be opened.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A sink's settings cannot be used.
    #[error("sink {name}: {reason}")]
    Sink {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no source of that name.
    #[error("there is no source `{0}` to go without; there are {1}")]
    Without(String, String),
    /// The address for `/metrics` cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The runtime cannot be set up.
    #[error("cannot set up the event loop")]
    Runtime(#[source] std::io::Error),
}

/// Whether a daemon could be started with these settings, as far as they alone tell.
///
/// # Errors
/// [`DaemonError::Without`], [`DaemonError::Sink`].
pub fn check(settings: &Settings) -> Result<(), DaemonError> {
    let names: Vec<&str> = sources::ALL.iter().map(|s| s.name).collect();
    for name in &settings.without {
        if !names.contains(&name.as_str()) {
            return Err(DaemonError::Without(name.clone(), names.join(", ")));
        }
    }
    sinks::check(settings)
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// [`DaemonError`]: only what stands against starting. Later troubles are events.
pub fn run(start: Start) -> Result<(), DaemonError> {
    let settings = &start.settings;
    check(settings)?;
    let (recorder, damaged) = open(settings)?;
    let reader = Recorder::open_to_read(&settings.recorder.path)?;
    let desk = Desk::open(recorder)?;
    let context = Arc::new(Context::new(start, desk, reader));
    let sinks = sinks::prepare(&context)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    runtime.block_on(keep(&context, sinks, damaged))
}

/// The recorder. A database that is damaged is set aside: a watch that does not start tells
/// nobody of anything. What became of it is to be told.
fn open(settings: &Settings) -> Result<(Recorder, Option<String>), RecorderError> {
    let (path, limits) = (&settings.recorder.path, settings.recorder.limits());
    let error = match Recorder::open(path, limits) {
        Err(error) if error.is_damaged() => error,
        other => return other.map(|recorder| (recorder, None)),
    };
    let Some(aside) = recorder::set_aside(path, Timestamp::now())? else {
        return Err(error);
    };
    let message = format!(
        "a new database was begun: {} was damaged and is kept as {}",
        path.display(),
        aside.display()
    );
    eprintln!("nofail: {message}");
    Ok((Recorder::open(path, limits)?, Some(message)))
}

async fn keep(
    context: &Arc<Context>,
    sinks: Vec<sinks::Prepared>,
    damaged: Option<String>,
) -> Result<(), DaemonError> {
    // Before anything is started: whoever sends a signal at once shall find us listening.
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Runtime)?;
    if let Some(address) = context.settings.metrics.listen {
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.map_err(|source| DaemonError::Listen { address, source })?;
        tokio::spawn(metrics::serve(listener, context.clone()));
    }
    for sink in sinks {
        sinks::start(sink, context.clone());
    }
    begin(context);
    let recorder = match damaged {
        Some(message) => context.event("recorder", Kind::RecorderFailed, "recorder", message),
        None => {
            let message = "the database can be used";
            context.event("recorder", Kind::RecorderRecovered, "recorder", message)
        }
    };
    context.tell_once(recorder);
    let mut keeper = supervise::Keeper::start(context);
    let mut trim = trim::Trim::new();
    notify::tell("READY=1");
    let watchdog = notify::watchdog().map(|every| every / 3);
    let mut round = tokio::time::interval(watchdog.unwrap_or(ROUND).min(ROUND));
    loop {
        tokio::select! {
            _ = round.tick() => {
                keeper.look(context);
                trim.look();
                // Only while the recorder's thread lives: a daemon that remembers nothing is
                // better started anew.
                if context.desk.is_alive() {
                    notify::tell("WATCHDOG=1");
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    notify::tell("STOPPING=1");
    let event = context.event(
        "daemon",
        Kind::DaemonStopped,
        "nofail",
        "the watch ends: it was told to",
    );
    context.tell(event);
    context.desk.close(Duration::from_secs(5));
    Ok(())
}

/// Tells that the watch begins, and of a boot since it last ran.
fn begin(context: &Context) {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot_id = boot_id.trim();
    let before = context.state("daemon.boot");
    if before.as_deref().is_some_and(|known| known != boot_id) {
        let mut event = context.event(
            "daemon",
            Kind::HostBooted,
            &context.host,
            "the host was booted since the watch last ran",
        );
        if let Some(time) = boot_time() {
            event.time = time;
        }
        context.tell(event);
    }
    let event = context.event(
        "daemon",
        Kind::DaemonStarted,
        "nofail",
        concat!("nofail ", env!("CARGO_PKG_VERSION"), " watches"),
    );
    context.tell_with(vec![event], vec![("daemon.boot".into(), boot_id.into())]);
}

fn boot_time() -> Option<Timestamp> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Timestamp::from_second(line.trim().parse().ok()?).ok()
}

/// An event of this host at this moment.
impl Context {
    /// An event of this host, now.
    pub fn event(
        &self,
        source: &str,
        kind: Kind,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Event {
        Event::new(
            Timestamp::now(),
            self.host.clone(),
            source,
            kind,
            subject,
            message,
        )
    }
}
