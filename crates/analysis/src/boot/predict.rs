//! The prediction itself: outcome, delay, every mount, every guest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use facts::{Snapshot, Source};

use super::attempt::{self, DEFAULT_SECONDS, World};
use super::build::{self, ANCHOR, DAEMONS, Member};
use super::conditions::{Conditions, NetworkService};
use super::fstype;
use super::graph::{End, Graph};
use super::guests;
use super::order::{self, Circles, Cycle, Way};
use super::plan::{Host, Kind, LOCAL_FS, PulledIn, Requirement, UnitPlan, plan};
use super::ways;

/// How a boot ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No unit failed. As with systemd's own word (`systemctl is-system-running`) a device that a
    /// `nofail` line waits for in vain, or a job dropped from a circle, is no failed unit:
    /// see [`Boot::incomplete`].
    Normal,
    /// The host comes up, and some unit failed.
    Degraded,
    /// The host stops in emergency mode and waits for a person at its console.
    Emergency,
}

impl Outcome {
    /// `normal`, `degraded`, `emergency`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Emergency => "emergency",
        }
    }
}

/// What became of one mount or swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountResult {
    /// It is there.
    Mounted,
    /// It should be there and is not.
    Failed,
    /// The boot does not try.
    Skipped,
}

impl MountResult {
    /// `mounted`, `failed`, `skipped`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mounted => "mounted",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One mount or swap.
#[derive(Clone, Debug, PartialEq)]
pub struct Mounted {
    /// Line in fstab, 0 for a native unit.
    pub line: u32,
    /// Mount point as fstab has it; `none` or `swap` for swap.
    pub target: String,
    /// Source as fstab has it.
    pub source: String,
    /// Type as fstab has it.
    pub fstype: String,
    /// The `.mount` or `.swap`; `None` where the line yields none.
    pub unit: Option<String>,
    /// What systemd's generator links; empty where nothing pulls it in.
    pub pulled_in_by: Vec<PulledIn>,
    /// What became of it.
    pub result: MountResult,
    /// Why, in a person's words.
    pub reason: String,
    /// What had to be assumed for it.
    pub assumed: Option<String>,
    /// Seconds after which its attempt ended; `None` where it was not tried or never ends.
    pub seconds: Option<u64>,
    /// Mount point as systemd has it, links followed.
    pub mount_point: String,
}

/// What becomes of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestResult {
    /// libvirt starts it.
    Starts,
    /// libvirt tries and fails, or is not there to try.
    DoesNotStart,
    /// Nobody tries.
    NotAutostarted,
}

impl GuestResult {
    /// `starts`, `does-not-start`, `not-autostarted`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::DoesNotStart => "does-not-start",
            Self::NotAutostarted => "not-autostarted",
        }
    }
}

/// One guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestStart {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub result: GuestResult,
    /// Why.
    pub reason: String,
}

/// What the boot waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The unit that is slow.
    pub unit: String,
    /// Seconds; `None` for no end.
    pub seconds: Option<u64>,
    /// Why.
    pub reason: String,
    /// Whether the boot waits for it, or goes on meanwhile.
    pub blocks: bool,
}

/// The next boot of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    /// How it ends.
    pub outcome: Outcome,
    /// Why it ends so, most important first; empty where it is normal.
    pub causes: Vec<String>,
    /// What mounts add to the way to a login or, in emergency mode, to its prompt. Where something
    /// waits without end: `u64::MAX`.
    pub delay_seconds: u64,
    /// What is slow.
    pub delays: Vec<Delay>,
    /// Every mount, in the order of fstab, native ones after them.
    pub mounts: Vec<Mounted>,
    /// Every swap.
    pub swaps: Vec<Mounted>,
    /// Every guest.
    pub guests: Vec<GuestStart>,
    /// Services that nobody gives after this boot.
    pub lost: Vec<String>,
    /// Circles in the order of the units.
    pub cycles: Vec<Cycle>,
    /// What else may become of this boot: which job systemd takes out of a circle is chance, and this
    /// prediction is what comes of it most often. The more frequent first.
    pub otherwise: Vec<Otherwise>,
    /// What was taken for granted, since it was not read.
    pub assumed: Vec<String>,
}

/// Another end of a boot with a circle in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Otherwise {
    /// How it ends then.
    pub outcome: Outcome,
    /// As [`Boot::delay_seconds`].
    pub delay_seconds: u64,
    /// Jobs whose loss leads to it, in the most frequent case.
    pub dropped: Vec<String>,
    /// Mounts and swaps that fare otherwise: their unit and what becomes of it.
    pub mounts: Vec<(String, MountResult)>,
    /// Its part of all orders that were tried, 0 to 1. systemd's own tables hold more units: a hint and
    /// no measurement.
    pub share: f64,
}

