//! The graph of one host's boot: what systemd adds to the units of fstab by itself, and the
//! targets and services around them.
//!
//! Implied dependencies: systemd.mount(5), systemd.automount(5), systemd.swap(5) "Implicit
//! Dependencies" and "Default Dependencies"; the targets: bootup(7), systemd.special(7) and the
//! unit files of version 252, checked against `systemd --test`.

use super::attempt::{self, World};
use super::conditions::NetworkService;
use super::graph::Graph;
use super::native::{self, Settings};
use super::plan::{Host, Kind, LOCAL_FS, PulledIn, REMOTE_FS, Requirement, SWAP, UnitPlan};
use super::timespan;
use super::{fstype, options};
use facts::path;
use facts::unit::escape;
use std::collections::HashMap;
use std::sync::Arc;

/// The target that the boot is for.
pub(super) const ANCHOR: &str = "multi-user.target";

/// The daemon that starts guests.
pub(super) const DAEMONS: [&str; 2] = ["libvirtd.service", "virtqemud.service"];

/// One mount or swap of the boot: from fstab or a native unit.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub plan: UnitPlan,
    /// First field of fstab, `What=` of a native unit.
    pub source: String,
    pub masked: bool,
}

/// The unit files that a native unit on the host lays over the generated one, or adds.
pub(super) fn members(
    plans: Vec<UnitPlan>,
    sources: Vec<String>,
    world: &World<'_>,
) -> Vec<Member> {
    let mut members: Vec<Member> = plans
        .into_iter()
        .zip(sources)
        .map(|(plan, source)| Member {
            plan,
            source,
            masked: false,
        })
        .collect();
    for member in &mut members {
        let Some(unit) = member.plan.unit.clone() else {
            continue;
        };
        let settings = native::settings(world.snapshot, &unit);
        member.masked = settings.masked;
        overlay(&mut member.plan, &settings);
    }
    let mut names: Vec<&str> = world
        .snapshot
        .units
        .files
        .iter()
        .map(|file| file.unit.as_str())
        .filter(|unit| unit.ends_with(".mount") || unit.ends_with(".swap"))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if members.iter().any(|m| m.plan.unit.as_deref() == Some(name)) {
            continue;
        }
        if let Some(member) = native_member(name, world) {
            members.push(member);
        }
    }
    members
}

/// A drop-in, or a native unit of the same name in /etc, changes what the generator wrote.
fn overlay(plan: &mut UnitPlan, settings: &Settings) {
    if settings.main && settings.overrides {
        plan.before.clear();
        plan.after.clear();
        plan.requires.clear();
        plan.wants.clear();
        plan.requires_mounts_for.clear();
        plan.fsck = None;
        plan.timeout = None;
    }
    plan.before.extend(settings.list("Unit", "Before"));
    plan.after.extend(settings.list("Unit", "After"));
    for key in ["Requires", "BindsTo"] {
        plan.requires.extend(settings.list("Unit", key));
    }
    plan.wants.extend(settings.list("Unit", "Wants"));
    plan.requires_mounts_for
        .extend(settings.list("Unit", "RequiresMountsFor"));
    let section = if plan.kind == Kind::Swap {
        "Swap"
    } else {
        "Mount"
    };
    if let Some(what) = settings.last(section, "What") {
        plan.what = escape::udev_node(what);
        plan.device = (escape::is_device_path(&plan.what) && !plan.bind)
            .then(|| escape::unit_from_path(&plan.what, ".device"))
            .flatten();
    }
    if let Some(fstype) = settings.last(section, "Type") {
        fstype.clone_into(&mut plan.fstype);
    }
    if let Some(text) = settings.last(section, "Options") {
        text.clone_into(&mut plan.options);
        plan.nofail = options::yes(text, "nofail", "fail");
        plan.bind = options::is_bind(text, &plan.fstype);
    }
    if let Some(text) = settings.last(section, "TimeoutSec") {
        plan.timeout = timespan::parse(text);
    }
    plan.network = options::has(&plan.options, &["_netdev"]) || fstype::is_network(&plan.fstype);
}

