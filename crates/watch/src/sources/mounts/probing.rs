//! Probes at work: a thread and at most one helper for each group whose turn it is. What they see
//! is handed over as it comes; nothing waits for the slowest.
//!
//! Mounts of one server make a group (each FUSE mount has a daemon of its own and is one for
//! itself). Once one of a group does not answer, the others of that server are taken to be as
//! dead, without a helper each. While a helper of a group hangs
//! in the kernel, the group is not tried: the helper's end is the sign that the server is back.

use super::judge::Seen;
use super::schedule::{Class, Schedule, Step};
use crate::daemon::Context;
use collect::probe::{ProbeError, Prober, probe_mount};
use facts::fstab;
use facts::mount::{Health, HealthState, Mount};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// Between two looks beneath a group's mounts.
const BELOW: Duration = Duration::from_secs(900);
/// A mount that appeared is looked at after this: whoever mounts may not be done yet.
const SOON: Duration = Duration::from_secs(1);
/// So long a helper that was ended is waited for before it counts as hanging.
const REAPED: Duration = Duration::from_millis(500);
/// A thread here parses little and calls nothing deep.
const STACK: usize = 256 << 10;

/// One server's mounts, or one mount without a server.
struct Group {
    mounts: Vec<Mount>,
    /// Away while a thread works with it.
    prober: Option<Prober>,
    below: Option<Instant>,
}

/// What threads hand over.
enum Report {
    Seen(String, Seen),
    Done {
        group: String,
        prober: Prober,
        timed_out: bool,
    },
    /// A thread broke.
    Broke(String),
}

/// All probes.
pub(super) struct Probing {
    options: collect::Options,
    born: Instant,
    groups: BTreeMap<String, Group>,
    schedule: Schedule,
    sender: Sender<Report>,
    receiver: Receiver<Report>,
    /// Counts reports that wait: what a thread that also waits for the kernel can poll.
    wake: Arc<OwnedFd>,
}

