//! Rounds of probes, a few at a time, with a bound on children that hang.
//!
//! Mounts of one server make a group. Once one of a group does not answer, the others of an NFS
//! or SMB server are taken to be as dead, without a child each. While a child of a group hangs in
//! the kernel, the group is not tried: the child's end is the sign that the server is back. Of
//! FUSE mounts, whose children hang beyond any signal, only a few groups may hang at once, so
//! that they leave room for the others.

use super::judge::Seen;
use crate::daemon::Context;
use collect::probe::{ProbeError, Prober, probe_mount};
use facts::fstab;
use facts::mount::{Health, HealthState, Mount};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Groups that are probed at the same time.
const AT_ONCE: usize = 4;
/// Children that may hang before nothing is probed any more.
const HANGING: u32 = 16;
/// Of these, how many FUSE mounts may take.
const HANGING_FUSE: u32 = 8;

/// A group's prober and what its last round gave.
struct Group {
    prober: Prober,
    fuse: bool,
}

pub(super) struct Rounds {
    options: collect::Options,
    deadline: Duration,
    groups: BTreeMap<String, Group>,
}

impl Rounds {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            options: context.options.clone(),
            deadline: context.settings.mounts.deadline,
            groups: BTreeMap::new(),
        }
    }

    /// Children that hang in the kernel.
    pub(super) fn hanging(&self) -> u32 {
        self.groups.values().map(|g| g.prober.hanging()).sum()
    }

    /// Looks at every mount. `below` says whether to look beneath them too; `beat` is called
    /// between groups.
    pub(super) fn probe(
        &mut self,
        mounts: &[&Mount],
        below: bool,
        beat: &(dyn Fn() + Sync),
    ) -> Vec<(String, Seen)> {
        let fsids = std::fs::read_to_string("/proc/fs/nfsfs/volumes")
            .map(|t| volumes(&t))
            .unwrap_or_default();
        let mut by_group: BTreeMap<String, Vec<&Mount>> = BTreeMap::new();
        for mount in mounts {
            by_group.entry(group_of(mount)).or_default().push(mount);
        }
        self.groups
            .retain(|name, group| by_group.contains_key(name) || group.prober.hanging() > 0);
        for (name, mounts) in &by_group {
            let options = &self.options;
            self.groups.entry(name.clone()).or_insert_with(|| Group {
                prober: Prober::new(options),
                fuse: mounts.iter().any(|m| m.fstype.starts_with("fuse")),
            });
        }
        let hanging = self.hanging();
        let fuse: u32 = self
            .groups
            .values()
            .filter(|g| g.fuse)
            .map(|g| g.prober.hanging())
            .sum();
        let counts = Mutex::new((hanging, fuse));
        let work: Vec<(&mut Group, &Vec<&Mount>)> = self
            .groups
            .iter_mut()
            .filter_map(|(name, group)| Some((group, by_group.get(name)?)))
            .collect();
        let threads = AT_ONCE.min(work.len());
        let queue = Mutex::new(work.into_iter());
        let seen = Mutex::new(Vec::with_capacity(mounts.len()));
        let (deadline, fsids) = (self.deadline, &fsids);
        let worker = || {
            while let Some((group, mounts)) = lock(&queue).next() {
                beat();
                let room = {
                    let mut counts = lock(&counts);
                    let room = counts.0 < HANGING && (!group.fuse || counts.1 < HANGING_FUSE);
                    if room {
                        // Counted in advance, so that threads do not pass the bound together.
                        counts.0 += 1;
                        counts.1 += u32::from(group.fuse);
                    }
                    room
                };
                let found = look(group, mounts, room, deadline, fsids, below);
                if room && group.prober.hanging() == 0 {
                    let mut counts = lock(&counts);
                    counts.0 -= 1;
                    counts.1 -= u32::from(group.fuse);
                }
                lock(&seen).extend(found);
            }
        };
        if threads <= 1 {
            worker();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(worker);
                }
            });
        }
        seen.into_inner().unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn look(
    group: &mut Group,
    mounts: &[&Mount],
    room: bool,
    deadline: Duration,
    fsids: &BTreeMap<String, String>,
    below: bool,
) -> Vec<(String, Seen)> {
    let mut found = Vec::with_capacity(mounts.len());
    // The mount of this group that did not answer.
    let mut dead: Option<String> = None;
    let still = group.prober.hanging() > 0;
    for mount in mounts {
        let seen = if still {
            not_responding("the last probe still hangs in the kernel", deadline)
        } else if let Some(other) = &dead {
            if group.fuse {
                Seen::Skipped(format!("{other} of the same kind does not answer"))
            } else {
                not_responding(
                    &format!("its server does not answer for {other} either"),
                    deadline,
                )
            }
        } else if !room {
            Seen::Skipped("too many probes hang already".to_owned())
        } else {
            let (health, _) = probe_mount(&mut group.prober, mount);
            if health.state == HealthState::NotResponding {
                dead = Some(mount.target.clone());
            }
            let beneath = (below && health.state == HealthState::Ok)
                .then(|| beneath(&mut group.prober, &mount.target))
                .flatten();
            Seen::Probed {
                health,
                fsid: fsids.get(&mount.device).cloned(),
                beneath,
            }
        };
        found.push((mount.target.clone(), seen));
    }
    group.prober.rest();
    found
}

