//! What the first field of fstab names, and which servers stand behind it.

use super::Entry;
use std::net::IpAddr;

/// The tags that mount(8) resolves, see blkid(8) and fstab(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// File system UUID.
    Uuid,
    /// File system label.
    Label,
    /// Partition UUID.
    PartUuid,
    /// Partition label.
    PartLabel,
    /// Hardware ID under `/dev/disk/by-id`.
    Id,
}

/// What the first field of a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A path below `/dev`.
    Device(String),
    /// `UUID=…` and alike, without quotes.
    Tag(Tag, String),
    /// NFS: `host:/path`, `[v6]:/path`, `a,b:/path`, `nfs://host/path`. Also where the type is
    /// not nfs but the source can be nothing else.
    Nfs {
        /// Servers in the order in which they are tried.
        hosts: Vec<String>,
        /// Exported path.
        path: String,
    },
    /// SMB: `//server/share`.
    Cifs {
        /// Server.
        host: String,
        /// Share, with a path in it where there is one.
        share: String,
    },
    /// sshfs: `user@host:path`, `sshfs#user@host:path`.
    Sshfs {
        /// Server, without the user.
        host: String,
        /// Path there.
        path: String,
    },
    /// CephFS: `mon1:6789,mon2:/path`, or `user@fsid.name=/path` with `mon_addr=`.
    Ceph {
        /// Monitors; empty where `/etc/ceph/ceph.conf` names them.
        monitors: Vec<String>,
        /// Path in the file system.
        path: String,
    },
    /// GlusterFS: `host:/volume`.
    GlusterFs {
        /// Servers that give the volume's description.
        hosts: Vec<String>,
        /// Volume.
        volume: String,
    },
    /// WebDAV: `https://host/path`.
    WebDav {
        /// Server.
        host: String,
    },
    /// An iSCSI disk: `/dev/disk/by-path/ip-ADDRESS:PORT-iscsi-…`.
    Iscsi {
        /// Portal's address or name.
        portal: String,
        /// The device path.
        device: String,
    },
    /// A directory or file that is bound elsewhere.
    Bind(String),
    /// An image file that is mounted through a loop device.
    Loop(String),
    /// A file to swap to.
    SwapFile(String),
    /// A file system without a device: tmpfs, proc, overlay, …; holds the first field.
    Pseudo(String),
    /// Something that only the file system's own helper understands: a ZFS dataset, a virtiofs
    /// or 9p tag.
    Other(String),
}

impl SourceKind {
    /// The servers that the source itself names.
    pub fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Nfs { hosts, .. } | Self::GlusterFs { hosts, .. } => {
                hosts.iter().map(String::as_str).collect()
            }
            Self::Ceph { monitors, .. } => monitors.iter().map(String::as_str).collect(),
            Self::Cifs { host, .. } | Self::Sshfs { host, .. } | Self::WebDav { host } => {
                vec![host]
            }
            Self::Iscsi { portal, .. } => vec![portal],
            _ => Vec::new(),
        }
    }

    /// Whether the data lie on another machine.
    pub fn is_remote(&self) -> bool {
        matches!(
            self,
            Self::Nfs { .. }
                | Self::Cifs { .. }
                | Self::Sshfs { .. }
                | Self::Ceph { .. }
                | Self::GlusterFs { .. }
                | Self::WebDav { .. }
                | Self::Iscsi { .. }
        )
    }
}

/// File systems that live in the kernel or in memory: the first field says nothing (filesystems(5)
/// and `nodev` in `/proc/filesystems`, without the network ones).
const PSEUDO: &[&str] = &[
    "autofs",
    "bpf",
    "binfmt_misc",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "overlay",
    "overlayfs",
    "aufs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "usbfs",
    "none",
];