impl Boot {
    /// Whether a mount or swap that the boot tries is not there at its end.
    pub fn incomplete(&self) -> bool {
        self.mounts
            .iter()
            .chain(&self.swaps)
            .any(|m| m.result == MountResult::Failed)
    }
}

/// Foretells the next boot of the host that `snapshot` was taken from.
pub fn predict(snapshot: &Snapshot, conditions: &Conditions) -> Boot {
    let world = World {
        snapshot,
        conditions,
    };
    let daemon = daemon(snapshot);
    let (mut boot, run) = mounts_of(&world, daemon);
    boot.guests = guests::starts(&boot, snapshot, &world, daemon, &run.daemon_end(daemon));
    boot.lost = lost(&boot.guests, conditions);
    boot
}

/// The circles in the order of the mounts alone, for who has the plan of fstab already.
pub fn cycles(snapshot: &Snapshot, plans: &[UnitPlan]) -> Vec<Cycle> {
    let circles = Transaction::planned(snapshot, plans.to_vec()).circles;
    circles.told(circles.ways.first())
}

/// The transaction of the next boot, for who compares it with systemd's own.
#[derive(Clone, Debug)]
pub struct Transaction {
    graph: Graph,
    circles: Circles,
}

impl Transaction {
    /// The one of the host that `snapshot` was taken from.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::planned(snapshot, plan(&snapshot.fstab, &Host::of(snapshot)))
    }

    fn planned(snapshot: &Snapshot, plans: Vec<UnitPlan>) -> Self {
        let conditions = Conditions::default();
        let world = World {
            snapshot,
            conditions: &conditions,
        };
        let members = build::members(plans, sources(snapshot), &world);
        let network = NetworkService::of(snapshot);
        let graph = build::graph(&members, &world, network, daemon(snapshot));
        let circles = order::circles(&graph, ANCHOR);
        Self { graph, circles }
    }

    /// Units with a start job, before circles are broken.
    pub fn jobs(&self) -> &BTreeSet<String> {
        &self.graph.jobs
    }

    /// The jobs that mostly are left out to break circles; `None` where there is no circle.
    pub fn mostly_left_out(&self) -> Option<BTreeSet<String>> {
        let way = self.circles.ways.first()?;
        let jobs = way.dropped.iter().flat_map(|(_, jobs)| jobs);
        Some(jobs.cloned().collect())
    }

    /// All jobs that go where systemd picks `victims`, in this order, to break circles. Units that are not
    /// modelled are passed over.
    ///
    /// # Errors
    /// What speaks against it, where systemd could not do that.
    pub fn left_out(&self, victims: &[String]) -> Result<BTreeSet<String>, String> {
        order::left_out(&self.graph, ANCHOR, victims)
    }
}

/// First fields of fstab, one per plan.
fn sources(snapshot: &Snapshot) -> Vec<String> {
    let entries = snapshot.fstab.iter();
    entries.map(|entry| entry.source.clone()).collect()
}

fn mounts_of(world: &World<'_>, daemon: Option<&'static str>) -> (Boot, Run) {
    let World {
        snapshot,
        conditions,
    } = *world;
    let host = Host::of(snapshot);
    let network = conditions
        .network
        .unwrap_or_else(|| NetworkService::of(snapshot));
    let members = build::members(plan(&snapshot.fstab, &host), sources(snapshot), world);
    let graph = build::graph(&members, world, network, daemon);
    let circles = order::circles(&graph, ANCHOR);
    if circles.ways.is_empty() {
        let run = Run::of(graph, None, members.into(), network);
        return (run.boot(&circles, None, world), run);
    }
    let members: Arc<[Member]> = members.into();
    ways::most_frequent(&circles, world, |way| {
        Run::of(graph.clone(), Some(way), members.clone(), network)
    })
}

/// The daemon that starts guests on this host; `None` where it is known that there is none.
fn daemon(snapshot: &Snapshot) -> Option<&'static str> {
    if snapshot.daemons.mode.as_deref() == Some("none") && snapshot.guests.is_empty() {
        return None;
    }
    let modular = snapshot.daemons.mode.as_deref() == Some("modular")
        || snapshot
            .daemons
            .enabled
            .iter()
            .any(|unit| unit.starts_with("virtqemud"));
    Some(DAEMONS[usize::from(modular)])
}

