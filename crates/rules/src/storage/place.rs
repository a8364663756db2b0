//! Where a path lies: on which network mount, of which server.
//!
//! Asked of the mount table *and* of what should be mounted (fstab, mount units, netfs pools): on
//! the day of the incident the mounts had silently gone, and a path that belongs on the NAS looked
//! local.

use facts::domain::Disk;
use facts::fstab::{self, SourceKind, classify};
use facts::image::Image;
use facts::mount::{Mount, mount_of};
use facts::path::is_below;
use facts::pool::Pool;
use facts::unit::UnitFile;
use facts::{Evidence, Snapshot, Source};
use model::Estate;

/// A path's network mount.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Mount point.
    pub(crate) target: String,
    /// Source: `nas-01:/volume1/vms`.
    pub(crate) source: String,
    /// File system type.
    pub(crate) fstype: String,
    /// Servers behind it, as written.
    pub(crate) servers: Vec<String>,
    /// Path or share on the server.
    pub(crate) export: String,
    /// Whether it is mounted at this moment; `None` where the mount table was not read.
    pub(crate) mounted: Option<bool>,
    /// Where this was read.
    pub(crate) evidence: Evidence,
}

impl Place {
    fn new(
        snapshot: &Snapshot,
        (target, source, fstype): (&str, &str, &str),
        options: &[String],
        evidence: Evidence,
    ) -> Self {
        let kind = classify(source, fstype, options);
        let export = match &kind {
            SourceKind::Nfs { path, .. }
            | SourceKind::Sshfs { path, .. }
            | SourceKind::Ceph { path, .. } => path.clone(),
            SourceKind::Cifs { share, .. } => share.clone(),
            SourceKind::GlusterFs { volume, .. } => volume.clone(),
            _ => source.to_owned(),
        };
        let read = snapshot.why_unread(Source::Mounts).is_none();
        Self {
            target: target.to_owned(),
            source: source.to_owned(),
            fstype: fstype.to_owned(),
            servers: kind.hosts().into_iter().map(str::to_owned).collect(),
            export,
            mounted: read.then(|| {
                let live = |m: &Mount| m.target == target && m.fstype != "autofs";
                snapshot.mounts.iter().any(live)
            }),
            evidence,
        }
    }

    /// `the nfs4 mount /mnt/nas/vms (nas-01:/volume1/vms)`.
    pub(crate) fn words(&self) -> String {
        let state = if self.mounted == Some(false) {
            ", not mounted at this moment"
        } else {
            ""
        };
        format!(
            "the {} mount {} ({}{state})",
            self.fstype, self.target, self.source
        )
    }

    /// The server in words.
    pub(crate) fn server(&self) -> &str {
        self.servers
            .first()
            .map_or(self.source.as_str(), String::as_str)
    }

    /// Whether the site allows guests' disks on this export (`guest_disks_allowed`).
    pub(crate) fn allowed(&self, estate: &Estate, snapshot: &Snapshot) -> bool {
        let Some(site) = &estate.site else {
            return false;
        };
        self.nas(estate, snapshot)
            .and_then(|nas| site.nas.get(nas))
            .is_some_and(|nas| {
                nas.guest_disks_allowed
                    .iter()
                    .any(|e| is_below(&self.export, e))
            })
    }

    /// The site's name for the server, where the site knows it by that name or address.
    pub(crate) fn nas<'e>(&self, estate: &'e Estate, snapshot: &Snapshot) -> Option<&'e str> {
        self.servers
            .iter()
            .find_map(|server| known_nas(estate, snapshot, server))
    }

    /// What tells this server from others: the site's name of it, else its address by the host's
    /// own /etc/hosts, else what stands in the source.
    pub(crate) fn server_identity(&self, estate: &Estate, snapshot: &Snapshot) -> String {
        if let Some(nas) = self.nas(estate, snapshot) {
            return nas.to_owned();
        }
        let server = self.server();
        address_of(snapshot, server).unwrap_or(server).to_owned()
    }
}

