//! What one look at a mount means: pure.

use crate::event::{Evidence, Kind};
use facts::mount::{Health, HealthState};
use serde::{Deserialize, Serialize};

/// What is remembered of a mount between looks and across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Whether it ever held something.
    pub held_something: bool,
    /// File system id that the server gave, as `/proc/fs/nfsfs/volumes` has it.
    pub fsid: Option<String>,
    /// Slow looks in a row.
    pub slow: u32,
    /// Entries that were seen beneath it.
    pub beneath: u64,
    /// How often it was mounted again since it was last well.
    pub remounts: u32,
    /// Whether it was told since it was last well that it is not mounted again for guests' sake.
    pub refused: bool,
}

/// What one look gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not mounted, though fstab says so.
    Unmounted {
        /// Its source in fstab.
        source: String,
    },
    /// It could not be looked at.
    Skipped(String),
    /// A probe answered, or did not.
    Probed {
        /// The verdict of the probe.
        health: Health,
        /// The server's file system id.
        fsid: Option<String>,
        /// Entries beneath the mount, where that was looked at: how many, and some names.
        beneath: Option<(u64, Vec<String>)>,
    },
}

impl Seen {
    pub(super) fn milliseconds(&self) -> Option<u64> {
        match self {
            Self::Probed { health, .. } => Some(health.milliseconds),
            _ => None,
        }
    }

    pub(super) fn evidence(&self) -> Evidence {
        match self {
            Self::Unmounted { source } => Evidence::measured("/etc/fstab", source),
            Self::Skipped(reason) => Evidence::measured("probe", reason),
            Self::Probed { health, .. } => Evidence::measured(
                "probe",
                format!("{} after {} ms", health.detail, health.milliseconds),
            ),
        }
    }
}

/// What follows.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Whether it is well; `None` where that is not known.
    pub healthy: Option<bool>,
    /// What is to be told, once.
    pub tell: Vec<(Kind, String)>,
}