/// Services whose every giver here stays down and that nobody gives elsewhere.
fn lost(guests: &[GuestStart], conditions: &Conditions) -> Vec<String> {
    conditions
        .services
        .iter()
        .filter(|service| {
            !service.elsewhere
                && !service.guests.iter().any(|name| {
                    guests
                        .iter()
                        .any(|guest| guest.name == *name && guest.result == GuestResult::Starts)
                })
        })
        .map(|service| service.name.clone())
        .collect()
}

pub(super) struct Run {
    ends: BTreeMap<String, End>,
    graph: Graph,
    /// The same for every way in which a circle may be broken.
    members: Arc<[Member]>,
    network: NetworkService,
    emergency: Option<End>,
    /// Jobs that were taken out of circles.
    dropped: BTreeSet<String>,
}

/// Whether a mount needs a network: one that only says `_netdev` does not.
fn far(plan: &UnitPlan) -> bool {
    fstype::is_network(&plan.fstype) || plan.what.contains("/by-path/ip-")
}

impl Run {
    /// The boot with the circles broken in one way.
    pub(super) fn of(
        mut graph: Graph,
        way: Option<&Way>,
        members: Arc<[Member]>,
        network: NetworkService,
    ) -> Self {
        let dropped: BTreeSet<String> = way
            .into_iter()
            .flat_map(|way| &way.dropped)
            .flat_map(|(_, jobs)| jobs.iter().cloned())
            .collect();
        graph.jobs.retain(|job| !dropped.contains(job));
        if dropped.contains(network.unit()) {
            let needy = members.iter().filter(|member| far(&member.plan));
            for unit in needy.filter_map(|member| member.plan.unit.as_deref()) {
                graph.unit(unit).attempt = Some(attempt::Attempt::fails(
                    0.0,
                    format!(
                        "there is no network: systemd left {} out to break an ordering cycle",
                        network.unit()
                    ),
                ));
            }
        }
        let ends = graph.run();
        let emergency = ends.get(LOCAL_FS).filter(|end| !end.ok).cloned();
        Self {
            ends,
            graph,
            members,
            network,
            emergency,
            dropped,
        }
    }

    /// What it comes to.
    pub(super) fn boot(&self, circles: &Circles, way: Option<&Way>, world: &World<'_>) -> Boot {
        let mut boot = self.report(world.snapshot, world);
        if let Some(unit) = self.endless() {
            boot.outcome = Outcome::Emergency;
            boot.causes
                .insert(0, format!("the boot waits for {unit} without end"));
        }
        if let Some(end) = self.ends.get(ANCHOR).filter(|end| !end.ok)
            && boot.outcome != Outcome::Emergency
        {
            // Without an emergency mode and without a failed unit: the worst to be told apart from afar.
            boot.causes.push(format!(
                "{ANCHOR} is not reached: {} fails, and basic.target requires it",
                end.blame.as_deref().unwrap_or("a unit")
            ));
        }
        boot.cycles = circles.told(way);
        boot
    }

    /// A unit that the boot waits for and that never ends.
    fn endless(&self) -> Option<String> {
        let end = self.ends.get("multi-user.target")?;
        if end.at.is_finite() || self.emergency.as_ref().is_some_and(|e| e.at.is_finite()) {
            return None;
        }
        self.ends
            .iter()
            .find(|(name, end)| end.at.is_infinite() && end.blame.as_ref() == Some(name))
            .map(|(name, _)| name.clone())
    }

    /// Whether a mount or swap failed by itself. Where its device never came, or where it needs
    /// another that failed, only its job fails (`Dependency failed for …`), and not the unit.
    fn any_unit_failed(&self) -> bool {
        self.members.iter().any(|member| {
            let units = [member.plan.unit.as_ref(), member.plan.fsck.as_ref()];
            units.into_iter().flatten().any(|unit| {
                let end = self.ends.get(unit);
                end.is_some_and(|end| {
                    !end.ok && end.at.is_finite() && end.blame.as_ref() == Some(unit)
                })
            })
        })
    }

    fn daemon_end(&self, daemon: Option<&str>) -> Option<End> {
        daemon.and_then(|name| self.ends.get(name).cloned())
    }