/// The site's file server of a name or address, also through the host's /etc/hosts.
pub(crate) fn known_nas<'e>(
    estate: &'e Estate,
    snapshot: &Snapshot,
    server: &str,
) -> Option<&'e str> {
    let site = estate.site.as_ref()?;
    let address = address_of(snapshot, server);
    site.nas
        .iter()
        .find(|(name, nas)| {
            name.as_str() == server
                || nas.names.iter().any(|n| n == server)
                || nas
                    .addresses
                    .iter()
                    .any(|a| a == server || Some(a.as_str()) == address)
        })
        .map(|(name, _)| name.as_str())
}

fn address_of<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s str> {
    let hosts = &snapshot.names.hosts;
    hosts
        .iter()
        .find(|entry| entry.names.iter().any(|n| n == name))
        .map(|entry| entry.address.as_str())
}

/// Why it cannot be told where paths lie; `None` where it can.
pub(crate) fn unknown(snapshot: &Snapshot) -> Option<String> {
    let fstab = snapshot.why_unread(Source::Fstab);
    let mounts = snapshot.why_unread(Source::Mounts);
    match (fstab, mounts) {
        (Some(fstab), _) => Some(fstab.to_owned()),
        // A tree has no mount table; its fstab tells what will be mounted.
        (None, Some(mounts)) if snapshot.reader == "live" => Some(mounts.to_owned()),
        _ => None,
    }
}

/// The network mount that a path lies on, or would lie on; `None` for a local one.
pub(crate) fn network(snapshot: &Snapshot, path: &str) -> Option<Place> {
    look(snapshot, path, 0)
}

/// The same of an image, which may be reached through symbolic links: the device number that it
/// was found on tells, too.
pub(crate) fn network_of_image(snapshot: &Snapshot, image: &Image) -> Option<Place> {
    network(snapshot, &image.path).or_else(|| {
        let (device, _) = image.identity.as_deref()?.split_once(' ')?;
        let mount = snapshot
            .mounts
            .iter()
            .find(|m| m.device == device && m.is_network())?;
        Some(of_mount(snapshot, mount))
    })
}

/// The place of a disk, by its path and by what was found there.
pub(crate) fn of_path(snapshot: &Snapshot, path: &str) -> Option<Place> {
    match super::support::image(snapshot, path) {
        Some(image) => network_of_image(snapshot, image),
        None => network(snapshot, path),
    }
}

/// Protocols of network disks whose server is a single machine, so that it can be the site's NAS.
/// Ceph, Gluster and Sheepdog spread over several by themselves.
pub(crate) fn single_server(disk: &Disk) -> bool {
    let protocol = disk.source.as_deref().and_then(|s| s.split(':').next());
    !matches!(
        protocol,
        Some("rbd" | "gluster" | "sheepdog" | "vxhs") | None
    )
}

/// Host of a network disk without its port.
pub(crate) fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn of_mount(snapshot: &Snapshot, mount: &Mount) -> Place {
    let text = format!("{} {} {}", mount.source, mount.target, mount.fstype);
    Place::new(
        snapshot,
        (&mount.target, &mount.source, &mount.fstype),
        &mount.options,
        Evidence::measured("/proc/self/mountinfo", text),
    )
}

/// A mount that should be there, from one of the files that say so.
struct Wanted<'a> {
    target: &'a str,
    source: &'a str,
    fstype: &'a str,
    options: Vec<String>,
    remote: bool,
    evidence: Evidence,
}

fn look(snapshot: &Snapshot, path: &str, depth: usize) -> Option<Place> {
    /// Bind upon bind upon bind; fstab may be a circle.
    const DEEPEST: usize = 8;
    let mount = mount_of(path, &snapshot.mounts);
    // The longer mount point is nearer to the path. An automount point waits for what fstab or a
    // unit mounts upon it.
    let length = |target: &str| target.trim_end_matches('/').len();
    let nearer = wanted(snapshot, path).filter(|(target, _)| {
        mount.is_none_or(|mount| {
            let (want, have) = (length(target), length(&mount.target));
            want > have || (want == have && mount.fstype == "autofs")
        })
    });
    let Some(wanted) = nearer.and_then(|(target, origin)| origin.wanted(target)) else {
        let mount = mount?;
        return (mount.is_network() || mount.fstype == "autofs").then(|| of_mount(snapshot, mount));
    };
    if wanted.remote {
        return Some(Place::new(
            snapshot,
            (wanted.target, wanted.source, wanted.fstype),
            &wanted.options,
            wanted.evidence,
        ));
    }
    // A bind or loop mount lies where its source does.
    if depth < DEEPEST && wanted.source.starts_with('/') && !wanted.source.starts_with("/dev/") {
        let rest = &path[length(wanted.target).min(path.len())..];
        let behind = format!("{}{rest}", wanted.source.trim_end_matches('/'));
        return look(snapshot, &behind, depth + 1);
    }
    None
}

