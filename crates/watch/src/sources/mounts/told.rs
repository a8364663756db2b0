//! What is told of the looks at mounts, one by one as they come.

use super::guests::Disks;
use super::judge::{self, Memory, Seen};
use super::probing::Probing;
use super::remount;
use super::table::Table;
use crate::daemon::Context;
use crate::event::Kind;
use facts::fstab::Entry;
use facts::mount::HealthState;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The name under which memories are kept.
const MEMORY: &str = "mounts.memory";
/// The name under which the number of mounts that are not checked is kept.
const SKIPPED: &str = "mounts.skipped";
/// Memories are written down at most so often: there may be a thousand in one.
const KEEP: Duration = Duration::from_secs(2);

/// What was told, and what is remembered of each mount.
pub(super) struct Told<'a> {
    context: &'a Context,
    memory: BTreeMap<String, Memory>,
    /// Memories changed since they were kept.
    dirty: bool,
    kept: Option<Instant>,
    disks: Disks,
    /// Mounts whose last look gave nothing.
    unknown: BTreeSet<String>,
    /// Read-only, though fstab has them writable: the kernel or a person made them so.
    read_only: BTreeSet<String>,
}

impl<'a> Told<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let memory = context
            .state(MEMORY)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        Self {
            context,
            memory,
            dirty: false,
            kept: None,
            disks: Disks::default(),
            unknown: BTreeSet::new(),
            read_only: BTreeSet::new(),
        }
    }

    /// Which mounts are read-only against fstab.
    pub(super) fn read_only(&mut self, mounts: BTreeSet<String>) {
        self.read_only = mounts;
    }

    /// Once per interval: what no probe tells.
    pub(super) fn round(&mut self, table: &Table, missing: &[Entry], probing: &Probing) {
        let watched = table.values().filter(|m| m.is_network()).count();
        let gauges = &self.context.gauges;
        gauges.set("nofail_probes_hanging", &[], probing.hanging().into());
        #[expect(clippy::cast_precision_loss, reason = "a number of mounts")]
        gauges.set("nofail_mounts", &[], (watched + missing.len()) as f64);
        if watched + missing.len() > 0 {
            self.disks.refresh();
        }
        for entry in missing {
            let source = entry.source.clone();
            self.judge(&entry.mount_point(), &Seen::Unmounted { source });
        }
        let known = |target: &str| {
            table
                .get(target)
                .is_some_and(facts::mount::Mount::is_network)
                || missing.iter().any(|e| e.mount_point() == target)
        };
        self.unknown.retain(|target| known(target));
        // A mount that is neither in the table nor in fstab any more has no health to be ill of.
        let gone: Vec<String> = self.memory.keys().filter(|t| !known(t)).cloned().collect();
        for target in gone {
            self.memory.remove(&target);
            self.dirty = true;
            for metric in ["nofail_mount_healthy", "nofail_mount_probe_seconds"] {
                self.context.gauges.remove(metric, &[("target", &target)]);
            }
            let message = "is neither mounted nor in fstab any more";
            let event = self
                .context
                .event("mounts", Kind::MountHealthy, &target, message);
            self.context.tell_once(event);
        }
        self.skipped(probing);
        self.kept = None;
        self.keep();
    }

    /// A probe has looked at a mount.
    pub(super) fn seen(&mut self, table: &Table, target: &str, seen: &Seen) {
        // Unmounted meanwhile: the probe saw the bare directory.
        if table
            .get(target)
            .is_some_and(facts::mount::Mount::is_network)
        {
            let seen = if self.read_only.contains(target) {
                &as_read_only(seen)
            } else {
                seen
            };
            self.judge(target, seen);
            self.keep();
        }
    }

    fn judge(&mut self, target: &str, seen: &Seen) {
        let context = self.context;
        let used = self.disks.below(target);
        let mine = self.memory.entry(target.to_owned()).or_default();
        let before = mine.clone();
        let limit = context.settings.mounts.slow_milliseconds;
        let verdict = judge::judge(mine, seen, limit, !used.is_empty());
        let labels = [("target", target)];
        if let Some(milliseconds) = seen.milliseconds() {
            let seconds = Duration::from_millis(milliseconds).as_secs_f64();
            let gauges = &context.gauges;
            gauges.set("nofail_mount_probe_seconds", &labels, seconds);
        }
        let Some(healthy) = verdict.healthy else {
            context.gauges.remove("nofail_mount_healthy", &labels);
            self.unknown.insert(target.to_owned());
            self.dirty |= before != *mine;
            return;
        };
        self.unknown.remove(target);
        let value = u8::from(healthy).into();
        context.gauges.set("nofail_mount_healthy", &labels, value);
        for (kind, message) in verdict.tell {
            let mut event = context
                .event("mounts", kind, target, message)
                .evidence(seen.evidence());
            if !used.is_empty() && !healthy {
                event.message += &format!("; disks of {} lie there", used.join(", "));
            }
            event.after = Some(kind.name().trim_start_matches("mount.").to_owned());
            context.tell_once(event);
        }
        if !healthy {
            remount::consider(context, target, seen, &used, mine);
        }
        self.dirty |= before != *mine;
    }

    /// One event for all that could not be looked at: there may be a thousand, and their number
    /// changes with each look.
    fn skipped(&self, probing: &Probing) {
        let mut all: BTreeSet<&str> = self.unknown.iter().map(String::as_str).collect();
        all.extend(probing.overdue());
        let now = all.len();
        let before = self.context.state(SKIPPED).and_then(|t| t.parse().ok());
        let before: usize = before.unwrap_or(0);
        // Told when it begins and when it doubles; remembered when it ends or halves.
        let grew = now > 0 && now >= before * 2;
        if grew || now < before.div_ceil(2) {
            self.context.keep(SKIPPED, now.to_string());
        }
        if let Some(first) = all.first().filter(|_| grew) {
            let message = format!(
                "{now} mounts are not checked, {first} first: too many probes hang or time out already, or permission is missing"
            );
            let event = self
                .context
                .event("mounts", Kind::MountUnknown, "mounts", message);
            self.context.tell(event);
        }
    }

    fn keep(&mut self) {
        if self.dirty && self.kept.is_none_or(|at| at.elapsed() >= KEEP) {
            self.dirty = false;
            self.kept = Some(Instant::now());
            let text = serde_json::to_string(&self.memory).unwrap_or_default();
            self.context.keep(MEMORY, text);
        }
    }
}

/// What answers, and is read-only against fstab.
fn as_read_only(seen: &Seen) -> Seen {
    let mut seen = seen.clone();
    if let Seen::Probed { health, .. } = &mut seen
        && matches!(health.state, HealthState::Ok | HealthState::Empty)
    {
        health.state = HealthState::ReadOnly;
        health.detail = "mounted read-only, though fstab has it writable".to_owned();
    }
    seen
}