    fn report(&self, snapshot: &Snapshot, world: &World<'_>) -> Boot {
        let mut mounts = Vec::new();
        let mut swaps = Vec::new();
        let mut assumed = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let entry = snapshot.fstab.get(at);
            let (result, reason, seconds) = self.result(member);
            let mounted = Mounted {
                line: member.plan.line,
                target: entry.map_or_else(|| member.plan.mount_point.clone(), |e| e.target.clone()),
                source: member.source.clone(),
                fstype: entry.map_or_else(|| member.plan.fstype.clone(), |e| e.fstype.clone()),
                unit: member.plan.unit.clone(),
                pulled_in_by: member.plan.pulled_in_by.clone(),
                result,
                reason,
                assumed: self.assumed(member, world),
                seconds,
                mount_point: member.plan.mount_point.clone(),
            };
            assumed.extend(mounted.assumed.clone());
            match member.plan.kind {
                Kind::Mount => mounts.push(mounted),
                Kind::Swap => swaps.push(mounted),
            }
        }
        if snapshot.why_unread(Source::Fstab).is_some() {
            assumed.push("fstab was not read: nothing is known of its mounts".to_owned());
        }
        if let Some(why) = snapshot.why_unread(Source::BlockDevices) {
            // One line for all of them; each mount keeps its own.
            let (devices, others): (Vec<String>, Vec<String>) = assumed
                .into_iter()
                .partition(|text| text.contains("of the stated type: block devices"));
            assumed = others;
            let names: Vec<&str> = mounts
                .iter()
                .chain(&swaps)
                .filter(|m| {
                    m.assumed
                        .as_ref()
                        .is_some_and(|text| devices.contains(text))
                })
                .map(|m| m.source.as_str())
                .collect();
            if !names.is_empty() {
                assumed.push(format!(
                    "block devices were not read ({why}): taken to be there and of the stated type: {}",
                    names.join(", ")
                ));
            }
        }
        assumed.sort();
        assumed.dedup();
        let outcome = if self.emergency.is_some() {
            Outcome::Emergency
        } else if self.any_unit_failed() {
            Outcome::Degraded
        } else {
            Outcome::Normal
        };
        let end = match &self.emergency {
            Some(end) => end.at,
            None => self.ends.get("multi-user.target").map_or(0.0, |end| end.at),
        };
        Boot {
            outcome,
            causes: self.causes(&mounts, &swaps),
            delay_seconds: if end.is_finite() {
                end.round() as u64
            } else {
                u64::MAX
            },
            delays: self.delays(),
            mounts,
            swaps,
            guests: Vec::new(),
            lost: Vec::new(),
            cycles: Vec::new(),
            otherwise: Vec::new(),
            assumed,
        }
    }

    fn assumed(&self, member: &Member, world: &World<'_>) -> Option<String> {
        self.graph
            .jobs
            .contains(member.plan.unit.as_ref()?)
            .then_some(())?;
        let device = member
            .plan
            .device
            .as_ref()
            .filter(|_| member.plan.mount_point != "/")
            .and_then(|_| attempt::find_device(&member.plan, &member.source, world).assumed);
        device.or_else(|| attempt::mount(&member.plan, &member.source, world).assumed)
    }

    /// What became of one member, why, and after how long.
    fn result(&self, member: &Member) -> (MountResult, String, Option<u64>) {
        let plan = &member.plan;
        let skipped = |reason: String| (MountResult::Skipped, reason, None);
        if let Some(why) = &plan.no_unit {
            return skipped(why.text());
        }
        let Some(unit) = plan.unit.as_deref() else {
            return skipped("the line yields no unit".into());
        };
        if member.masked {
            return skipped(format!("{unit} is masked"));
        }
        let gone = |name: &String| self.dropped.contains(name);
        if self.dropped.contains(unit) || plan.automount.as_ref().is_some_and(gone) {
            return (
                MountResult::Failed,
                "systemd leaves its job out to break an ordering cycle".into(),
                None,
            );
        }
        let Some(end) = self.ends.get(unit) else {
            return skipped(if plan.automount.is_some() {
                "automount: mounted at the first access".into()
            } else if plan.noauto {
                "noauto: the boot does not mount it".into()
            } else {
                "nothing pulls it in at boot".into()
            });
        };
        let seconds = end.at.is_finite().then(|| end.at.round() as u64);
        let attempt = |name: &str| {
            self.graph
                .units
                .get(name)
                .and_then(|u| u.attempt.as_ref())
                .map(|a| a.reason.clone())
                .unwrap_or_default()
        };
        if end.ok {
            // network-online.target is reached all the same, and what only says `_netdev` is mounted.
            let late = self.emergency.is_some()
                && far(plan)
                && self.network == NetworkService::NetworkManager;
            if late {
                return (
                    MountResult::Failed,
                    "in emergency mode the network is not started".into(),
                    seconds,
                );
            }
            return (MountResult::Mounted, attempt(unit), seconds);
        }
        let reason = match end.blame.as_deref() {
            Some(blame) if blame == unit => attempt(unit),
            Some(blame) if plan.device.as_deref() == Some(blame) => {
                let limit = match plan.device_timeout {
                    None => format!("systemd waits {DEFAULT_SECONDS} s for it"),
                    Some(limit) => limit.seconds().map_or_else(
                        || "systemd waits for it without end".to_owned(),
                        |s| format!("systemd waits {s} s for it"),
                    ),
                };
                format!("{}; {limit}", attempt(blame))
            }
            Some(blame) if plan.fsck.as_deref() == Some(blame) => attempt(blame),
            Some(blame) => format!("it needs {blame}, which fails"),
            None => "its dependencies fail".into(),
        };
        (MountResult::Failed, reason, seconds)
    }

    /// Why the outcome is what it is.
    fn causes(&self, mounts: &[Mounted], swaps: &[Mounted]) -> Vec<String> {
        let mut causes = Vec::new();
        let line = |mounted: &Mounted| {
            if mounted.line == 0 {
                format!("{} at {}", mounted.source, mounted.target)
            } else {
                format!(
                    "{} at {} (fstab line {})",
                    mounted.source, mounted.target, mounted.line
                )
            }
        };
        let required = |mounted: &Mounted, by: &str| {
            mounted
                .pulled_in_by
                .iter()
                .any(|link| link.target == by && link.requirement == Requirement::Requires)
        };
        let failed = || mounts.iter().filter(|m| m.result == MountResult::Failed);
        if self.emergency.is_some() {
            // What was dragged in by another mount stands behind that which failed by itself.
            let mut guilty: Vec<&Mounted> = failed().filter(|m| required(m, LOCAL_FS)).collect();
            guilty.sort_by_key(|m| m.reason.starts_with("it needs "));
            for mounted in guilty {
                causes.push(format!(
                    "{}: {}; local-fs.target requires it",
                    line(mounted),
                    mounted.reason
                ));
            }
            return causes;
        }
        // Mounts that fail for one and the same reason make one cause.
        let mut reasons: Vec<(&str, Vec<&Mounted>)> = Vec::new();
        for mounted in failed().chain(swaps.iter().filter(|m| m.result == MountResult::Failed)) {
            match reasons
                .iter_mut()
                .find(|(reason, _)| *reason == mounted.reason)
            {
                Some((_, all)) => all.push(mounted),
                None => reasons.push((&mounted.reason, vec![mounted])),
            }
        }
        for (reason, all) in reasons {
            let names = match all.as_slice() {
                [one] => line(one),
                _ => all
                    .iter()
                    .map(|m| format!("{} (fstab line {})", m.target, m.line))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            causes.push(format!("{names}: {reason}"));
        }
        causes
    }

    /// Units whose own attempt takes time.
    fn delays(&self) -> Vec<Delay> {
        let goal = match &self.emergency {
            Some(end) => end.at,
            None => self.ends.get("multi-user.target").map_or(0.0, |end| end.at),
        };
        let mut delays: Vec<Delay> = self
            .graph
            .units
            .iter()
            .filter(|(name, _)| self.graph.jobs.contains(*name))
            .filter_map(|(name, unit)| {
                let attempt = unit.attempt.as_ref().filter(|a| a.seconds > 0.0)?;
                let end = self.ends.get(name)?;
                // Failed through another unit: its own attempt never began.
                (end.blame.as_ref() == Some(name)).then(|| Delay {
                    unit: name.clone(),
                    seconds: attempt
                        .seconds
                        .is_finite()
                        .then(|| attempt.seconds.round() as u64),
                    reason: attempt.reason.clone(),
                    blocks: self.blocks(name) && end.at <= goal,
                })
            })
            .collect();
        delays.sort_by_key(|delay| (!delay.blocks, std::cmp::Reverse(delay.seconds)));
        delays
    }

    /// Whether the way to the end of the boot leads through this unit.
    fn blocks(&self, name: &str) -> bool {
        let goal = if self.emergency.is_some() {
            LOCAL_FS
        } else {
            "multi-user.target"
        };
        let mut open = vec![goal];
        let mut seen = BTreeSet::new();
        while let Some(unit) = open.pop() {
            if unit == name {
                return true;
            }
            if !seen.insert(unit) || !self.graph.jobs.contains(unit) {
                continue;
            }
            if let Some(unit) = self.graph.units.get(unit) {
                open.extend(unit.after.iter().map(String::as_str));
            }
        }
        false
    }
}