/// A mount or swap that only a unit file knows, where somebody pulls it in.
fn native_member(name: &str, world: &World<'_>) -> Option<Member> {
    let settings = native::settings(world.snapshot, name);
    if !settings.main || settings.masked {
        return None;
    }
    // A unit of a package that waits for a file which a person would make (systemd's own
    // var-lib-machines.mount) is not what somebody set up here.
    let conditional = settings.list("Unit", "ConditionPathExists");
    if !settings.overrides && conditional.iter().any(|path| path.starts_with("/var/")) {
        return None;
    }
    let swap = name.ends_with(".swap");
    let section = if swap { "Swap" } else { "Mount" };
    let source = settings.last(section, "What")?.to_owned();
    let target = settings.last(section, "Where").unwrap_or("none").to_owned();
    // systemd's own API mounts come with it and are no concern of fstab.
    if !swap && (fstype::is_api(&target, true) || fstype::is_extrinsic(&target, "")) {
        return None;
    }
    let entry = facts::fstab::Entry {
        source: source.clone(),
        target,
        fstype: if swap {
            "swap".to_owned()
        } else {
            settings.last(section, "Type").unwrap_or("auto").to_owned()
        },
        options: vec![
            settings
                .last(section, "Options")
                .unwrap_or("defaults")
                .to_owned(),
        ],
        ..facts::fstab::Entry::default()
    };
    let mut plan = super::plan::unit_of(
        &entry,
        &Host {
            fstab_enabled: true,
            ..Host::default()
        },
    );
    plan.unit = Some(name.to_owned());
    plan.pulled_in_by.clear();
    plan.before.clear();
    plan.after.clear();
    overlay(&mut plan, &settings);
    let automount = name.replace(".mount", ".automount");
    for link in &world.snapshot.units.links {
        if (link.to == name || link.to == automount) && native::link_lasts(link, world.snapshot) {
            plan.pulled_in_by.push(PulledIn {
                unit: link.to.clone(),
                target: link.from.clone(),
                requirement: if link.requirement == "requires" {
                    Requirement::Requires
                } else {
                    Requirement::Wants
                },
            });
            if link.to == automount {
                plan.automount = Some(automount.clone());
            }
        }
    }
    Some(Member {
        plan,
        source,
        masked: false,
    })
}

/// Builds the graph.
pub(super) fn graph(
    members: &[Member],
    world: &World<'_>,
    network: NetworkService,
    daemon: Option<&str>,
) -> Graph {
    let mut graph = Graph::default();
    let points = Points::of(members);
    frame(&mut graph, daemon);
    let mut services = NetworkService::enabled(world.snapshot);
    if !services.contains(&network) {
        services.push(network);
    }
    for service in services {
        network_service(&mut graph, service, world);
    }
    clients(&mut graph, world);
    // basic.target has this line in its unit file.
    mounts_for(&mut graph, "basic.target", "/var/tmp", &points, true);
    for member in members {
        if member.plan.unit.is_some() && !member.masked {
            add(&mut graph, member, &points, world);
        }
    }
    for member in members.iter().filter(|member| member.masked) {
        // A required unit that is masked takes the one that requires it out of the transaction.
        for link in &member.plan.pulled_in_by {
            if link.requirement == Requirement::Requires {
                graph.unit("masked").requires.insert(link.target.clone());
            }
        }
    }
    if let Some(daemon) = daemon {
        let settings = native::settings(world.snapshot, daemon);
        for other in settings.list("Unit", "After") {
            graph.after(daemon, &other);
        }
        for key in ["Requires", "BindsTo", "Requisite"] {
            for other in settings
                .list("Unit", key)
                .iter()
                .filter(|o| o.ends_with(".mount"))
            {
                graph.requires(daemon, other);
            }
        }
        for path in settings.list("Unit", "RequiresMountsFor") {
            mounts_for(&mut graph, daemon, &path, &points, true);
        }
        for path in settings.list("Unit", "WantsMountsFor") {
            mounts_for(&mut graph, daemon, &path, &points, false);
        }
    }
    let lost: Vec<String> = Arc::make_mut(&mut graph.units)
        .remove("masked")
        .map(|unit| unit.requires.into_iter().collect())
        .unwrap_or_default();
    for target in lost {
        for unit in Arc::make_mut(&mut graph.units).values_mut() {
            unit.wants.remove(&target);
        }
    }
    graph.gather(ANCHOR);
    graph
}

