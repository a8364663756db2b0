//! What ails one guest, and the least harmful thing to do next. Pure: a judgement over what was
//! measured ([`facts::vitals`]) and read.
//!
//! [`examine`] turns measurements into checks, [`steps`] turns what is wrong into steps, least harmful
//! first, and into a list of what not to do.

pub mod examine;
pub mod steps;
#[cfg(test)]
mod tests;

use facts::bridge::Bridge;
use facts::domain::Guest;
use facts::mount::Mount;
use facts::vitals::Vitals;

pub use examine::examine;

/// What is judged.
#[derive(Debug)]
pub struct Case<'a> {
    /// The host.
    pub host: &'a str,
    /// The guest.
    pub guest: &'a Guest,
    /// What was measured.
    pub vitals: &'a Vitals,
    /// The host's mounts, with the health of those from a network.
    pub mounts: &'a [Mount],
    /// The host's bridges.
    pub bridges: &'a [Bridge],
    /// The VLANs that its ports should have: PVID, tagged; `None` where nobody planned any.
    pub plan: Option<(u16, Vec<u16>)>,
    /// Other guests that run on the host: they would die with it.
    pub others: &'a [String],
    /// Components that would be lost with the host, by their full names.
    pub lost_with_host: &'a [String],
    /// Other members of its HA group that run.
    pub twins: &'a [String],
    /// Recent events of the guest, the newest first: time and message.
    pub events: &'a [(String, String)],
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// As it should be.
    Good,
    /// Could not be looked at.
    NotChecked,
    /// Odd; may be harmless.
    Odd,
    /// Wrong.
    Bad,
}

impl Finding {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NotChecked => "not-checked",
            Self::Odd => "odd",
            Self::Bad => "bad",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `state`, `process`, `storage`, …
    pub name: &'static str,
    /// What was found.
    pub finding: Finding,
    /// In words.
    pub text: String,
}

/// How much harm a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Looks, changes nothing.
    None,
    /// Mends without the guest noticing.
    Gentle,
    /// The guest restarts in good order.
    Restart,
    /// The guest's power is cut: what it had not written is lost.
    PowerCut,
}

impl Harm {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gentle => "gentle",
            Self::Restart => "restart",
            Self::PowerCut => "power-cut",
        }
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The command, to be typed by a person.
    pub command: String,
    /// Why, and what it tells or does.
    pub why: String,
    /// What it costs.
    pub harm: Harm,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One sentence.
    pub summary: String,
    /// What ails it.
    pub ailment: Ailment,
    /// Every check.
    pub checks: Vec<Check>,
    /// What to do, the least harmful first.
    pub steps: Vec<Step>,
    /// What not to do, and why.
    pub not: Vec<(String, String)>,
}

/// What ails a guest, the most telling one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// It does not run.
    Off,
    /// QEMU's process is stopped (SIGSTOP).
    Stopped,
    /// QEMU waits for storage that does not answer.
    StorageHangs,
    /// Paused after a disk error.
    IoError,
    /// Paused by somebody or something else.
    Paused,
    /// libvirt's daemon does not answer.
    LibvirtHangs,
    /// QEMU's monitor does not answer.
    MonitorHangs,
    /// Its port carries nothing, or not its VLANs.
    Network,
    /// The host itself stalls.
    HostStalls,
    /// Its processors never rest.
    Spins,
    /// Alive, and nobody answers inside.
    Silent,
    /// Its agent answers: look inside.
    Inside,
}

impl Ailment {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Stopped => "qemu-stopped",
            Self::StorageHangs => "storage-hangs",
            Self::IoError => "io-error",
            Self::Paused => "paused",
            Self::LibvirtHangs => "libvirt-hangs",
            Self::MonitorHangs => "monitor-hangs",
            Self::Network => "network",
            Self::HostStalls => "host-stalls",
            Self::Spins => "spins",
            Self::Silent => "silent",
            Self::Inside => "look-inside",
        }
    }
}