impl Probing {
    pub(super) fn new(context: &Context) -> Result<Self, Errno> {
        let (sender, receiver) = mpsc::channel();
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            options: context.options.clone(),
            born: Instant::now(),
            groups: BTreeMap::new(),
            schedule: Schedule::new(context.settings.mounts.interval),
            sender,
            receiver,
            wake: Arc::new(wake),
        })
    }

    /// Becomes readable when there is something to [`Self::take`].
    pub(super) fn wake(&self) -> &OwnedFd {
        &self.wake
    }

    /// How long nothing has to be started.
    pub(super) fn rest(&self) -> Option<Duration> {
        let now = self.born.elapsed();
        self.schedule.wake(now).map(|at| at.saturating_sub(now))
    }

    /// Helpers that hang in the kernel.
    pub(super) fn hanging(&self) -> u32 {
        let probers = self.groups.values().filter_map(|g| g.prober.as_ref());
        probers.map(Prober::hanging).sum()
    }

    /// Mounts whose turn does not come in time.
    pub(super) fn overdue(&self) -> impl Iterator<Item = &str> {
        let groups = self.schedule.overdue(self.born.elapsed());
        groups
            .filter_map(|name| self.groups.get(name))
            .flat_map(|group| group.mounts.iter().map(|m| m.target.as_str()))
    }

    /// These are the mounts to watch.
    pub(super) fn watch<'a>(&mut self, mounts: impl Iterator<Item = &'a Mount>) {
        let mut by_group: BTreeMap<String, (Class, Vec<Mount>)> = BTreeMap::new();
        for mount in mounts {
            let (name, class) = group_of(mount);
            let group = by_group.entry(name).or_insert((class, Vec::new()));
            group.1.push(mount.clone());
        }
        // A group whose helper hangs is kept: its helper counts.
        self.groups.retain(|name, group| {
            let kept = by_group.contains_key(name)
                || group.prober.as_ref().is_none_or(|p| p.hanging() > 0);
            if !kept {
                self.schedule.remove(name);
            } else if !by_group.contains_key(name) {
                group.mounts.clear();
            }
            kept
        });
        let first = self.born.elapsed();
        for (name, (class, mounts)) in by_group {
            let known = self.groups.entry(name.clone()).or_insert_with(|| Group {
                mounts: Vec::new(),
                prober: Some(Prober::new(&self.options)),
                below: None,
            });
            let fresh = |m: &&Mount| !known.mounts.iter().any(|k| k.id == m.id);
            if let Some(mount) = mounts.iter().find(fresh) {
                // What was there before us needs no patience.
                let due = if first < SOON { first } else { first + SOON };
                self.schedule.set(&name, class, &mount.fstype, due);
                // Whoever wrote while it was not mounted is found now, not at the next round.
                known.below = None;
            }
            known.mounts = mounts;
        }
    }

    /// Starts what is due; gives what is known without a probe.
    pub(super) fn start(&mut self) -> Vec<(String, Seen)> {
        let deadline = self.options.deadline;
        let mut known = Vec::new();
        for (name, group) in &self.groups {
            if let Some(prober) = &group.prober {
                self.schedule.hangs(name, prober.hanging());
            }
        }
        while let Some(step) = self.schedule.next(self.born.elapsed()) {
            match step {
                Step::Probe(name) => self.probe(name),
                Step::StillHangs(name) => {
                    let seen = not_responding("the last probe still hangs in the kernel", deadline);
                    known.extend(self.all(&name, &seen));
                }
                Step::NoRoom(name) => {
                    let seen = Seen::Skipped("too many probes hang already".to_owned());
                    known.extend(self.all(&name, &seen));
                }
            }
        }
        known
    }

    fn all(&self, name: &str, seen: &Seen) -> Vec<(String, Seen)> {
        let mounts = self.groups.get(name).map_or(&[][..], |g| &g.mounts);
        mounts
            .iter()
            .map(|m| (m.target.clone(), seen.clone()))
            .collect()
    }

    fn probe(&mut self, name: String) {
        let now = self.born.elapsed();
        let Some(group) = self.groups.get_mut(&name) else {
            self.schedule.remove(&name);
            return;
        };
        if group.mounts.is_empty() {
            // Kept for a helper that hung, which is gone by now.
            self.groups.remove(&name);
            self.schedule.remove(&name);
            return;
        }
        let below = group.below.is_none_or(|at| at.elapsed() >= BELOW);
        if below {
            group.below = Some(Instant::now());
        }
        let Some(prober) = group.prober.take() else {
            return;
        };
        let work = Work {
            prober,
            mounts: group.mounts.clone(),
            deadline: self.options.deadline,
            below,
        };
        let out = Out {
            group: name.clone(),
            sender: self.sender.clone(),
            wake: self.wake.clone(),
            done: false,
        };
        let started = std::thread::Builder::new()
            .name("probe".into())
            .stack_size(STACK)
            .spawn(move || work.run(out));
        if started.is_err() {
            // No thread is to be had (a limit): the turn is over, the next one may have one.
            group.prober = Some(Prober::new(&self.options));
            self.schedule.done(&name, false, now);
        }
    }

    /// What was seen since.
    pub(super) fn take(&mut self) -> Vec<(String, Seen)> {
        // Reading sets the counter back; nothing to read is no failure.
        let _ = rustix::io::read(&*self.wake, &mut [0_u8; 8]);
        let mut all = Vec::new();
        while let Ok(report) = self.receiver.try_recv() {
            match report {
                Report::Seen(target, seen) => all.push((target, seen)),
                Report::Done {
                    group,
                    prober,
                    timed_out,
                } => {
                    self.schedule.done(&group, timed_out, self.born.elapsed());
                    if let Some(known) = self.groups.get_mut(&group) {
                        known.prober = Some(prober);
                    }
                }
                Report::Broke(group) => {
                    self.schedule.done(&group, true, self.born.elapsed());
                    if let Some(known) = self.groups.get_mut(&group) {
                        known.prober = Some(Prober::new(&self.options));
                    }
                }
            }
        }
        all
    }
}