/// Whether systemd takes a mount of this type for a network mount, `_netdev` aside.
///
/// The list of `fstype_is_network` in systemd 252 to 260 (src/basic/mountpoint-util.c with the
/// set `@network`), checked against the generator of 252. A prefix `fuse.` is taken off first.
/// The comparison is exact: `nfs,nfs4` or `9p` are local to systemd. `orangefs` and `davfs` are
/// missing before 250, `smb3` before 244 (RHEL 8 has it since 8.2).
pub fn fstype_is_network(fstype: &str) -> bool {
    matches!(
        fstype.strip_prefix("fuse.").unwrap_or(fstype),
        "afs"
            | "ceph"
            | "cifs"
            | "davfs"
            | "gfs"
            | "gfs2"
            | "glusterfs"
            | "lustre"
            | "ncp"
            | "ncpfs"
            | "nfs"
            | "nfs4"
            | "ocfs2"
            | "orangefs"
            | "pvfs2"
            | "smb3"
            | "smbfs"
            | "sshfs"
    )
}

/// Whether a host is given as an address (IPv4, IPv6 with or without zone), not as a name.
pub fn is_address(host: &str) -> bool {
    host.split('%')
        .next()
        .is_some_and(|h| h.parse::<IpAddr>().is_ok())
}

/// What a source names, given its type and options.
pub fn classify(source: &str, fstype: &str, options: &[String]) -> SourceKind {
    let has = |name: &str| options.iter().any(|o| o == name);
    let bare = fstype.strip_prefix("fuse.").unwrap_or(fstype);
    if has("bind") || has("rbind") || has("move") {
        return SourceKind::Bind(source.to_owned());
    }
    if let Some((tag, value)) = tag(source) {
        return SourceKind::Tag(tag, value);
    }
    match bare {
        "ceph" => return ceph(source, options),
        "glusterfs" => {
            if let Some((hosts, volume)) = hosts_and_path(source) {
                return SourceKind::GlusterFs { hosts, volume };
            }
        }
        "sshfs" => {
            if let Some(kind) = sshfs(source) {
                return kind;
            }
        }
        "davfs" => {
            let rest = source.split_once("://").map_or(source, |(_, rest)| rest);
            return SourceKind::WebDav {
                host: host_part(rest.split('/').next().unwrap_or("")),
            };
        }
        "cifs" | "smb3" | "smbfs" => {
            if let Some(kind) = cifs(source) {
                return kind;
            }
        }
        _ if PSEUDO.contains(&fstype) => return SourceKind::Pseudo(source.to_owned()),
        _ => {}
    }
    if let Some(rest) = source.strip_prefix("sshfs#")
        && let Some(kind) = sshfs(rest)
    {
        return kind;
    }
    if source.starts_with("//")
        && let Some(kind) = cifs(source)
    {
        return kind;
    }
    if let Some(portal) = iscsi_portal(source) {
        return SourceKind::Iscsi {
            portal,
            device: source.to_owned(),
        };
    }
    if source.starts_with("/dev/") {
        return SourceKind::Device(source.to_owned());
    }
    if source.starts_with('/') {
        return if fstype == "swap" {
            SourceKind::SwapFile(source.to_owned())
        } else {
            SourceKind::Loop(source.to_owned())
        };
    }
    if let Some((hosts, path)) = nfs(source, bare) {
        return SourceKind::Nfs { hosts, path };
    }
    if source == "none" {
        return SourceKind::Pseudo(source.to_owned());
    }
    SourceKind::Other(source.to_owned())
}

/// `TAG=value`. Names of tags in capitals only, as in blkid_parse_tag_string(3) with
/// libmount's mnt_valid_tagname; quotes of either kind around the value are taken off.
fn tag(source: &str) -> Option<(Tag, String)> {
    let (name, value) = source.split_once('=')?;
    let tag = match name {
        "UUID" => Tag::Uuid,
        "LABEL" => Tag::Label,
        "PARTUUID" => Tag::PartUuid,
        "PARTLABEL" => Tag::PartLabel,
        "ID" => Tag::Id,
        _ => return None,
    };
    let value = ['"', '\'']
        .iter()
        .find_map(|&q| value.strip_prefix(q)?.strip_suffix(q))
        .unwrap_or(value);
    Some((tag, value.to_owned()))
}

/// `host:/path` and its kin. With a type other than nfs only what can be nothing else: a path
/// that begins with a slash.
fn nfs(source: &str, fstype: &str) -> Option<(Vec<String>, String)> {
    if let Some(rest) = source.strip_prefix("nfs://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Some((vec![host_part(host)], format!("/{path}")));
    }
    let (hosts, path) = hosts_and_path(source)?;
    let certain = path.starts_with('/') && hosts.iter().all(|h| !h.contains(['/', '=']));
    (certain || matches!(fstype, "nfs" | "nfs4")).then_some((hosts, path))
}

