//! The loop: wait for a notification, read, decide, put right, report.

use super::Policy;
use super::decide::{Decision, Reconciler, Seen};
use super::notify::{Notifications, Wake};
use super::owners::{Owner, Owners};
use change::vlan::{Ending, Kernel, Outcome, PortState, Ports, VlanError, bring_about};
use facts::bridge::Entries;
use model::vlan::{PortOf, VlanMap, Wanted};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Without a notification a look is taken so often: nothing rests on notifications alone.
const LOOK: Duration = Duration::from_secs(30);
/// The kernel's answers must come within.
const DEADLINE: Duration = Duration::from_secs(5);
/// So often the caller is asked whether to go on.
const TICK: Duration = Duration::from_secs(1);

/// How to reconcile.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Report or repair.
    pub policy: Policy,
    /// This host, by the name that the kernel has.
    pub host: String,
}

/// The VLAN map in a file, read again when it changes.
#[derive(Debug)]
pub struct Site {
    path: PathBuf,
    modified: Option<SystemTime>,
    map: VlanMap,
}

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A port differs from its plan, and was left as it is.
    Differs {
        /// Device name.
        port: String,
        /// Its bridge.
        bridge: String,
        /// Its guest, where known.
        guest: Option<String>,
        /// What it has.
        have: Entries,
        /// What it should carry.
        wanted: Wanted,
    },
    /// A port was put right, or could not be ([`Outcome::is_met`]).
    Repaired {
        /// Its guest, where known.
        guest: Option<String>,
        /// Before and after.
        outcome: Outcome,
        /// What it should carry.
        wanted: Wanted,
    },
    /// A port was put right again and again, and is left alone for a while.
    Flapping {
        /// Device name.
        port: String,
        /// Its guest, where known.
        guest: Option<String>,
        /// How often it was put right within a minute.
        repairs: usize,
        /// What it has now.
        have: Entries,
        /// What it should carry.
        wanted: Wanted,
    },
    /// A guest's own XML holds VLANs that are none.
    Broken {
        /// Device name.
        port: String,
        /// Its guest.
        guest: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// The kernel's notifications overflowed; everything was read anew.
    Lost,
    /// The map could not be read (again); the one before counts.
    Map(String),
}

impl Site {
    /// Reads the map.
    ///
    /// # Errors
    /// The file cannot be read, or is no map, in words.
    pub fn open(path: PathBuf) -> Result<Self, String> {
        let mut site = Self {
            path,
            modified: None,
            map: VlanMap::default(),
        };
        site.read()?;
        Ok(site)
    }

    fn read(&mut self) -> Result<(), String> {
        let shown = self.path.display();
        let failed = |error: std::io::Error| format!("{shown}: {error}");
        let modified = std::fs::metadata(&self.path)
            .and_then(|meta| meta.modified())
            .map_err(failed)?;
        if self.modified == Some(modified) {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.path).map_err(failed)?;
        // Told once for each state of the file.
        self.modified = Some(modified);
        self.map = VlanMap::parse(&text).map_err(|error| format!("{shown}:{error}"))?;
        Ok(())
    }
}

/// Looks once: reports and, by policy, repairs. Guests that are not known are not waited for.
///
/// # Errors
/// The ports could not be read.
pub fn once(settings: &Settings, site: &Site) -> Result<Vec<Report>, VlanError> {
    let mut reconciler = Reconciler::new(settings.policy);
    let mut look = Look {
        settings,
        reconciler: &mut reconciler,
        owners: &mut Owners::default(),
        broken: &mut BTreeMap::new(),
    };
    look.take(site, Duration::ZERO, false)
}

