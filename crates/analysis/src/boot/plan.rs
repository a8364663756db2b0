//! What systemd-fstab-generator(8) makes of each line of fstab: the unit, who pulls it in, its
//! order and its time limits.
//!
//! Read from the manual pages systemd.mount(5), systemd.swap(5) and systemd-fstab-generator(8)
//! and, where they are silent, from the generator's behaviour: version 252 is compared with this
//! module over thousands of random fstabs (`lab/tests/boot_generator.rs`), 239 and 257 differ as
//! [`Host::version`] tells.

use std::collections::{BTreeMap, BTreeSet};

use facts::{Snapshot, fstab::Entry};

use super::line::{self, Fields};
use super::timespan::{self, Limit};
use super::{fstype, options};
use facts::path;
use facts::unit::escape::{self, is_device_path};

/// The version assumed where none was read: that of Debian 12 and, but for its patches, RHEL 9.
pub const DEFAULT_VERSION: u32 = 252;

/// What the generator consults beside fstab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// systemd's version. `x-systemd.wanted-by=` and `required-by=` are known since 244,
    /// `x-systemd.rw-only` since 246; since 257 they also drop the default target, and `/usr`
    /// takes no `nofail` and no `noauto` either.
    pub version: u32,
    /// Debian or a child of it: `/run/lock` is an API mount there before 257.
    pub debian: bool,
    /// A RHEL, where swap with `_netdev` stands under `remote-fs.target` (a patch; upstream's 257 has it
    /// under `swap.target` still).
    pub rhel: bool,
    /// Symbolic links to directories, path and destination: the generator follows them in
    /// mount points.
    pub links: BTreeMap<String, String>,
    /// File system types with a `fsck.TYPE` program; for others a pass number has no effect.
    pub checkers: Vec<String>,
    /// `fstab=no` on the kernel command line turns the generator off for fstab.
    pub fstab_enabled: bool,
    /// `systemd.swap=no` or `noswap` (since 254) on the kernel command line.
    pub swap_enabled: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            version: DEFAULT_VERSION,
            debian: true,
            rhel: false,
            links: [
                ("/bin", "/usr/bin"),
                ("/sbin", "/usr/sbin"),
                ("/lib", "/usr/lib"),
                ("/lib64", "/usr/lib64"),
                ("/var/run", "/run"),
                ("/var/lock", "/run/lock"),
            ]
            .into_iter()
            .map(|(link, to)| (link.to_owned(), to.to_owned()))
            .collect(),
            checkers: [
                "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "minix", "cramfs", "fat", "msdos",
            ]
            .map(str::to_owned)
            .to_vec(),
            fstab_enabled: true,
            swap_enabled: true,
        }
    }
}

impl Host {
    /// What a snapshot tells of it.
    pub fn of(snapshot: &Snapshot) -> Self {
        let os = snapshot.os.as_deref().unwrap_or("").to_lowercase();
        let rhel = [
            "red hat",
            "rhel",
            "centos",
            "rocky",
            "alma",
            "oracle linux",
            "fedora",
        ]
        .iter()
        .any(|name| os.contains(name));
        let version = snapshot.systemd_version.unwrap_or(DEFAULT_VERSION);
        let word = |wanted: &[&str]| {
            snapshot
                .kernel
                .command_line
                .as_deref()
                .unwrap_or("")
                .split_ascii_whitespace()
                .rev()
                .find(|word| wanted.contains(&word.split('=').next().unwrap_or("")))
                .map(str::to_owned)
        };
        let off = |word: Option<String>| {
            word.and_then(|w| w.split_once('=').map(|(_, value)| value.to_lowercase()))
                .is_some_and(|value| {
                    matches!(value.as_str(), "0" | "no" | "n" | "false" | "f" | "off")
                })
        };
        Self {
            version,
            debian: !rhel,
            rhel,
            fstab_enabled: !off(word(&["fstab"])),
            swap_enabled: !off(word(&["systemd.swap"]))
                && (version < 254 || word(&["noswap"]).is_none()),
            ..Self::default()
        }
    }

