//! The health of network mounts, and the directories that fstab mounts over.
//!
//! Everything here may hang: it is asked through probe children, several at a time, so that
//! twenty dead mounts cost a few deadlines and not twenty.

use crate::probe::{ProbeError, ProbeStat, Prober, probe_mount, verdict};
use crate::{HostReader, Options};
use facts::mount::{HealthState, Mount, MountPoint};
use facts::path::simplify;
use facts::{Snapshot, Source};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Mounts and directories that are looked at at the same time.
const AT_ONCE: usize = 8;
/// Names that are kept of what lies in a bare directory.
const EXAMPLES: usize = 5;

pub(super) fn collect(reader: &dyn HostReader, options: &Options, snapshot: &mut Snapshot) {
    if !reader.live() {
        snapshot.not_read(Source::MountHealth, "a tree holds no kernel state");
        return;
    }
    if snapshot.why_unread(Source::Mounts).is_some() {
        snapshot.not_read(Source::MountHealth, "the mount table was not read");
        return;
    }
    let roots = probe_mounts(options, &mut snapshot.mounts);
    let mounts = &snapshot.mounts;
    let targets: Vec<String> = wanted(snapshot);
    let root_user = rustix::process::geteuid().is_root();
    let mut unread = Vec::new();
    let points = in_parallel(&targets, |target| {
        let mut prober = Prober::new(options);
        look(&mut prober, target, mounts, roots.get(target), root_user)
    });
    let mut covered = false;
    for (point, error) in points {
        covered |= point.mounted == Some(true) && point.target != "/";
        if let Some(error) = error {
            unread.push((point.target.clone(), error));
        }
        snapshot.mount_points.push(point);
    }
    for (target, error) in unread {
        snapshot.item_not_read(Source::MountHealth, target, error);
    }
    if covered && !root_user {
        snapshot.item_not_read(
            Source::MountHealth,
            "directories under mounts",
            "only root sees them (run as root)",
        );
    }
}

/// Mount points of fstab and of network mounts, without doubles.
fn wanted(snapshot: &Snapshot) -> Vec<String> {
    let mut targets: Vec<String> = snapshot
        .fstab
        .iter()
        .filter(|e| !e.is_swap() && e.target.starts_with('/'))
        .map(facts::fstab::Entry::mount_point)
        .collect();
    let network = snapshot.mounts.iter().filter(|m| m.health.is_some());
    targets.extend(network.map(|m| m.target.clone()));
    targets.sort();
    targets.dedup();
    targets
}

/// Probes every network mount that is on top at its mount point; the metadata of those roots
/// that answered.
fn probe_mounts(options: &Options, mounts: &mut [Mount]) -> BTreeMap<String, ProbeStat> {
    let on_top: Vec<usize> = (0..mounts.len())
        .filter(|&i| mounts[i].is_network())
        .filter(|&i| !mounts[i + 1..].iter().any(|m| m.target == mounts[i].target))
        .collect();
    let found = in_parallel(&on_top, |&index| {
        probe_mount(&mut Prober::new(options), &mounts[index])
    });
    let mut roots = BTreeMap::new();
    for (index, (health, root)) in on_top.into_iter().zip(found) {
        mounts[index].health = Some(health);
        if let Some(root) = root {
            roots.insert(mounts[index].target.clone(), root);
        }
    }
    roots
}

/// Looks at one mount point. The second value says what could not be seen.
fn look(
    prober: &mut Prober,
    target: &str,
    mounts: &[Mount],
    network_root: Option<&ProbeStat>,
    root_user: bool,
) -> (MountPoint, Option<String>) {
    let mut point = MountPoint {
        target: target.to_owned(),
        ..MountPoint::default()
    };
    let mounted_at = |path: &str| mounts.iter().rposition(|m| m.target == path);
    // systemd mounts on what a link leads to; the mount table shows that path.
    let index = mounted_at(target).or_else(|| mounted_at(&prober.canonical(target).ok()?));
    let Some(index) = index else {
        point.mounted = Some(false);
        let error = look_bare(prober, target, &mut point);
        return (point, error);
    };
    let mount = &mounts[index];
    // An automount that nothing has triggered: waiting, not mounted.
    point.mounted = Some(mount.fstype != "autofs");
    point.exists = Some(true);
    if let Some(stat) = network_root {
        set_mode(&mut point, stat);
    } else if mount.health.is_none()
        && mount.fstype != "autofs"
        && let Ok(stat) = prober.stat(&mount.target)
    {
        set_mode(&mut point, &stat);
    }
    if !root_user || mount.target == "/" {
        return (point, None);
    }
    match under(mount, mounts) {
        Some((parent, inside)) => match prober.under(&parent, &inside, EXAMPLES) {
            Ok(list) => {
                point.entries = Some(list.count);
                point.examples = list.names;
                (point, None)
            }
            Err(error) => (
                point,
                Some(format!("the directory under the mount: {error}")),
            ),
        },
        None => (
            point,
            Some("the directory under the mount is covered more than once".to_owned()),
        ),
    }
}

