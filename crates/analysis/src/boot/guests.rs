//! Which guests libvirt starts after the boot, and why the others stay down.

use facts::{
    Snapshot, Source,
    domain::{Disk, Guest},
};

use super::attempt::{self, World};
use super::conditions::Reach;
use super::graph::End;
use super::plan::Host;
use super::predict::{Boot, GuestResult, GuestStart, MountResult, Mounted, Outcome};
use facts::path;

/// All guests of the snapshot, in its order.
pub(super) fn starts(
    boot: &Boot,
    snapshot: &Snapshot,
    world: &World<'_>,
    daemon: Option<&str>,
    end: &Option<End>,
) -> Vec<GuestStart> {
    let stopped = if boot.outcome == Outcome::Emergency {
        Some("the host stops before libvirt starts".to_owned())
    } else {
        match (daemon, end) {
            (None, _) => Some("no libvirt daemon runs on this host".to_owned()),
            (Some(name), None) => Some(format!("{name} is not started")),
            (Some(name), Some(end)) if !end.ok => Some(format!(
                "{name} fails: it needs {}",
                end.blame.as_deref().unwrap_or("a unit that fails")
            )),
            _ => None,
        }
    };
    let paths = Paths {
        boot,
        snapshot,
        world,
        host: Host::of(snapshot),
    };
    snapshot
        .guests
        .iter()
        .map(|guest| {
            let (result, reason) = one(guest, &paths, stopped.as_deref());
            GuestStart {
                name: guest.name.clone(),
                result,
                reason,
            }
        })
        .collect()
}

fn one(guest: &Guest, paths: &Paths<'_>, stopped: Option<&str>) -> (GuestResult, String) {
    let idle = |why: &str| (GuestResult::NotAutostarted, why.to_owned());
    if !guest.persistent {
        return idle("transient: it has no definition to start from");
    }
    match guest.autostart {
        Some(true) => {}
        Some(false) => return idle("autostart is off"),
        None => return idle("whether it autostarts could not be read"),
    }
    if let Some(why) = stopped {
        return (GuestResult::DoesNotStart, why.to_owned());
    }
    let mut notes = Vec::new();
    for obstacle in paths.obstacles(guest) {
        match obstacle {
            Obstacle::Stops(why) => return (GuestResult::DoesNotStart, why),
            Obstacle::Note(why) => notes.push(why),
        }
    }
    notes.dedup();
    (GuestResult::Starts, notes.join("; "))
}

enum Obstacle {
    Stops(String),
    Note(String),
}

struct Paths<'a> {
    boot: &'a Boot,
    snapshot: &'a Snapshot,
    world: &'a World<'a>,
    host: Host,
}

