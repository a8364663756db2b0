//! The kinds of events: a closed list, so that whoever handles them handles all.

use super::Severity;

/// What an event does to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is remembered.
    Note,
    /// Something is wrong from now on; changes the alert where it is raised already.
    Raises(Topic),
    /// What was wrong under this topic, on the same subject, no longer is.
    Clears(Topic),
}

macro_rules! topics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What alerts are about; of one subject and one topic there is one alert at a time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Topic { $($(#[$doc])* $variant,)* }
        impl Topic {
            /// Its name in alert keys.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

topics! {
    /// Whether a source of the daemon works.
    Source = "source",
    /// Whether the recorder takes events.
    Recorder = "recorder",
    /// Whether a sink delivers.
    Sink = "sink",
    /// Whether a unit works.
    Unit = "unit",
    /// Emergency or rescue mode.
    Mode = "mode",
    /// Health of a mount.
    Mount = "mount",
    /// What was written beneath a mount point.
    Underneath = "underneath",
    /// Whether a guest runs.
    Guest = "guest",
    /// A guest's disk I/O.
    GuestIo = "guest-io",
    /// Whether a link carries.
    Link = "link",
    /// Error counters of a link.
    LinkErrors = "link-errors",
    /// VLANs of a port.
    Vlan = "vlan",
    /// What the kernel says of a server.
    KernelNfs = "kernel-nfs",
    /// A disk or array.
    Disk = "disk",
    /// Free space.
    Space = "space",
    /// Whether a BMC answers.
    Bmc = "bmc",
    /// A sensor of a BMC.
    Sensor = "sensor",
    /// A VRRP group.
    Vrrp = "vrrp",
    /// A finding of the audit.
    Finding = "finding",
    /// Age of the audit.
    Audit = "audit",
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident, $effect:expr;)*) => {
        /// What happened. Names are `area.what` and never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in JSON, on the command line and in the database.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it usually is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What it does to an alert.
            pub fn effect(self) -> Effect {
                match self { $(Self::$variant => $effect,)* }
            }
        }
    };
}

use Effect::{Clears, Note, Raises};

kinds! {
    /// The daemon began to watch.
    DaemonStarted = "daemon.started", Info, Note;
    /// The daemon was told to end.
    DaemonStopped = "daemon.stopped", Info, Note;
    /// The host was booted since the daemon last ran.
    HostBooted = "host.booted", Warning, Note;
    /// A source ended with an error and is tried again.
    SourceFailed = "source.failed", Warning, Raises(Topic::Source);
    /// A source has not said for too long that it lives.
    SourceSilent = "source.silent", Error, Raises(Topic::Source);
    /// There is nothing on this host that the source could watch.
    SourceAbsent = "source.absent", Info, Note;
    /// A source works again.
    SourceRecovered = "source.recovered", Info, Clears(Topic::Source);
    /// The recorder could not store; what could be kept is kept in memory.
    RecorderFailed = "recorder.failed", Error, Raises(Topic::Recorder);
    /// The recorder stores again.
    RecorderRecovered = "recorder.recovered", Info, Clears(Topic::Recorder);
    /// A sink does not deliver; what it has not delivered stays in the recorder.
    SinkFailed = "sink.failed", Error, Raises(Topic::Sink);
    /// A sink delivers again.
    SinkRecovered = "sink.recovered", Info, Clears(Topic::Sink);
    /// Old events were removed before a sink had taken them.
    SinkLost = "sink.lost", Error, Note;

    /// A unit failed.
    UnitFailed = "unit.failed", Error, Raises(Topic::Unit);
    /// A mount or automount unit failed.
    UnitMountFailed = "unit.mount-failed", Critical, Raises(Topic::Unit);
    /// A failed unit no longer is.
    UnitRecovered = "unit.recovered", Info, Clears(Topic::Unit);
    /// systemd went into emergency mode.
    ModeEmergency = "mode.emergency", Critical, Raises(Topic::Mode);
    /// systemd went into rescue mode.
    ModeRescue = "mode.rescue", Critical, Raises(Topic::Mode);
    /// systemd left emergency or rescue mode.
    ModeNormal = "mode.normal", Info, Clears(Topic::Mode);

    /// A file system was mounted.
    MountAdded = "mount.added", Info, Note;
    /// A file system was unmounted.
    MountRemoved = "mount.removed", Info, Note;
    /// A mount's options changed.
    MountChanged = "mount.changed", Warning, Note;
    /// `ESTALE`: the server no longer knows the file handle.
    MountStale = "mount.stale", Critical, Raises(Topic::Mount);
    /// No answer within the deadline.
    MountNotResponding = "mount.not-responding", Critical, Raises(Topic::Mount);
    /// It held something and is empty now.
    MountEmpty = "mount.empty", Critical, Raises(Topic::Mount);
    /// It stands in fstab and is not mounted.
    MountUnmounted = "mount.unmounted", Critical, Raises(Topic::Mount);
    /// Mounted `rw`, but writing is refused.
    MountReadOnly = "mount.read-only", Critical, Raises(Topic::Mount);
    /// Another file system answers than before (another fsid).
    MountServerChanged = "mount.server-changed", Error, Note;
    /// It answers, slower than the limit.
    MountSlow = "mount.slow", Warning, Raises(Topic::Mount);
    /// Another error.
    MountFailed = "mount.failed", Critical, Raises(Topic::Mount);
    /// It could not be looked at: too many probes hang already, or no permission.
    MountUnknown = "mount.not-checked", Warning, Note;
    /// A mount with trouble is well again.
    MountHealthy = "mount.healthy", Info, Clears(Topic::Mount);
    /// Something lies in the directory beneath the mount.
    MountWrittenUnderneath = "mount.written-underneath", Error, Raises(Topic::Underneath);
    /// Nothing lies beneath the mount any more.
    MountCleanUnderneath = "mount.clean-underneath", Info, Clears(Topic::Underneath);
    /// The daemon mounts it again.
    MountRemounting = "mount.remounting", Warning, Note;
    /// Mounting again was refused or failed.
    MountRemountRefused = "mount.remount-refused", Warning, Note;

    /// A guest was defined or its definition changed.
    GuestDefined = "guest.defined", Info, Note;
    /// A guest's definition was removed.
    GuestUndefined = "guest.undefined", Warning, Note;
    /// A guest started.
    GuestStarted = "guest.started", Info, Clears(Topic::Guest);
    /// A guest shut down by itself or when it was asked to.
    GuestShutdown = "guest.shutdown", Warning, Raises(Topic::Guest);
    /// A guest was destroyed: power cut by a person or a program.
    GuestDestroyed = "guest.destroyed", Error, Raises(Topic::Guest);
    /// QEMU crashed or the guest panicked.
    GuestCrashed = "guest.crashed", Critical, Raises(Topic::Guest);
    /// QEMU failed, or the guest failed to start.
    GuestFailed = "guest.failed", Critical, Raises(Topic::Guest);
    /// A guest stopped for another reason (saved, migrated away, restored from a snapshot).
    GuestStopped = "guest.stopped", Warning, Note;
    /// A guest was suspended or resumed by somebody.
    GuestSuspended = "guest.suspended", Warning, Raises(Topic::Guest);
    /// A guest goes on.
    GuestResumed = "guest.resumed", Info, Clears(Topic::Guest);
    /// A guest restarted from within.
    GuestRebooted = "guest.rebooted", Info, Note;
    /// A guest's watchdog fired.
    GuestWatchdog = "guest.watchdog", Error, Note;
    /// A disk of a guest gave an error; the guest may be paused for it.
    GuestIoError = "guest.io-error", Critical, Raises(Topic::GuestIo);
    /// A paused guest's disks work again.
    GuestIoRecovered = "guest.io-recovered", Info, Clears(Topic::GuestIo);
    /// A guest agent came or went.
    GuestAgent = "guest.agent", Info, Note;
    /// A device was added to or taken from a guest, a medium changed.
    GuestDevice = "guest.device", Info, Note;
    /// A block job or migration of a guest went a step on.
    GuestJob = "guest.job", Info, Note;
    /// libvirt's hook ran for a guest.
    GuestHook = "guest.hook", Info, Note;

    /// A link lost its carrier.
    LinkDown = "link.down", Error, Raises(Topic::Link);
    /// A link has its carrier.
    LinkUp = "link.up", Info, Clears(Topic::Link);
    /// An interface appeared.
    LinkAdded = "link.added", Info, Note;
    /// An interface went away.
    LinkRemoved = "link.removed", Info, Note;
    /// An interface joined or left a bridge.
    LinkMoved = "link.moved", Warning, Note;
    /// Errors are counted on a link.
    LinkErrors = "link.errors", Warning, Raises(Topic::LinkErrors);
    /// No more errors are counted.
    LinkErrorsStopped = "link.errors-stopped", Info, Clears(Topic::LinkErrors);
    /// VLANs of a port changed.
    VlanChanged = "vlan.changed", Warning, Note;
    /// VLANs of a port differ from the plan.
    VlanWrong = "vlan.wrong", Error, Raises(Topic::Vlan);
    /// VLANs of a port were put right.
    VlanRepaired = "vlan.repaired", Warning, Clears(Topic::Vlan);
    /// VLANs of a port change again and again: it is no longer put right.
    VlanFlapping = "vlan.flapping", Critical, Raises(Topic::Vlan);

    /// The kernel says that a file server does not respond.
    KernelNfsNotResponding = "kernel.nfs-not-responding", Critical, Raises(Topic::KernelNfs);
    /// The kernel says that a file server is back.
    KernelNfsOk = "kernel.nfs-ok", Info, Clears(Topic::KernelNfs);
    /// The kernel gave an I/O error to somebody.
    KernelIoError = "kernel.io-error", Error, Note;
    /// The kernel found a file system damaged or made it read-only.
    KernelFsError = "kernel.fs-error", Critical, Note;
    /// The kernel killed a process for lack of memory.
    KernelOomKill = "kernel.oom-kill", Critical, Note;
    /// A member of an array failed.
    KernelRaid = "kernel.raid", Critical, Note;
    /// A disk or its controller failed, was reset or went away.
    KernelDisk = "kernel.disk", Error, Note;
    /// A task hangs, a processor is stuck.
    KernelHung = "kernel.hung", Error, Note;
    /// The hardware reported an error.
    KernelHardware = "kernel.hardware", Critical, Note;
    /// A process crashed in user space.
    KernelSegfault = "kernel.segfault", Warning, Note;

    /// Little space is left.
    SpaceLow = "space.low", Error, Raises(Topic::Space);
    /// Enough space is left again.
    SpaceOk = "space.ok", Info, Clears(Topic::Space);
    /// A BMC does not answer.
    BmcUnreachable = "bmc.unreachable", Error, Raises(Topic::Bmc);
    /// A BMC answers.
    BmcReachable = "bmc.reachable", Info, Clears(Topic::Bmc);
    /// A sensor is outside its limits.
    SensorBad = "sensor.bad", Error, Raises(Topic::Sensor);
    /// A sensor is within its limits again.
    SensorOk = "sensor.ok", Info, Clears(Topic::Sensor);
    /// A switch's capture changed in meaning.
    SwitchChanged = "switch.changed", Warning, Note;
    /// Another router is master.
    VrrpMaster = "vrrp.master", Warning, Clears(Topic::Vrrp);
    /// No master is heard any more.
    VrrpSilent = "vrrp.silent", Critical, Raises(Topic::Vrrp);
    /// Two routers say that they are master.
    VrrpTwoMasters = "vrrp.two-masters", Critical, Raises(Topic::Vrrp);
    /// A router gave its mastership up.
    VrrpResigned = "vrrp.resigned", Info, Note;

    /// The audit has a new finding.
    FindingNew = "finding.new", Warning, Raises(Topic::Finding);
    /// A finding is gone.
    FindingGone = "finding.gone", Info, Clears(Topic::Finding);
    /// The last audit is too old.
    AuditOld = "audit.old", Warning, Raises(Topic::Audit);
    /// An audit was done.
    AuditDone = "audit.done", Info, Clears(Topic::Audit);

    /// A plan was applied.
    PlanApplied = "plan.applied", Info, Note;
    /// A plan was undone.
    PlanRolledBack = "plan.rolled-back", Warning, Note;
    /// A plan failed.
    PlanFailed = "plan.failed", Error, Note;
    /// The guard was asked about a reboot.
    GuardAsked = "guard.asked", Info, Note;
    /// The guard stopped a reboot.
    GuardStopped = "guard.stopped", Warning, Note;
    /// Somebody went past the guard.
    GuardOverridden = "guard.overridden", Error, Note;
    /// The guard itself is broken and let something through.
    GuardBroken = "guard.broken", Error, Note;
    /// Somebody added a remark.
    Remark = "remark", Info, Note;
}

impl Kind {
    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The part of its name before the dot: `mount`, `guest`, …
    pub fn area(self) -> &'static str {
        let name = self.name();
        name.split_once('.').map_or(name, |(area, _)| area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::MountStale.area(), "mount");
    }

    #[test]
    fn whatever_raises_can_be_cleared() {
        let raised = Kind::ALL.iter().filter_map(|kind| match kind.effect() {
            Raises(topic) => Some(topic),
            _ => None,
        });
        for topic in raised {
            assert!(
                Kind::ALL.iter().any(|kind| kind.effect() == Clears(topic)),
                "nothing clears {topic:?}"
            );
        }
    }
}