    /// The path with every symbolic link on the way followed, as far as they are known.
    pub(super) fn canonical(&self, path: &str) -> String {
        let mut path = path::simplify(path);
        for _ in 0..40 {
            let found = self
                .links
                .iter()
                .find(|(link, _)| path::is_below(&path, link));
            let Some((link, to)) = found else { break };
            path = path::simplify(&format!("{to}{}", &path[link.len()..]));
        }
        path
    }
}

/// Mount or swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `.mount` unit.
    Mount,
    /// A `.swap` unit.
    Swap,
}

/// How strongly one unit pulls another in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// Its failure fails the one that pulls.
    Requires,
    /// Its failure is only noted.
    Wants,
}

impl Requirement {
    /// `requires` or `wants`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::Wants => "wants",
        }
    }
}

/// One link that the generator writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PulledIn {
    /// The `.mount`, `.automount` or `.swap`.
    pub unit: String,
    /// The unit that pulls it in, usually a target.
    pub target: String,
    /// How strongly.
    pub requirement: Requirement,
}

/// Why a line yields no unit, or one that is never started at boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoUnit {
    /// The type `autofs` is left to autofs.
    Autofs,
    /// The target is not a path.
    NotAPath,
    /// The target is an API mount of systemd's own.
    Api,
    /// The target cannot be a unit name (`..` in it).
    BadName,
    /// An earlier line made the unit already.
    Duplicate {
        /// That line.
        line: u32,
    },
    /// The generator gives up on this line after it began the unit.
    GivesUp(String),
    /// This line makes the generator abort: it and all lines after it come to nothing.
    Aborts(String),
    /// An earlier line made the generator abort.
    Aborted {
        /// That line.
        line: u32,
    },
    /// Turned off on the kernel command line.
    Disabled,
}

impl NoUnit {
    /// In words, for a reason.
    pub fn text(&self) -> String {
        match self {
            Self::Autofs => "systemd leaves lines of type autofs alone".into(),
            Self::NotAPath => "the mount point is not a path".into(),
            Self::Api => "systemd mounts this API file system itself and ignores the line".into(),
            Self::BadName => "systemd refuses a mount point with \"..\" in it".into(),
            Self::Duplicate { line } => {
                format!("line {line} has the same mount point: systemd keeps the first")
            }
            Self::GivesUp(why) => format!("systemd's generator gives up on the line: {why}"),
            Self::Aborts(why) => {
                format!("systemd's generator aborts here, all later lines are lost: {why}")
            }
            Self::Aborted { line } => {
                format!("systemd's generator aborts at line {line}, before it reads this one")
            }
            Self::Disabled => "turned off on the kernel command line".into(),
        }
    }
}

