//! Change, read back, repair: over whatever gives ports, so that it is tested without a kernel.

use super::{PortState, delta};
use facts::bridge::{Entries, VlanEntry};
use model::vlan::Wanted;
use std::error::Error;
use std::fmt::Write as _;

/// How often a port that does not read back as asked is asked for again.
const ROUNDS: u32 = 3;

/// The ports of a host: the kernel's, or a test's.
pub trait Ports {
    /// Why something failed.
    type Error: Error;

    /// Whether asking again is of no use.
    fn is_final(_error: &Self::Error) -> bool {
        false
    }

    /// Every port with its VLANs.
    ///
    /// # Errors
    /// They could not be listed.
    fn read(&mut self) -> Result<Vec<PortState>, Self::Error>;

    /// Adds entries to a port, or changes their flags. What comes before a failing one stays.
    ///
    /// # Errors
    /// The request failed, perhaps after a part of it.
    fn set(&mut self, port: &PortState, entries: &[VlanEntry]) -> Result<(), Self::Error>;

    /// Removes VLANs from a port.
    ///
    /// # Errors
    /// As for [`Ports::set`].
    fn remove(&mut self, port: &PortState, ranges: &[(u16, u16)]) -> Result<(), Self::Error>;
}

/// A port and what it should carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Device name.
    pub port: String,
    /// Its VLANs.
    pub wanted: Wanted,
}

/// How it ended for one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was as it should be.
    AlreadySo,
    /// It was changed, and reads back as asked.
    Changed {
        /// How often it had to be asked for; 1 unless something interfered.
        rounds: u32,
    },
    /// It is not as it should be, and why.
    Failed(String),
    /// There is no such port on any bridge.
    NoSuchPort,
}

/// What became of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Device name.
    pub port: String,
    /// Its bridge; empty where there is no such port.
    pub bridge: String,
    /// VLANs before.
    pub before: Entries,
    /// VLANs read back at the end.
    pub after: Entries,
    /// How it ended.
    pub ending: Ending,
}

impl Outcome {
    /// Whether the port is as it should be.
    pub fn is_met(&self) -> bool {
        matches!(self.ending, Ending::AlreadySo | Ending::Changed { .. })
    }
}

/// Brings ports to what they should carry; one outcome for each target, in their order.
///
/// `states` is what [`Ports::read`] gave just before. It is read again after each round of changes;
/// a port that differs then is asked for again, a few times. A failing port does not keep the others
/// from their VLANs.
pub fn bring_about<P: Ports>(
    ports: &mut P,
    mut states: Vec<PortState>,
    targets: &[Target],
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = targets.iter().map(|t| first(&states, t)).collect();
    // Ports for which asking again is of no use.
    let mut hopeless = vec![false; targets.len()];
    for round in 1..=ROUNDS {
        let mut changed = false;
        let each = targets.iter().zip(&mut outcomes).zip(&mut hopeless);
        for ((target, outcome), hopeless) in each {
            let Some(state) = states.iter().find(|s| s.name == target.port) else {
                continue;
            };
            if outcome.is_met() || matches!(outcome.ending, Ending::NoSuchPort) || *hopeless {
                continue;
            }
            let have = &state.entries;
            changed = true;
            outcome.ending = match change(ports, state, have, &target.wanted) {
                Ok(()) => Ending::Changed { rounds: round },
                Err(error) => {
                    *hopeless = P::is_final(&error);
                    Ending::Failed(words(&error))
                }
            };
        }
        if !changed {
            break;
        }
        match ports.read() {
            Ok(read) => states = read,
            Err(error) => {
                let reason = format!("it could not be read back: {}", words(&error));
                for outcome in &mut outcomes {
                    if matches!(outcome.ending, Ending::Changed { .. }) {
                        outcome.ending = Ending::Failed(reason.clone());
                    }
                }
                return outcomes;
            }
        }
        for (target, outcome) in targets.iter().zip(&mut outcomes) {
            outcome.compare(&states, target, round);
        }
    }
    outcomes
}

/// Where a target stands before anything is done.
fn first(states: &[PortState], target: &Target) -> Outcome {
    let mut outcome = Outcome {
        port: target.port.clone(),
        bridge: String::new(),
        before: Entries::default(),
        after: Entries::default(),
        ending: Ending::NoSuchPort,
    };
    let Some(state) = states.iter().find(|s| s.name == target.port) else {
        return outcome;
    };
    outcome.bridge.clone_from(&state.bridge);
    let entries = &state.entries;
    outcome.before.clone_from(entries);
    outcome.after.clone_from(entries);
    outcome.ending = if delta(entries, &target.wanted).is_empty() {
        Ending::AlreadySo
    } else {
        Ending::Failed("not tried".to_owned())
    };
    outcome
}

fn change<P: Ports>(
    ports: &mut P,
    state: &PortState,
    have: &Entries,
    wanted: &Wanted,
) -> Result<(), P::Error> {
    let delta = delta(have, wanted);
    if !delta.add.is_empty() {
        ports.set(state, &delta.add)?;
    }
    if !delta.remove.is_empty() {
        ports.remove(state, &delta.remove)?;
    }
    Ok(())
}

impl Outcome {
    /// The port went away between two reads: its guest stopped.
    fn gone(&mut self) {
        if !matches!(self.ending, Ending::NoSuchPort) {
            self.after = Entries::default();
            self.ending = Ending::NoSuchPort;
        }
    }

    /// What was read back, against what was asked for.
    fn compare(&mut self, states: &[PortState], target: &Target, round: u32) {
        if matches!(self.ending, Ending::NoSuchPort) {
            return;
        }
        let Some(state) = states.iter().find(|s| s.name == target.port) else {
            self.gone();
            return;
        };
        let entries = &state.entries;
        self.after.clone_from(entries);
        let met = delta(entries, &target.wanted).is_empty();
        self.ending = match (&self.ending, met) {
            (Ending::AlreadySo, true) => Ending::AlreadySo,
            // Another one set it, or the part that failed was not needed.
            (_, true) => Ending::Changed { rounds: round },
            (Ending::Failed(reason), false) => Ending::Failed(reason.clone()),
            (_, false) => Ending::Failed(format!(
                "it reads back as {} after {round} tries",
                super::Shown(entries)
            )),
        };
    }
}

/// An error with its causes, in one line.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