/// What says that something should be mounted somewhere.
enum Origin<'a> {
    Entry(&'a fstab::Entry),
    Unit(&'a UnitFile, &'a str),
    Pool(&'a Pool, &'a str),
}

impl<'a> Origin<'a> {
    fn wanted(self, target: &'a str) -> Option<Wanted<'a>> {
        match self {
            Self::Entry(entry) => Some(of_entry(entry)),
            Self::Unit(file, text) => of_unit(file, text),
            Self::Pool(pool, source) => Some(Wanted {
                target,
                source,
                fstype: "netfs pool",
                options: Vec::new(),
                remote: true,
                evidence: Evidence::line(&pool.file, pool.line.max(1), &pool.text).mark(target),
            }),
        }
    }
}

/// The nearest mount point above a path that should be there. This is asked for each disk of a
/// host, by several rules, so only the targets are looked at.
fn wanted<'s>(snapshot: &'s Snapshot, path: &str) -> Option<(&'s str, Origin<'s>)> {
    let fstab = snapshot.fstab.iter();
    let fstab = fstab.map(|entry| (entry.target.as_str(), Origin::Entry(entry)));
    let units = snapshot.units.files.iter().filter_map(|file| {
        let text = file.text.as_deref()?;
        let mount = file.unit.ends_with(".mount") && unit_value(text, "What").is_some();
        Some((
            unit_value(text, "Where").filter(|_| mount)?,
            Origin::Unit(file, text),
        ))
    });
    let pools = snapshot.pools.iter().filter_map(|pool| {
        let (target, source) = (pool.target.as_deref()?, pool.source.as_deref()?);
        (pool.kind == "netfs").then_some((target, Origin::Pool(pool, source)))
    });
    // Of equals the first, so fstab before units before pools.
    let mut best: Option<(&str, Origin<'_>)> = None;
    for (target, origin) in fstab.chain(units).chain(pools) {
        let longer = best.as_ref().is_none_or(|(b, _)| target.len() > b.len());
        if longer && is_below(path, target) {
            best = Some((target, origin));
        }
    }
    best
}

fn of_entry(entry: &fstab::Entry) -> Wanted<'_> {
    let evidence = if entry.text.is_empty() {
        let text = format!("{} {} {}", entry.source, entry.target, entry.fstype);
        Evidence::line("/etc/fstab", entry.line, text)
    } else {
        Evidence::line("/etc/fstab", entry.line, &entry.text)
    };
    Wanted {
        target: &entry.target,
        source: &entry.source,
        fstype: &entry.fstype,
        options: entry.options.clone(),
        remote: entry.is_network() || entry.kind().is_remote(),
        evidence: evidence.mark(&entry.source),
    }
}

/// The last value of a key of a unit's text.
fn unit_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .rev()
        .find_map(|line| {
            line.trim()
                .strip_prefix(key)?
                .trim_start()
                .strip_prefix('=')
        })
        .map(str::trim)
}

/// A native `.mount` unit.
fn of_unit<'a>(file: &'a UnitFile, text: &'a str) -> Option<Wanted<'a>> {
    let (target, source) = (unit_value(text, "Where")?, unit_value(text, "What")?);
    let fstype = unit_value(text, "Type").unwrap_or("auto");
    let options: Vec<String> = unit_value(text, "Options")
        .unwrap_or_default()
        .split(',')
        .map(str::to_owned)
        .collect();
    let remote = fstab::fstype_is_network(fstype)
        || options.iter().any(|o| o == "_netdev")
        || classify(source, fstype, &options).is_remote();
    let at = text
        .lines()
        .position(|line| line.trim_start().starts_with("What"));
    let line = u32::try_from(at.unwrap_or(0) + 1).unwrap_or(1);
    Some(Wanted {
        target,
        source,
        fstype,
        options,
        remote,
        evidence: Evidence::line(&file.path, line, format!("What={source}")).mark(source),
    })
}
