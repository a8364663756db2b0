//! What becomes of one attempt to mount, to find a device, or to switch swap on.

use facts::block::{BlockDevice, Damage};
use facts::{Known, Snapshot, Source};

use super::conditions::{Conditions, Reach, servers};
use super::plan::{Kind, UnitPlan};
use super::timespan::Limit;
use super::{fstype, options};
use facts::path;
use facts::unit::escape;

/// How long systemd waits for a mount and for a device where nothing says otherwise:
/// `DefaultTimeoutStartSec=` and `DefaultDeviceTimeoutSec=` of systemd-system.conf(5).
pub const DEFAULT_SECONDS: u64 = 90;

/// The end of an attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attempt {
    /// Whether it succeeds.
    pub ok: bool,
    /// How long it takes, seconds; infinite where nothing ends it.
    pub seconds: f64,
    /// Why, in a person's words.
    pub reason: String,
    /// What had to be assumed.
    pub assumed: Option<String>,
}

impl Attempt {
    fn ok(reason: impl Into<String>) -> Self {
        Self {
            ok: true,
            reason: reason.into(),
            ..Self::default()
        }
    }

    pub(super) fn fails(seconds: f64, reason: impl Into<String>) -> Self {
        Self {
            ok: false,
            seconds,
            reason: reason.into(),
            assumed: None,
        }
    }

    fn assuming(mut self, what: impl Into<String>) -> Self {
        self.assumed = Some(what.into());
        self
    }
}

fn seconds(limit: Option<Limit>) -> f64 {
    match limit {
        None => DEFAULT_SECONDS as f64,
        Some(Limit::After(time)) => time.as_secs_f64(),
        Some(Limit::Infinite) => f64::INFINITY,
    }
}

/// The device that a source names, among those that were read.
pub fn device<'s>(snapshot: &'s Snapshot, what: &str) -> Option<&'s BlockDevice> {
    let what = path::simplify(what);
    let tagged = |by: &str, value: &Option<String>| {
        value
            .as_ref()
            .is_some_and(|value| what == escape::udev_node(&format!("{by}={value}")))
    };
    snapshot.block_devices.devices.iter().find(|device| {
        device.name == what
            || device.links.contains(&what)
            || tagged("UUID", &device.uuid)
            || tagged("LABEL", &device.label)
            || tagged("PARTUUID", &device.partuuid)
            || tagged("PARTLABEL", &device.partlabel)
    })
}

/// Whether the device unit of a plan comes up.
pub(super) fn find_device(plan: &UnitPlan, source: &str, world: &World<'_>) -> Attempt {
    let limit = seconds(plan.device_timeout);
    if world.conditions.source_listed(source, &plan.what).is_some() {
        return Attempt::fails(limit, format!("{source} does not appear"));
    }
    if device(world.snapshot, &plan.what).is_some() {
        return Attempt::ok("");
    }
    // A tree that records devices at all (images below its dev) records all that it has.
    let recorded = !world.snapshot.block_devices.devices.is_empty();
    if let Some(why) = world
        .snapshot
        .why_unread(Source::BlockDevices)
        .filter(|_| !recorded)
    {
        return Attempt::ok("").assuming(format!(
            "assumed that {source} is there and of the stated type: block devices were not read ({why})"
        ));
    }
    let mapped = plan.what.strip_prefix("/dev/mapper/").and_then(|name| {
        world
            .snapshot
            .block_devices
            .crypttab
            .iter()
            .find(|entry| entry.name == name)
    });
    if let Some(entry) = mapped {
        return Attempt::ok("").assuming(format!(
            "assumed that {source} is unlocked at boot (/etc/crypttab, line {})",
            entry.line
        ));
    }
    Attempt::fails(limit, format!("there is no device {source}"))
}

/// The check before a mount: it fails where it cannot repair by itself, and with it the mount that requires it
/// (fsck(8), status 4; systemd-fsck@.service(8)).
pub(super) fn check(plan: &UnitPlan, source: &str, world: &World<'_>) -> Attempt {
    match device(world.snapshot, &plan.what).and_then(|device| device.damage) {
        Some(Damage::NoRoot) => Attempt::fails(
            0.0,
            format!(
                "the file system on {source} is damaged (it has no root directory), and its check does not repair that by itself"
            ),
        ),
        _ => Attempt::ok(""),
    }
}

/// What an attempt may look at.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub snapshot: &'a Snapshot,
    pub conditions: &'a Conditions,
}