impl Paths<'_> {
    fn obstacles(&self, guest: &Guest) -> Vec<Obstacle> {
        let mut found = Vec::new();
        for disk in &guest.disks {
            self.disk(disk, &mut found);
        }
        for file in &guest.files {
            if let Some(why) = self.path(&file.path) {
                found.push(relabel(why, &file.role));
            }
        }
        for save in self
            .snapshot
            .images
            .managed_saves
            .iter()
            .filter(|s| s.guest == guest.name)
        {
            for disk in &save.disks {
                if let Some(why) = self.path(disk) {
                    found.push(relabel(why, "its managed save names"));
                }
            }
        }
        for interface in guest.interfaces.iter().filter(|i| i.kind == "network") {
            let Some(name) = interface.source.as_deref() else {
                continue;
            };
            let network = self.snapshot.networks.iter().find(|n| n.name == name);
            if network.is_some_and(|n| n.autostart == Some(false)) {
                found.push(Obstacle::Stops(format!(
                    "network {name} does not autostart"
                )));
            } else if network.is_none() && self.snapshot.why_unread(Source::Networks).is_none() {
                found.push(Obstacle::Stops(format!("there is no network {name}")));
            }
        }
        // What stops it outweighs what is only worth knowing.
        found.sort_by_key(|obstacle| matches!(obstacle, Obstacle::Note(_)));
        found
    }

    fn disk(&self, disk: &Disk, found: &mut Vec<Obstacle>) {
        // Optional sources are dropped from the start where they are missing; `requisite` ones
        // stop a start at boot (libvirt, formatdomain, startupPolicy).
        let optional = disk.startup_policy.as_deref() == Some("optional");
        let Some(source) = disk.source.as_deref() else {
            return;
        };
        let label = format!(
            "{} {}",
            if disk.device.is_empty() {
                "disk"
            } else {
                &disk.device
            },
            disk.target
        );
        let mut add = |obstacle: Option<Obstacle>| match obstacle {
            Some(Obstacle::Stops(why)) if optional => {
                found.push(Obstacle::Note(format!("{label} is left out: {why}")));
            }
            Some(Obstacle::Stops(why)) => found.push(Obstacle::Stops(format!("{label}: {why}"))),
            Some(Obstacle::Note(why)) => found.push(Obstacle::Note(format!("{label}: {why}"))),
            None => {}
        };
        match disk.kind.as_str() {
            "volume" => {
                if let Some(pool) = source.split('/').next() {
                    add(self.pool(pool));
                }
                if let Some(path) = disk.resolved.as_deref() {
                    add(self.path(path));
                }
            }
            "network" => {
                for host in &disk.hosts {
                    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, port)| {
                        if port.bytes().all(|b| b.is_ascii_digit()) {
                            name
                        } else {
                            host
                        }
                    });
                    match self.world.conditions.reach(name, self.snapshot) {
                        Reach::Silent(why) | Reach::Unresolvable(why) => {
                            add(Some(Obstacle::Stops(why)));
                        }
                        Reach::Reachable(_) => {}
                    }
                }
            }
            _ => add(self.path(source)),
        }
        for backing in disk
            .backing
            .iter()
            .filter(|b| matches!(b.kind.as_str(), "" | "file" | "block"))
        {
            match self.path(&backing.source) {
                Some(Obstacle::Stops(why)) => {
                    add(Some(Obstacle::Stops(format!("backing file {why}"))));
                }
                other => add(other),
            }
        }
    }

    /// A pool that must be active for a volume of it to be used.
    fn pool(&self, name: &str) -> Option<Obstacle> {
        if self.snapshot.why_unread(Source::Pools).is_some() {
            return None;
        }
        let Some(pool) = self.snapshot.pools.iter().find(|pool| pool.name == name) else {
            return Some(Obstacle::Stops(format!("there is no pool {name}")));
        };
        if pool.autostart == Some(false) {
            return Some(Obstacle::Stops(format!("pool {name} does not autostart")));
        }
        if pool.kind == "netfs" {
            let source = pool.source.as_deref().unwrap_or("");
            for host in super::conditions::servers(source, "nfs") {
                if let Reach::Silent(why) | Reach::Unresolvable(why) =
                    self.world.conditions.reach(&host, self.snapshot)
                {
                    return Some(Obstacle::Stops(format!("pool {name}: {why}")));
                }
            }
        }
        pool.target.as_deref().and_then(|path| self.path(path))
    }

    /// What stands between a guest and a path on the host.
    fn path(&self, path: &str) -> Option<Obstacle> {
        if !path.starts_with('/') {
            return None;
        }
        let path = self.host.canonical(path);
        let mount = self
            .boot
            .mounts
            .iter()
            .filter(|m| m.unit.is_some() && path::is_below(&path, &m.mount_point))
            .max_by_key(|m| m.mount_point.len());
        let Some(mount) = mount.filter(|m| m.mount_point != "/") else {
            return self.missing(&path);
        };
        match mount.result {
            MountResult::Failed => Some(Obstacle::Stops(format!(
                "{path} lies on {}, which is not mounted",
                mount.target
            ))),
            MountResult::Skipped => self.skipped(&path, mount),
            MountResult::Mounted => self.unordered(mount),
        }
    }

    fn skipped(&self, path: &str, mount: &Mounted) -> Option<Obstacle> {
        let automount = mount
            .pulled_in_by
            .iter()
            .any(|link| link.unit.ends_with(".automount"));
        if !automount {
            return Some(Obstacle::Stops(format!(
                "{path} lies on {}, which the boot does not mount",
                mount.target
            )));
        }
        let entry = self
            .snapshot
            .fstab
            .iter()
            .find(|entry| entry.line == mount.line)?;
        let plan = super::plan::unit_of(entry, &self.host);
        let there = plan
            .device
            .as_ref()
            .map(|_| attempt::find_device(&plan, &entry.source, self.world));
        let tried = there
            .filter(|device| !device.ok)
            .unwrap_or_else(|| attempt::mount(&plan, &entry.source, self.world));
        (!tried.ok).then(|| {
            Obstacle::Stops(format!(
                "{path} lies on automount {}: libvirt waits {} and fails ({})",
                mount.target,
                attempt::span(tried.seconds),
                tried.reason
            ))
        })
    }

    /// A mount with `nofail` that nothing orders before libvirt.
    fn unordered(&self, mount: &Mounted) -> Option<Obstacle> {
        let entry = self
            .snapshot
            .fstab
            .iter()
            .find(|entry| entry.line == mount.line)?;
        let plan = super::plan::unit_of(entry, &self.host);
        let ordered = plan.before.iter().any(|unit| {
            unit.contains("virt") || unit.starts_with("remote-fs") || unit.starts_with("local-fs")
        });
        (plan.nofail && plan.network && !ordered).then(|| {
            Obstacle::Note(format!(
                "nothing makes libvirt wait for {}: x-systemd.before=libvirtd.service would",
                mount.target
            ))
        })
    }

    /// A file on a file system that is always there, known to be absent.
    fn missing(&self, path: &str) -> Option<Obstacle> {
        self.snapshot
            .images
            .files
            .iter()
            .find(|image| image.path == path && image.size.is_absent())
            .map(|_| Obstacle::Stops(format!("{path} does not exist")))
    }
}

fn relabel(obstacle: Obstacle, label: &str) -> Obstacle {
    match obstacle {
        Obstacle::Stops(why) => Obstacle::Stops(format!("{label}: {why}")),
        Obstacle::Note(why) => Obstacle::Note(format!("{label}: {why}")),
    }
}