/// The mount that holds the bare directory under a mount, and the path in it. Mounts stacked on
/// one point (an automount and what it mounted) are taken away together. `None` where the parent
/// is itself covered at its own mount point.
fn under(mount: &Mount, mounts: &[Mount]) -> Option<(String, String)> {
    let by_id = |id: u32| mounts.iter().find(|m| m.id == id);
    let mut parent = by_id(mount.parent)?;
    for _ in 0..mounts.len() {
        if parent.target != mount.target {
            break;
        }
        parent = by_id(parent.parent)?;
    }
    let top = mounts.iter().rev().find(|m| m.target == parent.target)?;
    if top.id != parent.id || parent.target == mount.target {
        return None;
    }
    let inside = mount
        .target
        .strip_prefix(parent.target.trim_end_matches('/'))?;
    Some((parent.target.clone(), simplify(inside)))
}

/// Looks at a mount point on which nothing is mounted.
fn look_bare(prober: &mut Prober, target: &str, point: &mut MountPoint) -> Option<String> {
    match prober.stat(target) {
        Ok(stat) => {
            point.exists = Some(true);
            set_mode(point, &stat);
            if !stat.is_dir() {
                return None;
            }
        }
        Err(error) if error.is_absent() => {
            point.exists = Some(false);
            return None;
        }
        Err(error) => return Some(error_words(&error)),
    }
    match prober.list(target, EXAMPLES) {
        Ok(list) => {
            point.entries = Some(list.count);
            point.examples = list.names;
            None
        }
        Err(error) => Some(error_words(&error)),
    }
}

fn set_mode(point: &mut MountPoint, stat: &ProbeStat) {
    point.mode = Some(stat.mode & 0o7777);
    point.uid = Some(stat.uid);
    point.gid = Some(stat.gid);
}

fn error_words(error: &ProbeError) -> String {
    match verdict(error).0 {
        HealthState::NoPermission => "permission denied (run as root)".to_owned(),
        _ => error.to_string(),
    }
}

/// Applies a function to every item, some at a time; results in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().ok().and_then(|mut items| items.next());
                    let Some((index, item)) = taken else { break };
                    let result = work(item);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(id: u32, parent: u32, target: &str, fstype: &str) -> Mount {
        Mount {
            id,
            parent,
            target: target.into(),
            fstype: fstype.into(),
            ..Mount::default()
        }
    }

    #[test]
    fn the_parent_of_a_stack_of_mounts() {
        let mounts = [
            mount(1, 0, "/", "ext4"),
            mount(2, 1, "/mnt", "xfs"),
            mount(3, 2, "/mnt/nas", "autofs"),
            mount(4, 3, "/mnt/nas", "nfs4"),
            mount(5, 1, "/a", "ext4"),
            mount(6, 1, "/srv", "ext4"),
            mount(7, 6, "/srv/x", "nfs"),
            mount(8, 6, "/srv", "tmpfs"),
        ];
        let of = |index: usize| under(&mounts[index], &mounts);
        assert_eq!(of(3), Some(("/mnt".into(), "/nas".into())));
        assert_eq!(of(4), Some(("/".into(), "/a".into())));
        assert_eq!(of(6), None, "its parent is covered by the tmpfs");
        assert_eq!(of(0), None);
    }

    #[test]
    fn results_keep_the_order_of_items() {
        let items: Vec<u32> = (0..100).collect();
        let doubled = in_parallel(&items, |i| i * 2);
        assert_eq!(doubled, items.iter().map(|i| i * 2).collect::<Vec<_>>());
        assert!(in_parallel(&[] as &[u32], |i| *i).is_empty());
    }
}