/// Judges one look. `used` says whether a guest's disk lies there: then an empty directory is
/// wrong, whatever it held before.
pub(super) fn judge(memory: &mut Memory, seen: &Seen, slow_limit: u64, used: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let (health, fsid, beneath) = match seen {
        Seen::Skipped(_) => return verdict,
        Seen::Unmounted { source } => {
            verdict.healthy = Some(false);
            let message = format!(
                "stands in fstab ({source}) and is not mounted: whoever writes there writes to the local disk"
            );
            verdict.tell.push((Kind::MountUnmounted, message));
            return verdict;
        }
        Seen::Probed {
            health,
            fsid,
            beneath,
        } => (health, fsid, beneath),
    };
    let detail = &health.detail;
    let bad = match health.state {
        HealthState::Ok => {
            memory.held_something = true;
            None
        }
        HealthState::Empty if memory.held_something || used => Some((
            Kind::MountEmpty,
            "answers and holds nothing, though it should: the export may be another, or its disk is not mounted on the server".to_owned(),
        )),
        HealthState::Empty => None,
        HealthState::Stale => Some((Kind::MountStale, "the server no longer knows it (stale file handle)".to_owned())),
        HealthState::NotResponding => Some((Kind::MountNotResponding, format!("its server does not answer ({detail})"))),
        HealthState::ReadOnly => Some((Kind::MountReadOnly, detail.clone())),
        HealthState::Failed => Some((Kind::MountFailed, format!("cannot be read: {detail}"))),
        HealthState::NoPermission => return verdict,
    };
    if let Some(fsid) = fsid
        && let Some(before) = memory.fsid.replace(fsid.clone())
        && before != *fsid
    {
        let message =
            format!("another file system answers than before (fsid {fsid}, was {before})");
        verdict.tell.push((Kind::MountServerChanged, message));
    }
    if let Some((count, names)) = beneath {
        if *count > 0 {
            let message = format!(
                "{count} entries lie beneath the mount ({}): they were written while it was not mounted",
                names.join(", ")
            );
            verdict.tell.push((Kind::MountWrittenUnderneath, message));
        } else {
            verdict.tell.push((
                Kind::MountCleanUnderneath,
                "nothing lies beneath the mount any more".to_owned(),
            ));
        }
        memory.beneath = *count;
    }
    if let Some(bad) = bad {
        memory.slow = 0;
        verdict.healthy = Some(false);
        verdict.tell.push(bad);
        return verdict;
    }
    memory.remounts = 0;
    memory.refused = false;
    memory.slow = if health.milliseconds > slow_limit {
        (memory.slow + 1).min(2)
    } else {
        0
    };
    verdict.healthy = Some(true);
    if memory.slow == 2 {
        let message = format!("answers slowly: {} ms, twice in a row", health.milliseconds);
        verdict.tell.push((Kind::MountSlow, message));
    } else if memory.slow == 0 {
        verdict.tell.push((
            Kind::MountHealthy,
            format!("is well again, answers within {} ms", health.milliseconds),
        ));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(state: HealthState, milliseconds: u64) -> Seen {
        Seen::Probed {
            health: Health {
                state,
                detail: "detail".into(),
                milliseconds,
            },
            fsid: None,
            beneath: None,
        }
    }

    fn kinds(memory: &mut Memory, seen: &Seen, used: bool) -> Vec<Kind> {
        let verdict = judge(memory, seen, 1_000, used);
        verdict.tell.into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn each_trouble_has_its_kind() {
        for (state, kind) in [
            (HealthState::Stale, Kind::MountStale),
            (HealthState::NotResponding, Kind::MountNotResponding),
            (HealthState::ReadOnly, Kind::MountReadOnly),
            (HealthState::Failed, Kind::MountFailed),
            (HealthState::Ok, Kind::MountHealthy),
        ] {
            assert_eq!(
                kinds(&mut Memory::default(), &probed(state, 1), false),
                [kind]
            );
        }
        let unmounted = Seen::Unmounted {
            source: "nas:/a".into(),
        };
        assert_eq!(
            kinds(&mut Memory::default(), &unmounted, false),
            [Kind::MountUnmounted]
        );
        let verdict = judge(
            &mut Memory::default(),
            &probed(HealthState::NoPermission, 1),
            1,
            false,
        );
        assert!(verdict.healthy.is_none() && verdict.tell.is_empty());
    }

    #[test]
    fn empty_is_wrong_only_where_something_was_or_should_be() {
        let empty = probed(HealthState::Empty, 1);
        let mut memory = Memory::default();
        assert_eq!(kinds(&mut memory, &empty, false), [Kind::MountHealthy]);
        assert_eq!(kinds(&mut memory, &empty, true), [Kind::MountEmpty]);
        kinds(&mut memory, &probed(HealthState::Ok, 1), false);
        assert_eq!(kinds(&mut memory, &empty, false), [Kind::MountEmpty]);
    }

    #[test]
    fn slow_takes_two_looks_in_a_row() {
        let mut memory = Memory::default();
        let slow = probed(HealthState::Ok, 1_001);
        assert!(kinds(&mut memory, &slow, false).is_empty());
        assert_eq!(kinds(&mut memory, &slow, false), [Kind::MountSlow]);
        assert_eq!(kinds(&mut memory, &slow, false), [Kind::MountSlow]);
        assert_eq!(
            kinds(&mut memory, &probed(HealthState::Ok, 5), false),
            [Kind::MountHealthy]
        );
    }

    #[test]
    fn another_fsid_and_what_lies_beneath() {
        let mut memory = Memory::default();
        let with = |id: &str, beneath| Seen::Probed {
            health: Health {
                state: HealthState::Ok,
                detail: String::new(),
                milliseconds: 1,
            },
            fsid: Some(id.into()),
            beneath,
        };
        assert_eq!(
            kinds(&mut memory, &with("1:0", None), false),
            [Kind::MountHealthy]
        );
        assert_eq!(
            kinds(&mut memory, &with("2:0", None), false),
            [Kind::MountServerChanged, Kind::MountHealthy]
        );
        let beneath = Some((2, vec!["a".to_owned(), "b".to_owned()]));
        assert!(
            kinds(&mut memory, &with("2:0", beneath), false)
                .contains(&Kind::MountWrittenUnderneath)
        );
        assert!(
            kinds(&mut memory, &with("2:0", Some((0, Vec::new()))), false)
                .contains(&Kind::MountCleanUnderneath)
        );
    }
}