/// The mount or swapon itself, its dependencies being there.
pub(super) fn mount(plan: &UnitPlan, source: &str, world: &World<'_>) -> Attempt {
    if plan.mount_point == "/" {
        return Attempt::ok("the root is mounted before systemd reads fstab");
    }
    let limit = seconds(plan.timeout);
    if (escape::is_device_path(&plan.what) || plan.looped) && !plan.bind {
        // An image has no device unit that would be waited for.
        if plan.looped && world.conditions.source_listed(source, &plan.what).is_some() {
            return Attempt::fails(0.0, format!("{source} is not there"));
        }
        return local(plan, source, world);
    }
    if plan.kind == Kind::Swap || plan.bind || fstype::is_virtual(&plan.fstype) {
        return Attempt::ok("");
    }
    let hosts = servers(&plan.what, &plan.fstype);
    let network = fstype::is_network(&plan.fstype);
    if !network && looks_remote(&plan.what) && is_disk_type(&plan.fstype) {
        return Attempt::fails(
            0.0,
            format!(
                "{source} is a network source, but the type is {}: mount finds no such device",
                stated(plan)
            ),
        );
    }
    // mount(8) takes such a word for a path below the current directory, where nothing is.
    if !network && !plan.what.starts_with('/') && is_disk_type(&plan.fstype) {
        return Attempt::fails(
            0.0,
            format!("{source} is no device, and {} needs one", stated(plan)),
        );
    }
    if let Some(word) = world.conditions.source_listed(source, &plan.what) {
        return silent(plan, limit, &format!("{word} does not answer"));
    }
    let mut assumed = None;
    let mut worst: Option<Attempt> = None;
    for host in &hosts {
        match world.conditions.reach(host, world.snapshot) {
            Reach::Reachable(why) => {
                assumed = why;
                worst = None;
                break;
            }
            Reach::Silent(why) => worst = Some(silent(plan, limit, &why)),
            Reach::Unresolvable(why) => worst = Some(unresolved(plan, limit, &why)),
        }
    }
    match worst {
        Some(attempt) => attempt,
        None => Attempt {
            ok: true,
            assumed,
            ..Attempt::default()
        },
    }
}

/// The mount of a device that is there: does its type fit?
fn local(plan: &UnitPlan, source: &str, world: &World<'_>) -> Attempt {
    let Some(device) = device(world.snapshot, &plan.what) else {
        return Attempt::ok("");
    };
    let real = match &device.fstype {
        Known::Known(real) => real.as_str(),
        Known::Absent if plan.makefs => return Attempt::ok("made by x-systemd.makefs"),
        Known::Absent => {
            return Attempt::fails(0.0, format!("{source} holds no file system"));
        }
        Known::Unreadable(why) => {
            return Attempt::ok("").assuming(format!(
                "assumed that {source} is of the stated type: it could not be read ({why})"
            ));
        }
    };
    let wanted = if plan.kind == Kind::Swap {
        "swap"
    } else {
        &plan.fstype
    };
    if fits(wanted, real) {
        match device.damage {
            None => Attempt::ok(""),
            Some(Damage::NoRoot) => Attempt::fails(
                0.0,
                format!("the file system on {source} is damaged: it has no root directory"),
            ),
            Some(Damage::Errors) => Attempt::ok("").assuming(format!(
                "assumed that the file system on {source}, which records errors, mounts; {}",
                if plan.fsck.is_some() {
                    "should its check not repair it by itself, the mount fails"
                } else {
                    "no check is made at boot (last field of its line)"
                }
            )),
        }
    } else {
        Attempt::fails(
            0.0,
            format!(
                "{source} is {real}, the line says {}",
                if wanted.is_empty() { "auto" } else { wanted }
            ),
        )
    }
}