/// Makes what belongs into /tmp, /run and /var, after local mounts; some that start early wait for it.
const TMPFILES: &str = "systemd-tmpfiles-setup.service";

/// Services of network mounts that start early, where they are enabled: nfs-client.target(7) and
/// rpcbind(8) stand before remote-fs-pre.target, and wait for local mounts by way of the temporary
/// files, whoever sets up the network.
fn clients(graph: &mut Graph, world: &World<'_>) {
    let enabled = |unit: &str| native::enabled(world.snapshot, unit);
    if enabled("nfs-client.target") {
        graph.wants("multi-user.target", "nfs-client.target");
        graph.wants("nfs-client.target", "remote-fs-pre.target");
        graph.after("remote-fs-pre.target", "nfs-client.target");
        if !native::settings(world.snapshot, "rpc-gssd.service").masked {
            graph.wants("nfs-client.target", "rpc-gssd.service");
            graph.after("nfs-client.target", "rpc-gssd.service");
            let pipes = if Host::of(world.snapshot).rhel {
                "var-lib-nfs-rpc_pipefs.mount"
            } else {
                "run-rpc_pipefs.mount"
            };
            for (unit, other) in [
                ("rpc-gssd.service", "rpc_pipefs.target"),
                ("rpc_pipefs.target", pipes),
            ] {
                graph.requires(unit, other);
                graph.after(unit, other);
            }
            graph.after(pipes, TMPFILES);
        }
    }
    if enabled("rpcbind.service") {
        graph.wants("multi-user.target", "rpcbind.service");
        graph.after("multi-user.target", "rpcbind.service");
        graph.wants("rpcbind.service", "remote-fs-pre.target");
        graph.after("rpcbind.service", TMPFILES);
        graph.after("remote-fs-pre.target", "rpcbind.service");
    }
    for (wait, service) in [
        (
            "NetworkManager-wait-online.service",
            NetworkService::NetworkManager,
        ),
        (
            "systemd-networkd-wait-online.service",
            NetworkService::Networkd,
        ),
    ] {
        let service = service.unit();
        if graph.units.contains_key(service) && enabled(wait) {
            graph.wants("network-online.target", wait);
            graph.after("network-online.target", wait);
            graph.requires(wait, service);
            graph.after(wait, service);
        }
    }
}

/// The targets and services of a boot, as far as mounts touch them.
fn frame(graph: &mut Graph, daemon: Option<&str>) {
    for (unit, requires, wants, after) in [
        ("-.mount", &[][..], &[][..], &[][..]),
        ("local-fs-pre.target", &[], &[], &[]),
        ("remote-fs-pre.target", &[], &[], &[]),
        (
            LOCAL_FS,
            &["-.mount"],
            &[],
            &["-.mount", "local-fs-pre.target"],
        ),
        (SWAP, &[], &[], &[]),
        (TMPFILES, &[], &[], &[LOCAL_FS]),
        (
            "sysinit.target",
            &[],
            &[LOCAL_FS, SWAP, TMPFILES],
            &[LOCAL_FS, SWAP, TMPFILES],
        ),
        (
            "basic.target",
            &["sysinit.target"],
            &["tmp.mount"],
            &["sysinit.target", "tmp.mount"],
        ),
        ("network.target", &[], &[], &[]),
        ("network-online.target", &[], &[], &["network.target"]),
        (REMOTE_FS, &[], &[], &["remote-fs-pre.target"]),
        (
            "systemd-user-sessions.service",
            &["sysinit.target"],
            &[],
            &["basic.target", REMOTE_FS],
        ),
        (
            "multi-user.target",
            &["basic.target"],
            &[REMOTE_FS, "systemd-user-sessions.service"],
            &["basic.target", "systemd-user-sessions.service"],
        ),
    ] {
        let node = graph.unit(unit);
        node.requires
            .extend(requires.iter().map(|s| (*s).to_owned()));
        node.wants.extend(wants.iter().map(|s| (*s).to_owned()));
        node.after.extend(after.iter().map(|s| (*s).to_owned()));
    }
    if let Some(daemon) = daemon {
        graph.wants("multi-user.target", daemon);
        graph.after("multi-user.target", daemon);
        graph.requires(daemon, "sysinit.target");
        for other in ["basic.target", "network.target", LOCAL_FS, REMOTE_FS] {
            graph.after(daemon, other);
        }
    }
}