/// What the generator makes of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlan {
    /// The line, from 1.
    pub line: u32,
    /// Mount or swap.
    pub kind: Kind,
    /// The `.mount` or `.swap`; `None` where the line yields none.
    pub unit: Option<String>,
    /// The `.automount` beside it.
    pub automount: Option<String>,
    /// Why there is none, or why it is incomplete.
    pub no_unit: Option<NoUnit>,
    /// Source as the unit has it (`/dev/disk/by-uuid/…`).
    pub what: String,
    /// Mount point as the unit has it: simplified, links followed. Empty for swap.
    pub mount_point: String,
    /// Type, empty for automatic.
    pub fstype: String,
    /// Options, with what the generator adds.
    pub options: String,
    /// The links; empty where nothing pulls it in.
    pub pulled_in_by: Vec<PulledIn>,
    /// `Before=` of the unit file.
    pub before: Vec<String>,
    /// `After=` of the unit file.
    pub after: Vec<String>,
    /// `Requires=` of the unit file.
    pub requires: Vec<String>,
    /// `Wants=` of the unit file.
    pub wants: Vec<String>,
    /// `RequiresMountsFor=` of the unit file.
    pub requires_mounts_for: Vec<String>,
    /// Whether systemd takes it for a network mount.
    pub network: bool,
    /// `nofail` in force.
    pub nofail: bool,
    /// `noauto` in force.
    pub noauto: bool,
    /// Bind mount.
    pub bind: bool,
    /// Loop mount.
    pub looped: bool,
    /// `TimeoutSec=`; `None` is the manager's default, 90 s.
    pub timeout: Option<Limit>,
    /// The device unit that it waits for.
    pub device: Option<String>,
    /// `JobRunningTimeoutSec=` of that device unit; `None` is the default, 90 s.
    pub device_timeout: Option<Limit>,
    /// The option that set a device time-out which systemd ignores, since there is no device.
    pub device_timeout_ignored: bool,
    /// `systemd-fsck@….service`, or `systemd-fsck-root.service` for the root.
    pub fsck: Option<String>,
    /// `x-systemd.makefs` makes the file system where there is none.
    pub makefs: bool,
}

/// The target of local mounts: its failure means emergency mode.
pub const LOCAL_FS: &str = "local-fs.target";
/// The target of network mounts: its failure degrades the boot.
pub const REMOTE_FS: &str = "remote-fs.target";
/// The target of swap.
pub const SWAP: &str = "swap.target";

/// What one line becomes, looked at alone: duplicates are not seen, see [`plan`].
pub fn unit_of(entry: &Entry, host: &Host) -> UnitPlan {
    let fields = line::fields(entry);
    let swap = fields.fstype == "swap";
    let mut plan = empty(
        entry.line,
        if swap { Kind::Swap } else { Kind::Mount },
        &fields,
    );
    if !host.fstab_enabled || swap && !host.swap_enabled {
        plan.no_unit = Some(NoUnit::Disabled);
        return plan;
    }
    if swap {
        swap_unit(&mut plan, host);
    } else {
        mount_unit(&mut plan, &fields, host);
    }
    plan
}

/// What the whole of fstab becomes, a plan for each entry, in order. The generator refuses a
/// second unit of the same name and goes on.
pub fn plan(entries: &[Entry], host: &Host) -> Vec<UnitPlan> {
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    let mut made: BTreeSet<(bool, String)> = BTreeSet::new();
    let mut aborted = None;
    let mut plans = Vec::new();
    for entry in entries {
        let mut plan = unit_of(entry, host);
        if let Some(line) = aborted {
            let fields = line::fields(entry);
            plan = empty(entry.line, plan.kind, &fields);
            plan.no_unit = Some(NoUnit::Aborted { line });
        } else if let Some(unit) = &plan.unit {
            if let Some(&line) = lines.get(unit) {
                let (kind, mount_point) = (plan.kind, plan.mount_point.clone());
                plan = empty(entry.line, kind, &line::fields(entry));
                plan.mount_point = mount_point;
                plan.no_unit = Some(NoUnit::Duplicate { line });
            } else {
                lines.insert(unit.clone(), entry.line);
                let maker = (plan.kind == Kind::Swap, path::simplify(&plan.what));
                if plan.makefs && !made.insert(maker) && plan.no_unit.is_none() {
                    plan.pulled_in_by.clear();
                    plan.automount = None;
                    plan.no_unit = Some(NoUnit::GivesUp(
                        "an earlier line makes a file system on the same device".into(),
                    ));
                }
                if matches!(plan.no_unit, Some(NoUnit::Aborts(_))) {
                    aborted = Some(entry.line);
                }
            }
        }
        plans.push(plan);
    }
    plans
}