/// Whether a file system of type `real` mounts when the line says `stated`.
///
/// The ext4 driver mounts ext2 and ext3 (the kernel's ext4.txt); an ext4 with extents does not
/// mount as ext3 or ext2. FAT goes by several names.
pub fn fits(stated: &str, real: &str) -> bool {
    const NOT_MOUNTABLE: [&str; 9] = [
        "swap",
        "LVM2_member",
        "linux_raid_member",
        "crypto_LUKS",
        "zfs_member",
        "ddf_raid_member",
        "isw_raid_member",
        "bcache",
        "ceph_bluestore",
    ];
    match stated {
        "" | "auto" | "none" => !NOT_MOUNTABLE.contains(&real),
        "swap" => real == "swap" || real == "swsuspend",
        "ext4" => matches!(real, "ext2" | "ext3" | "ext4"),
        "ext3" => matches!(real, "ext3" | "ext2"),
        "ext2" => matches!(real, "ext2" | "ext3"),
        "vfat" | "msdos" | "fat" => matches!(real, "vfat" | "msdos" | "fat"),
        "ntfs" | "ntfs3" | "ntfs-3g" | "fuseblk" => real == "ntfs",
        "iso9660" | "udf" => matches!(real, "iso9660" | "udf"),
        "zfs" => true,
        // Helpers of their own (`mount.TYPE`) know what they take.
        other if other.starts_with("fuse.") => true,
        other => other == real,
    }
}

fn stated(plan: &UnitPlan) -> &str {
    if plan.fstype.is_empty() {
        "auto"
    } else {
        &plan.fstype
    }
}

/// `host:/path` or `//host/share`.
pub fn looks_remote(source: &str) -> bool {
    source.starts_with("//")
        || !source.starts_with('/') && source.split_once(":/").is_some_and(|(h, _)| !h.is_empty())
}

/// A type that lies on a block device (or `auto`, which looks for one unless the source tells).
fn is_disk_type(fstype: &str) -> bool {
    matches!(
        fstype,
        "ext2"
            | "ext3"
            | "ext4"
            | "xfs"
            | "btrfs"
            | "vfat"
            | "msdos"
            | "f2fs"
            | "jfs"
            | "reiserfs"
            | "ntfs"
            | "ntfs3"
            | "iso9660"
            | "udf"
            | "squashfs"
            | "erofs"
            | "exfat"
    )
}

/// Minutes for which mount.nfs goes on trying, nfs(5): 2 in the foreground, `retry=` else.
fn nfs_minutes(plan: &UnitPlan) -> Option<f64> {
    matches!(plan.fstype.as_str(), "nfs" | "nfs4").then(|| {
        options::value(&plan.options, &["retry"])
            .flatten()
            .and_then(|minutes| minutes.parse().ok())
            .unwrap_or(2.0)
    })
}

/// A server that does not answer. mount.nfs tries until `retry=` is over (it gave up after 125 s
/// where 2 minutes hold); systemd ends it at its own limit. Each single try lasts as long as the
/// kernel waits for the connection.
fn silent(plan: &UnitPlan, limit: f64, why: &str) -> Attempt {
    let own = match plan.fstype.strip_prefix("fuse.").unwrap_or(&plan.fstype) {
        "nfs" | "nfs4" => match nfs_minutes(plan).unwrap_or(2.0) {
            0.0 => f64::INFINITY,
            minutes => minutes * 60.0 + 5.0,
        },
        // Two ports, five seconds each, then EINPROGRESS or EHOSTUNREACH.
        "cifs" | "smb3" => 10.0,
        // mount_timeout of the kernel client.
        "ceph" => options::value(&plan.options, &["mount_timeout"])
            .flatten()
            .and_then(|s| s.parse().ok())
            .unwrap_or(60.0),
        _ => f64::INFINITY,
    };
    ends(plan, limit, own, why)
}

/// A name that does not resolve. mount.nfs takes "temporary failure" as a reason to try again, as
/// long as for a silent server (measured: 125 s, `retry=1` 65 s, `retry=0` one look-up).
fn unresolved(plan: &UnitPlan, limit: f64, why: &str) -> Attempt {
    let own = match nfs_minutes(plan) {
        Some(0.0) | None => 10.0,
        Some(minutes) => minutes * 60.0 + 5.0,
    };
    ends(plan, limit, own, why)
}

fn ends(plan: &UnitPlan, limit: f64, own: f64, why: &str) -> Attempt {
    let seconds = own.min(limit);
    let end = if seconds.is_infinite() {
        "and nothing ends the attempt".to_owned()
    } else if limit <= own {
        let set = if plan.timeout.is_some() {
            "x-systemd.mount-timeout"
        } else {
            "systemd's default limit"
        };
        format!("{set} ends the attempt after {}", span(seconds))
    } else {
        format!("the attempt ends after {}", span(seconds))
    };
    Attempt::fails(seconds, format!("{why}; {end}"))
}

/// `90 s`.
pub(super) fn span(seconds: f64) -> String {
    if seconds.is_infinite() {
        "no end".to_owned()
    } else {
        format!("{} s", seconds.round())
    }
}