/// The way out of a thread. Its end is told in any case: a group whose thread broke must not be
/// waited for for ever.
struct Out {
    group: String,
    sender: Sender<Report>,
    wake: Arc<OwnedFd>,
    done: bool,
}

impl Out {
    fn tell(&self, report: Report) {
        // Nobody listens any more when the source ended.
        let _ = self.sender.send(report);
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }

    fn end(mut self, prober: Prober, timed_out: bool) {
        self.done = true;
        let group = self.group.clone();
        self.tell(Report::Done {
            group,
            prober,
            timed_out,
        });
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if !self.done {
            self.tell(Report::Broke(self.group.clone()));
        }
    }
}

/// One group's turn.
struct Work {
    prober: Prober,
    mounts: Vec<Mount>,
    deadline: Duration,
    below: bool,
}

impl Work {
    fn run(mut self, out: Out) {
        // The mount of this group that did not answer.
        let mut dead: Option<String> = None;
        for mount in &self.mounts {
            let seen = match &dead {
                Some(other) => not_responding(
                    &format!("its server does not answer for {other} either"),
                    self.deadline,
                ),
                None => look(&mut self.prober, mount, self.below),
            };
            let silent = matches!(&seen, Seen::Probed { health, .. } if health.state == HealthState::NotResponding);
            if silent && dead.is_none() {
                dead = Some(mount.target.clone());
            }
            out.tell(Report::Seen(mount.target.clone(), seen));
        }
        self.prober.rest();
        // A helper that can be killed is gone in a moment; one that is still there hangs.
        let ended = Instant::now();
        while self.prober.hanging() > 0 && ended.elapsed() < REAPED {
            std::thread::sleep(Duration::from_millis(2));
        }
        out.end(self.prober, dead.is_some());
    }
}

fn look(prober: &mut Prober, mount: &Mount, below: bool) -> Seen {
    let (health, _) = probe_mount(prober, mount);
    let beneath = (below && health.state == HealthState::Ok)
        .then(|| beneath(prober, &mount.target))
        .flatten();
    let fsid = mount
        .fstype
        .starts_with("nfs")
        .then(|| std::fs::read_to_string("/proc/fs/nfsfs/volumes").ok())
        .flatten()
        .and_then(|text| volumes(&text).remove(&mount.device));
    Seen::Probed {
        health,
        fsid,
        beneath,
    }
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

/// The group of a mount: server and type; for FUSE the mount itself.
fn group_of(mount: &Mount) -> (String, Class) {
    let kind = fstab::classify(&mount.source, &mount.fstype, &mount.options);
    let hosts = kind.hosts().join(",");
    let fuse = mount.fstype.starts_with("fuse");
    let class = match (fuse, hosts.is_empty()) {
        (true, true) => Class::Fuse,
        (true, false) => Class::FuseServer,
        (false, _) => Class::Server,
    };
    let name = if fuse || hosts.is_empty() {
        format!("{} {}", mount.fstype, mount.target)
    } else if mount.fstype.starts_with("nfs") {
        format!("nfs {hosts}")
    } else {
        format!("{} {hosts}", mount.fstype)
    };
    (name, class)
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
        let class = |source, fstype| group_of(&mount(source, fstype, "/a")).1;
        assert_eq!(a.1, Class::Server);
        assert_eq!(class("root@10.50.1.70:/a", "fuse.sshfs"), Class::FuseServer);
        assert_eq!(class("x", "fuse.x"), Class::Fuse);
        assert_ne!(
            group_of(&mount("x", "fuse.x", "/d")),
            group_of(&mount("x", "fuse.x", "/e"))
        );
    }
}