fn empty(line: u32, kind: Kind, fields: &Fields) -> UnitPlan {
    UnitPlan {
        line,
        kind,
        unit: None,
        automount: None,
        no_unit: None,
        what: escape::udev_node(&fields.source),
        mount_point: if kind == Kind::Swap {
            String::new()
        } else {
            path::simplify(&fields.target)
        },
        fstype: if fields.fstype == "auto" {
            String::new()
        } else {
            fields.fstype.clone()
        },
        options: fields.options.clone(),
        pulled_in_by: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        requires: Vec::new(),
        wants: Vec::new(),
        requires_mounts_for: Vec::new(),
        network: options::has(&fields.options, &["_netdev"]) || fstype::is_network(&fields.fstype),
        nofail: options::yes(&fields.options, "nofail", "fail"),
        noauto: options::yes(&fields.options, "noauto", "auto"),
        bind: options::is_bind(&fields.options, &fields.fstype),
        looped: options::has(&fields.options, &["loop"]),
        timeout: None,
        device: None,
        device_timeout: None,
        device_timeout_ignored: false,
        fsck: None,
        makefs: false,
    }
}

/// The generator's way with swap: no `Before=` of its own, `swap.target` pulls it in.
fn swap_unit(plan: &mut UnitPlan, host: &Host) {
    let Some(unit) = escape::unit_from_path(&plan.what, ".swap") else {
        plan.no_unit = Some(NoUnit::BadName);
        return;
    };
    plan.unit = Some(unit.clone());
    blockdev(plan);
    if plan.no_unit.is_some() || device_limit(plan).is_err() {
        return;
    }
    let makefs = options::has(&plan.options, &["x-systemd.makefs"]);
    if makefs && !is_device_path(&plan.what) {
        plan.no_unit = Some(NoUnit::GivesUp(
            "x-systemd.makefs on what is no device".into(),
        ));
        return;
    }
    plan.makefs = makefs;
    let remote = plan.network && host.rhel;
    if !plan.noauto {
        let target = if remote { REMOTE_FS } else { SWAP };
        pull(plan, &unit, target, plan.nofail);
    }
}