fn not_responding(detail: &str, deadline: Duration) -> Seen {
    Seen::Probed {
        health: Health {
            state: HealthState::NotResponding,
            detail: detail.to_owned(),
            milliseconds: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        },
        fsid: None,
        beneath: None,
    }
}

/// What the bare directory beneath a mount holds. Needs `CAP_SYS_ADMIN`.
fn beneath(prober: &mut Prober, target: &str) -> Option<(u64, Vec<String>)> {
    let (parent, _) = target.rsplit_once('/')?;
    // The mount that the directory lies on: the one that covers its parent.
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let table = facts::mount::parse_mountinfo(&table).ok()?;
    let parent = if parent.is_empty() { "/" } else { parent };
    let outer = facts::mount::mount_of(parent, &table)?;
    if outer.is_network() {
        return None;
    }
    let inside = target.strip_prefix(outer.target.trim_end_matches('/'))?;
    match prober.under(&outer.target, inside, 5) {
        Ok(list) => Some((list.count, list.names)),
        Err(ProbeError::Io(_) | ProbeError::Stale | ProbeError::NotResponding(_)) => None,
    }
}

/// Server and type; for FUSE the source's host, else the mount itself.
fn group_of(mount: &Mount) -> String {
    let hosts = fstab::classify(&mount.source, &mount.fstype, &mount.options);
    let hosts = hosts.hosts().join(",");
    let kind = if mount.fstype.starts_with("nfs") {
        "nfs"
    } else {
        mount.fstype.as_str()
    };
    if hosts.is_empty() {
        format!("{kind} {}", mount.target)
    } else {
        format!("{kind} {hosts}")
    }
}

/// `/proc/fs/nfsfs/volumes`: the server's file system id by `major:minor` of the mount.
fn volumes(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().skip(1);
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some(((*words.get(3)?).to_owned(), (*words.get(4)?).to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_ids_by_device() {
        let text = "NV SERVER   PORT DEV          FSID                              FSC\n\
                    v4 0a000202 8801 0:50         1a2b:0                            no\n\
                    v3 0a000203 801  0:51         77:1                              no\n";
        let volumes = volumes(text);
        assert_eq!(volumes["0:50"], "1a2b:0");
        assert_eq!(volumes.len(), 2);
        assert!(super::volumes("").is_empty());
    }

    #[test]
    fn mounts_of_one_server_are_one_group() {
        let mount = |source: &str, fstype: &str, target: &str| Mount {
            source: source.into(),
            fstype: fstype.into(),
            target: target.into(),
            ..Mount::default()
        };
        let a = group_of(&mount("10.50.1.70:/a", "nfs4", "/a"));
        assert_eq!(a, group_of(&mount("10.50.1.70:/b", "nfs", "/b")));
        assert_ne!(a, group_of(&mount("10.50.1.71:/b", "nfs4", "/c")));
        assert_ne!(
            group_of(&mount("x", "fuse.x", "/d")),
            group_of(&mount("x", "fuse.x", "/e"))
        );
    }
}