/// Who sets up the network.
fn network_service(graph: &mut Graph, service: NetworkService, world: &World<'_>) {
    let net = service.unit();
    graph.wants("multi-user.target", net);
    graph.after("multi-user.target", net);
    graph.wants(net, "network.target");
    graph.after("network.target", net);
    match service {
        NetworkService::NetworkManager => {
            graph.requires(net, "sysinit.target");
            graph.after(net, "basic.target");
            // It has a name on D-Bus, whose socket stands under basic.target.
            graph.wants("basic.target", "sockets.target");
            graph.after("basic.target", "sockets.target");
            graph.wants("sockets.target", "dbus.socket");
            graph.after("sockets.target", "dbus.socket");
            graph.requires("dbus.socket", "sysinit.target");
            graph.after("dbus.socket", "sysinit.target");
            graph.requires("dbus.service", "dbus.socket");
            graph.after("dbus.service", "dbus.socket");
            graph.after("dbus.service", "basic.target");
            graph.wants("multi-user.target", "dbus.service");
            graph.requires(net, "dbus.socket");
            graph.after(net, "dbus.socket");
            graph.after(net, "dbus.service");
            // From 1.46 on it is bound to dbus.service.
            let settings = native::settings(world.snapshot, net);
            for key in ["Requires", "BindsTo"] {
                for other in settings.list("Unit", key) {
                    graph.requires(net, &other);
                }
            }
        }
        NetworkService::Ifupdown => {
            // ifupdown's waits for local mounts, ifupdown2's for nothing.
            let settings = native::settings(world.snapshot, net);
            if settings.main {
                for other in settings.list("Unit", "After") {
                    graph.after(net, &other);
                }
            } else {
                graph.after(net, LOCAL_FS);
            }
        }
        NetworkService::Networkd => {
            graph.unit(net);
        }
    }
}