/// Splits `a,b:/path` and `[v6]:/path` at the colon behind the hosts.
fn hosts_and_path(source: &str) -> Option<(Vec<String>, String)> {
    // The colon that ends the hosts: the first one that does not stand in brackets.
    let mut depth = 0_u32;
    let at = source.char_indices().find_map(|(at, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })?;
    let hosts: Vec<String> = source[..at]
        .split(',')
        .map(|h| h.trim_matches(['[', ']']).to_owned())
        .filter(|h| !h.is_empty())
        .collect();
    (!hosts.is_empty()).then(|| (hosts, source[at + 1..].to_owned()))
}

fn cifs(source: &str) -> Option<SourceKind> {
    let rest = source.strip_prefix("//")?;
    let (host, share) = rest.split_once('/').unwrap_or((rest, ""));
    (!host.is_empty()).then(|| SourceKind::Cifs {
        host: host_part(host),
        share: share.to_owned(),
    })
}

fn sshfs(source: &str) -> Option<SourceKind> {
    let source = source.strip_prefix("sshfs#").unwrap_or(source);
    let rest = source.rsplit_once('@').map_or(source, |(_, rest)| rest);
    let (mut hosts, path) = hosts_and_path(rest)?;
    Some(SourceKind::Sshfs {
        host: hosts.pop()?,
        path,
    })
}

/// mount.ceph(8): the old form names monitors before `:/path`, the new one `name@fsid.fs=/path`
/// has them in `mon_addr=a/b`.
fn ceph(source: &str, options: &[String]) -> SourceKind {
    if let Some((_, path)) = source.split_once("=/").filter(|(n, _)| n.contains('@')) {
        let monitors = options
            .iter()
            .find_map(|o| o.strip_prefix("mon_addr="))
            .map(|list| list.split('/').map(host_part).collect())
            .unwrap_or_default();
        return SourceKind::Ceph {
            monitors,
            path: format!("/{path}"),
        };
    }
    let (list, path) = source.rsplit_once(":/").unwrap_or((source, ""));
    SourceKind::Ceph {
        monitors: list
            .split([',', ';'])
            .map(|m| {
                host_part(
                    m.rsplit_once("v2:")
                        .or(m.rsplit_once("v1:"))
                        .map_or(m, |(_, a)| a),
                )
            })
            .filter(|m| !m.is_empty())
            .collect(),
        path: format!("/{path}"),
    }
}

/// `/dev/disk/by-path/…ip-ADDRESS:PORT-iscsi-TARGET-lun-N`, as udev's rules name it.
fn iscsi_portal(source: &str) -> Option<String> {
    let name = source.strip_prefix("/dev/disk/by-path/")?;
    let at = name.find("-iscsi-")?;
    let portal = name[..at].rsplit_once("ip-").map(|(_, p)| p)?;
    Some(host_part(portal))
}

/// A host without its port, user and brackets.
fn host_part(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if let Some(inside) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        return inside.0.to_owned();
    }
    match text.rsplit_once(':') {
        // More than one colon without brackets: an IPv6 address without a port.
        Some((host, _)) if !host.contains(':') => host.to_owned(),
        _ => text.to_owned(),
    }
}

/// The servers of an entry: those in its source, and those that options add.
pub(super) fn hosts(entry: &Entry) -> Vec<String> {
    let kind = entry.kind();
    let mut hosts: Vec<String> = kind.hosts().into_iter().map(str::to_owned).collect();
    if let SourceKind::GlusterFs { .. } = kind {
        for name in ["backup-volfile-servers", "backupvolfile-server"] {
            if let Some(list) = entry.option(name) {
                hosts.extend(list.split(':').map(str::to_owned));
            }
        }
    }
    // mount.cifs(8) `ip=`/`addr=` and mount.nfs(8) `addr=`: the address is given, the name is
    // not asked for.
    if let SourceKind::Cifs { .. } = kind
        && let Some(address) = entry.option("ip").or_else(|| entry.option("addr"))
    {
        hosts = vec![address.to_owned()];
    }
    hosts.retain(|h| !h.is_empty());
    hosts
}