/// Follows the kernel until `tell` says to stop. It is called with each report, and at least once a
/// second with `None`.
///
/// # Errors
/// The notifications cannot be had at all. What fails later is tried again at the next look.
pub fn follow(
    settings: &Settings,
    site: &mut Site,
    tell: &mut dyn FnMut(Option<Report>) -> ControlFlow<()>,
) -> std::io::Result<()> {
    // Before the first look: what changes after it is told.
    let notifications = Notifications::open()?;
    let began = Instant::now();
    let mut reconciler = Reconciler::new(settings.policy);
    let (mut owners, mut broken) = (Owners::default(), BTreeMap::new());
    let mut due = Duration::ZERO;
    loop {
        let now = began.elapsed();
        if now >= due {
            if let Err(reason) = site.read()
                && tell(Some(Report::Map(reason))).is_break()
            {
                return Ok(());
            }
            let mut look = Look {
                settings,
                reconciler: &mut reconciler,
                owners: &mut owners,
                broken: &mut broken,
            };
            // A failure (no time, no memory) is met by the next look.
            let (reports, wait) = match look.take(site, now, true) {
                Ok(reports) => (reports, LOOK),
                Err(_) => (Vec::new(), TICK),
            };
            for report in reports {
                if tell(Some(report)).is_break() {
                    return Ok(());
                }
            }
            let next = reconciler.next(now).unwrap_or(now + wait);
            due = next.min(now + wait);
        }
        if tell(None).is_break() {
            return Ok(());
        }
        let limit = due.saturating_sub(began.elapsed()).min(TICK);
        match notifications.wait(limit)? {
            Wake::Changed => due = Duration::ZERO,
            Wake::Lost => {
                due = Duration::ZERO;
                if tell(Some(Report::Lost)).is_break() {
                    return Ok(());
                }
            }
            Wake::Nothing => {}
        }
    }
}

struct Look<'a> {
    settings: &'a Settings,
    reconciler: &'a mut Reconciler,
    owners: &'a mut Owners,
    /// What was said of broken metadata, by port.
    broken: &'a mut BTreeMap<String, String>,
}

impl Look<'_> {
    fn take(&mut self, site: &Site, now: Duration, wait: bool) -> Result<Vec<Report>, VlanError> {
        let mut kernel = Kernel::until(Instant::now() + DEADLINE);
        let states = kernel.read()?;
        let names: Vec<&str> = states
            .iter()
            .filter(|s| is_tap(&s.name))
            .map(|s| s.name.as_str())
            .collect();
        let owners = self.owners.read(&names);
        let mut reports = Vec::new();
        let seen: Vec<Seen> = states
            .iter()
            .filter(|state| !state.is_own())
            .filter_map(|state| self.see(site, state, owners.get(&state.name), &mut reports))
            .collect();
        let decided = self.reconciler.decide(now, &seen, wait);
        let mut repairs = Vec::new();
        for (seen, decision) in decided {
            let Some(wanted) = seen.wanted else { continue };
            let (port, have) = (seen.state.name, seen.state.entries);
            match decision {
                Decision::Repair(target) => repairs.push((target, seen.guest)),
                Decision::Report => reports.push(Report::Differs {
                    port,
                    bridge: seen.state.bridge,
                    guest: seen.guest,
                    have,
                    wanted,
                }),
                Decision::Flapping { repairs } => reports.push(Report::Flapping {
                    port,
                    guest: seen.guest,
                    repairs,
                    have,
                    wanted,
                }),
            }
        }
        let (targets, guests): (Vec<_>, Vec<_>) = repairs.into_iter().unzip();
        if !targets.is_empty() {
            let outcomes = bring_about(&mut kernel, states, &targets);
            for ((outcome, target), guest) in outcomes.into_iter().zip(targets).zip(guests) {
                // The port went away, or the hook was quicker.
                if matches!(outcome.ending, Ending::NoSuchPort | Ending::AlreadySo) {
                    continue;
                }
                reports.push(Report::Repaired {
                    guest,
                    outcome,
                    wanted: target.wanted,
                });
            }
        }
        Ok(reports)
    }

    /// A port that is ours to look after: a guest's, by libvirt's files or by its name.
    fn see(
        &mut self,
        site: &Site,
        state: &PortState,
        owner: Option<&Owner>,
        reports: &mut Vec<Report>,
    ) -> Option<Seen> {
        if owner.is_none() && !is_tap(&state.name) {
            return None;
        }
        let guest = owner.map(|owner| owner.guest.name.clone());
        let wanted = site.map.wanted(&PortOf {
            host: &self.settings.host,
            bridge: &state.bridge,
            guest: guest.as_deref(),
            interface: owner.and_then(Owner::interface),
            metadata: owner.and_then(|owner| owner.guest.metadata_vlans.as_deref()),
        });
        let wanted = match wanted {
            Ok(wanted) => {
                self.broken.remove(&state.name);
                wanted
            }
            Err(reason) => {
                let before = self.broken.insert(state.name.clone(), reason.clone());
                if before.as_ref() != Some(&reason) {
                    reports.push(Report::Broken {
                        port: state.name.clone(),
                        guest: guest.clone(),
                        reason,
                    });
                }
                None
            }
        };
        Some(Seen {
            state: state.clone(),
            guest,
            wanted,
        })
    }
}

/// The names that libvirt gives to taps; nobody else may use them.
fn is_tap(name: &str) -> bool {
    name.strip_prefix("vnet")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}