/// One mount or swap with all that systemd adds to it.
fn add(graph: &mut Graph, member: &Member, points: &Points<'_>, world: &World<'_>) {
    let plan = &member.plan;
    let Some(unit) = plan.unit.as_deref() else {
        return;
    };
    for link in &plan.pulled_in_by {
        match link.requirement {
            Requirement::Requires => graph.requires(&link.target, &link.unit),
            Requirement::Wants => graph.wants(&link.target, &link.unit),
        }
        // A target waits for what it pulls in unless it opts out, as the two *-fs.targets do.
        if link.target.ends_with(".target")
            && ![LOCAL_FS, REMOTE_FS, SWAP].contains(&link.target.as_str())
        {
            graph.after(&link.target, &link.unit);
        }
    }
    for other in &plan.after {
        graph.after(unit, other);
    }
    for other in &plan.before {
        graph.after(other, unit);
    }
    for other in &plan.requires {
        graph.requires(unit, other);
    }
    for other in &plan.wants {
        graph.wants(unit, other);
    }
    if plan.kind == Kind::Swap {
        graph.after(SWAP, unit);
    } else if !fstype::is_extrinsic(&plan.mount_point, &plan.options) {
        let (pre, target) = if plan.network {
            ("remote-fs-pre.target", REMOTE_FS)
        } else {
            ("local-fs-pre.target", LOCAL_FS)
        };
        graph.after(unit, pre);
        if !plan.nofail {
            graph.after(target, unit);
        }
        if plan.network {
            graph.wants(unit, "network-online.target");
            graph.after(unit, "network-online.target");
            graph.after(unit, "network.target");
        }
        if plan.fstype == "tmpfs" {
            graph.after(unit, SWAP);
        }
    }
    if let Some(device) = plan.device.as_deref().filter(|_| plan.mount_point != "/") {
        graph.requires(unit, device);
        graph.after(unit, device);
        let node = graph.unit(device);
        if node.attempt.is_none() {
            node.attempt = Some(attempt::find_device(plan, &member.source, world));
        }
        if plan.network {
            graph.wants(device, "network-online.target");
            graph.after(device, "network-online.target");
        }
        if let Some(check) = plan.fsck.as_deref() {
            graph.requires(check, device);
            graph.after(check, device);
            graph.after(check, "local-fs-pre.target");
            let node = graph.unit(check);
            node.attempt = Some(attempt::check(plan, &member.source, world));
        }
    }
    if let Some(parent) = path::parent(&plan.mount_point) {
        mounts_for(graph, unit, parent, points, true);
    }
    // A swap file always waits for the file system that it lies on.
    let local = plan.bind || plan.looped || plan.kind == Kind::Swap || !plan.network;
    if plan.what.starts_with('/') && local {
        mounts_for(graph, unit, &plan.what, points, true);
    }
    for path in &plan.requires_mounts_for {
        mounts_for(graph, unit, path, points, true);
    }
    let mut attempt = attempt::mount(plan, &member.source, world);
    if attempt.ok
        && let Some(why) = cannot_be_made(plan, points)
    {
        attempt = attempt::Attempt {
            ok: false,
            reason: why,
            ..attempt::Attempt::default()
        };
    }
    let node = graph.unit(unit);
    node.attempt = Some(attempt);
    if let Some(automount) = plan.automount.as_deref() {
        graph.after(automount, "local-fs-pre.target");
        graph.after(LOCAL_FS, automount);
        if let Some(parent) = path::parent(&plan.mount_point) {
            mounts_for(graph, automount, parent, points, true);
        }
    }
}

/// Mounts by mount point.
struct Points<'m>(HashMap<&'m str, Vec<&'m Member>>);

impl<'m> Points<'m> {
    fn of(members: &'m [Member]) -> Self {
        let mut mounts: HashMap<&str, Vec<&Member>> = HashMap::new();
        for member in members {
            if member.plan.unit.is_some() && !member.masked && member.plan.kind == Kind::Mount {
                mounts
                    .entry(&member.plan.mount_point)
                    .or_default()
                    .push(member);
            }
        }
        Self(mounts)
    }
}

/// systemd makes a missing mount point, and a missing source of a bind mount (systemd.mount(5)); not
/// on a file system that is mounted read-only, and a fresh tmpfs or ramfs holds nothing yet.
fn cannot_be_made(plan: &UnitPlan, points: &Points<'_>) -> Option<String> {
    if plan.kind == Kind::Swap {
        return None;
    }
    let source = plan.bind.then_some(plan.what.as_str());
    [Some(plan.mount_point.as_str()), source]
        .into_iter()
        .flatten()
        .find_map(|path| {
            let on = path::ancestors(path)
                .skip(1)
                .find_map(|point| points.0.get(point)?.last())?;
            let empty = matches!(on.plan.fstype.as_str(), "tmpfs" | "ramfs") && !on.plan.bind;
            (empty && options::yes(&on.plan.options, "ro", "rw")).then(|| {
                format!(
                    "{path} cannot be made: {} is empty and mounted read-only",
                    on.plan.mount_point
                )
            })
        })
}

/// `RequiresMountsFor=`: every mount on the way to the path, itself included.
fn mounts_for(graph: &mut Graph, unit: &str, path: &str, points: &Points<'_>, requires: bool) {
    let path = path::simplify(path);
    let on_the_way = path::ancestors(&path).filter_map(|point| points.0.get(point));
    let names = on_the_way.flatten().filter_map(|m| m.plan.unit.as_deref());
    for name in names.filter(|name| *name != unit) {
        graph.after(unit, name);
        // tmp.mount is the one that systemd only orders after.
        if requires && name != "tmp.mount" {
            graph.requires(unit, name);
        } else if name != "tmp.mount" {
            graph.wants(unit, name);
        }
    }
}