fn mount_unit(plan: &mut UnitPlan, fields: &Fields, host: &Host) {
    if let Err(why) = mount_point(plan, fields, host) {
        plan.no_unit = Some(why);
        return;
    }
    let Some(unit) = escape::unit_from_path(&plan.mount_point, ".mount") else {
        plan.no_unit = Some(NoUnit::BadName);
        return;
    };
    plan.unit = Some(unit.clone());
    let mut automount = options::has(
        &plan.options,
        &["x-systemd.automount", "comment=systemd.automount"],
    );
    let (mut wanted, mut required) = (Vec::new(), Vec::new());
    if host.version >= 244 {
        wanted = options::values(&plan.options, "x-systemd.wanted-by");
        required = options::values(&plan.options, "x-systemd.required-by");
    }
    if plan.mount_point == "/" || host.version >= 257 && plan.mount_point == "/usr" {
        (plan.nofail, plan.noauto, automount) = (false, false, false);
        wanted.clear();
        required.clear();
    }
    if matches!(plan.fstype.as_str(), "nfs" | "nfs4")
        && !automount
        && options::yes(&plan.options, "bg", "fg")
    {
        plan.options = format!(
            "x-systemd.mount-timeout=infinity,retry=10000,nofail,{},fg",
            plan.options
        );
        plan.nofail = true;
    }
    let target = if plan.network { REMOTE_FS } else { LOCAL_FS };
    let own_target = host.version < 257 || wanted.is_empty() && required.is_empty();
    if let Err(why) = dependencies(plan, host) {
        plan.no_unit = Some(why);
        return;
    }
    if !own_target {
        plan.before.push("umount.target".to_owned());
    } else if !plan.nofail {
        plan.before.push(target.to_owned());
    }
    if fields.pass != 0 {
        fsck(plan, host);
    }
    blockdev(plan);
    if plan.no_unit.is_some() || device_limit(plan).is_err() {
        return;
    }
    match limit(&plan.options, &["x-systemd.mount-timeout"]) {
        Ok(span) => plan.timeout = span,
        Err(why) => {
            plan.no_unit = Some(why);
            return;
        }
    }
    let makefs = options::has(&plan.options, &["x-systemd.makefs"]);
    if makefs && (!is_device_path(&plan.what) || plan.fstype.is_empty()) {
        let why = if plan.fstype.is_empty() {
            "x-systemd.makefs without a type"
        } else {
            "x-systemd.makefs on what is no device"
        };
        plan.no_unit = Some(NoUnit::GivesUp(why.into()));
        return;
    }
    plan.makefs = makefs;
    let growfs = options::has(&plan.options, &["x-systemd.growfs"]);
    let long = |suffix: &str| unit.len() + suffix.len() > 255;
    if plan.makefs && long(".requires")
        || growfs
            && (long(".wants")
                || escape::instance_from_path("systemd-growfs", &plan.mount_point, ".service")
                    .is_none())
    {
        plan.no_unit = Some(NoUnit::GivesUp(
            "the mount point is too long for x-systemd.makefs and growfs".into(),
        ));
        return;
    }
    // From 257 on a drop-in whose name holds the mount point orders each of these services.
    let quota = options::has(&plan.options, &["usrquota", "grpquota", "quota"])
        && matches!(
            plan.fstype.as_str(),
            "ext2" | "ext3" | "ext4" | "reiserfs" | "jfs" | "f2fs"
        );
    let services = [(growfs, "growfs"), (quota, "quotacheck")];
    let too_long = services.iter().any(|(is, service)| {
        let name = format!("systemd-{service}@.service").len() + unit.len() - ".mount".len();
        let drop_in = name + "50-order-.conf".len();
        *is && (name > 255 || own_target && drop_in > 255)
    });
    if host.version >= 257 && too_long {
        plan.no_unit = Some(NoUnit::GivesUp(
            "the mount point is too long for x-systemd.growfs or the check of its quotas".into(),
        ));
        return;
    }
    let mut linked = unit;
    if automount {
        let name = escape::unit_from_path(&plan.mount_point, ".automount").unwrap_or_default();
        plan.automount = Some(name.clone());
        if let Err(why) = limit(&plan.options, &["x-systemd.idle-timeout"]) {
            plan.no_unit = Some(why);
            return;
        }
        linked = name;
    }
    link(plan, &linked, target, &wanted, &required, host);
}

/// Who pulls the unit in. Up to 256 an automount knows no `wanted-by`, and `noauto` has no effect
/// on it.
fn link(
    plan: &mut UnitPlan,
    unit: &str,
    target: &str,
    wanted: &[String],
    required: &[String],
    host: &Host,
) {
    let automount = plan.automount.is_some();
    let named = !wanted.is_empty() || !required.is_empty();
    if named && (!automount || host.version >= 257) {
        for by in wanted {
            pull(plan, unit, by, true);
        }
        for by in required {
            pull(plan, unit, by, false);
        }
    } else if automount || !plan.noauto {
        pull(plan, unit, target, plan.nofail);
    }
}

fn pull(plan: &mut UnitPlan, unit: &str, target: &str, wants: bool) {
    let link = PulledIn {
        unit: unit.to_owned(),
        target: target.to_owned(),
        requirement: if wants {
            Requirement::Wants
        } else {
            Requirement::Requires
        },
    };
    if !plan.pulled_in_by.contains(&link) {
        plan.pulled_in_by.push(link);
    }
}

/// The mount point: a path, links followed, not one of systemd's own.
fn mount_point(plan: &mut UnitPlan, fields: &Fields, host: &Host) -> Result<(), NoUnit> {
    if !fields.target.contains('/') {
        return Err(NoUnit::NotAPath);
    }
    let absolute = if fields.target.starts_with('/') {
        fields.target.clone()
    } else {
        format!("/{}", fields.target)
    };
    plan.mount_point = host.canonical(&absolute);
    if plan.fstype == "autofs" {
        return Err(NoUnit::Autofs);
    }
    // Debian's patch for /run/lock ended with 257.
    let early_lock = host.debian && host.version < 257;
    if fstype::is_api(&plan.mount_point, early_lock) {
        return Err(NoUnit::Api);
    }
    Ok(())
}

