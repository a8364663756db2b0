//! The sources: one file each, one list of them. A source is a function that runs as long as all
//! goes well, tells events, and says at least as often as it promises that it lives.

pub mod audit;
pub mod bmc;
mod child;
pub mod kernel_log;
pub mod libvirt;
pub mod links;
pub mod mounts;
pub mod space;
pub mod switches;
pub mod systemd;
pub mod vlans;
pub mod vrrp;

pub use crate::daemon::supervise::Pulse;

use crate::daemon::Context;
use crate::settings::Settings;
use change::error::chain;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

/// One source.
#[derive(Debug)]
pub struct Source {
    /// Its name in events and settings.
    pub name: &'static str,
    /// After how long without a sign of life it is missed.
    pub silent_after: fn(&Settings) -> Duration,
    /// Watches; returns only where it cannot go on.
    pub run: fn(&Context, &Pulse) -> Result<Infallible, SourceError>,
}

/// Why a source ended.
#[derive(Debug)]
pub enum SourceError {
    /// There is nothing on this host that it could watch.
    Absent(String),
    /// Something failed; it is tried again.
    Failed(String),
}

impl SourceError {
    /// A failure with its causes in one line.
    fn failed(what: &str, error: &dyn Error) -> Self {
        Self::Failed(format!("{what}: {}", chain(error)))
    }
}

/// Every source.
pub const ALL: &[Source] = &[
    audit::SOURCE,
    bmc::SOURCE,
    kernel_log::SOURCE,
    libvirt::SOURCE,
    links::SOURCE,
    mounts::SOURCE,
    space::SOURCE,
    switches::SOURCE,
    systemd::SOURCE,
    vlans::SOURCE,
    vrrp::SOURCE,
];

/// The longest that any source waits for something to happen before it says that it lives.
const IDLE: Duration = Duration::from_secs(60);

/// The usual patience: three waits.
fn usual(_: &Settings) -> Duration {
    IDLE * 3
}

/// Sleeps, however long, and says now and then that we live.
fn rest(pulse: &Pulse, time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        pulse.beat();
        let nap = left.min(IDLE);
        std::thread::sleep(nap);
        left -= nap;
    }
    pulse.beat();
}