/// `x-systemd.after=`, `requires=`, `before=`, `requires-mounts-for=` and, since 257, `wants=`.
fn dependencies(plan: &mut UnitPlan, host: &Host) -> Result<(), NoUnit> {
    let named = |options: &str, option: &str| -> Result<Vec<String>, NoUnit> {
        options::values(options, option)
            .iter()
            .map(|name| {
                escape::mangle(name)
                    .ok_or_else(|| NoUnit::GivesUp(format!("{option}={name} names no unit")))
            })
            .collect()
    };
    plan.after = named(&plan.options, "x-systemd.after")?;
    let requires = named(&plan.options, "x-systemd.requires")?;
    plan.after.extend(requires.iter().cloned());
    plan.requires = requires;
    if host.version >= 257 {
        let wants = named(&plan.options, "x-systemd.wants")?;
        plan.after.extend(wants.iter().cloned());
        plan.wants = wants;
    }
    plan.before = named(&plan.options, "x-systemd.before")?;
    plan.requires_mounts_for = options::values(&plan.options, "x-systemd.requires-mounts-for");
    Ok(())
}

/// The check before the mount: only for a device, and only where its type has a checker.
fn fsck(plan: &mut UnitPlan, host: &Host) {
    let has_checker = plan.fstype.is_empty() || host.checkers.contains(&plan.fstype);
    if !is_device_path(&plan.what) || !has_checker {
        return;
    }
    if plan.mount_point == "/" {
        plan.fsck = Some("systemd-fsck-root.service".to_owned());
        return;
    }
    let Some(unit) = escape::instance_from_path("systemd-fsck", &plan.what, ".service") else {
        plan.no_unit = Some(NoUnit::GivesUp("the source is no name for a check".into()));
        return;
    };
    if plan.mount_point == "/usr" {
        plan.wants.push(unit.clone());
    } else {
        plan.requires.push(unit.clone());
    }
    plan.after.push(unit.clone());
    plan.fsck = Some(unit);
}

/// The device unit, and the target that delays it while it is being decrypted or assembled.
fn blockdev(plan: &mut UnitPlan) {
    if is_device_path(&plan.what) && path::simplify(&plan.what).starts_with("/dev/") {
        match escape::escape_path(&plan.what) {
            Some(name) => plan.after.push(format!("blockdev@{name}.target")),
            None => {
                plan.no_unit = Some(NoUnit::GivesUp("\"..\" in the path of a device".into()));
            }
        }
    }
    if is_device_path(&plan.what) && !plan.bind {
        plan.device = escape::unit_from_path(&plan.what, ".device");
    }
}

/// `x-systemd.device-timeout=`.
fn device_limit(plan: &mut UnitPlan) -> Result<(), ()> {
    const NAMES: [&str; 2] = ["x-systemd.device-timeout", "comment=systemd.device-timeout"];
    match limit(&plan.options, &NAMES) {
        Ok(Some(span)) if is_device_path(&plan.what) => plan.device_timeout = Some(span),
        Ok(Some(_)) => plan.device_timeout_ignored = true,
        Ok(None) => {}
        Err(why) => {
            plan.no_unit = Some(why);
            return Err(());
        }
    }
    Ok(())
}

/// A time limit; an option without `=` trips an assertion in the generator, which then aborts.
fn limit(options: &str, names: &[&str]) -> Result<Option<Limit>, NoUnit> {
    match options::value(options, names) {
        None => Ok(None),
        Some(None) => Err(NoUnit::Aborts(format!("{} has no value", names[0]))),
        Some(Some(text)) => Ok(timespan::parse(&text)),
    }
}
