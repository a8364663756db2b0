//! Where the disks go: a directory, or a pool whose volumes are files in one.

use super::{Refusal, Request, disks};
use collect::command;
use collect::probe::{ProbeError, Prober};
use facts::Snapshot;
use facts::mount::mount_of;
use std::time::Duration;

/// Where the disks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The directory, links resolved.
    pub directory: String,
    /// The pool that shows it, where it is active: it is told to look again.
    pub pool: Option<String>,
    /// Mount point of its file system.
    pub mount: String,
    /// Bytes free there.
    pub available: u64,
}

/// Finds the target and judges it.
///
/// # Errors
/// Why it cannot be used.
pub fn find(
    request: &Request,
    snapshot: &Snapshot,
    prober: &mut Prober,
) -> Result<Target, Refusal> {
    let named = directory(request, snapshot)?;
    let unseen = |error: &ProbeError| {
        Refusal::new(
            format!("{named}: {error}"),
            "name a directory that exists on a local file system",
        )
    };
    let directory = prober.canonical(&named).map_err(|e| unseen(&e))?;
    if let Some(mount) = disks::network_mount(&directory, snapshot) {
        return Err(Refusal::new(
            format!(
                "{directory} lies on {} itself ({}, {})",
                mount.target, mount.source, mount.fstype
            ),
            "name a directory on a local file system",
        ));
    }
    let mount = mount_of(&directory, &snapshot.mounts);
    let volatile = mount.filter(|m| matches!(m.fstype.as_str(), "tmpfs" | "ramfs"));
    if let Some(mount) = volatile {
        return Err(Refusal::new(
            format!(
                "{directory} lies in memory ({} on {}): a reboot would lose the disks",
                mount.fstype, mount.target
            ),
            "name a directory on a disk",
        ));
    }
    if !prober.stat(&directory).map_err(|e| unseen(&e))?.is_dir() {
        return Err(Refusal::new(
            format!("{directory} is no directory"),
            "name the directory that the images shall lie in",
        ));
    }
    prober.writable(&directory).map_err(|error| {
        Refusal::new(
            format!("nothing can be written to {directory}: {error}"),
            "run as root, on a file system that is mounted read-write",
        )
    })?;
    let available = prober
        .statvfs(&directory)
        .map_err(|e| unseen(&e))?
        .available;
    let shows = |pool: &&facts::pool::Pool| {
        let target = pool.target.as_deref().map(|t| t.trim_end_matches('/'));
        pool.active == Some(true)
            && pool.is_directory()
            && (target == Some(named.as_str()) || target == Some(directory.as_str()))
    };
    Ok(Target {
        pool: snapshot.pools.iter().find(shows).map(|p| p.name.clone()),
        mount: mount.map_or_else(|| "/".to_owned(), |m| m.target.clone()),
        directory,
        available,
    })
}

/// What was named, as a path: whatever holds a slash is a directory, anything else a pool.
fn directory(request: &Request, snapshot: &Snapshot) -> Result<String, Refusal> {
    let to = &request.to;
    if to.contains('/') {
        let trimmed = to.trim_end_matches('/');
        if !to.starts_with('/') {
            return Err(Refusal::new(
                format!("{to} is a relative path, and definitions hold none"),
                "name it from the root on",
            ));
        }
        return Ok(if trimmed.is_empty() { "/" } else { trimmed }.to_owned());
    }
    let Some(pool) = snapshot.pools.iter().find(|pool| &pool.name == to) else {
        let known: Vec<&str> = snapshot.pools.iter().map(|p| p.name.as_str()).collect();
        let known = if known.is_empty() {
            "this host has none".to_owned()
        } else {
            format!("this host has {}", known.join(", "))
        };
        return Err(Refusal::new(
            format!("there is no pool {to}: {known}"),
            format!("a directory is named by its whole path: --to /…/{to}"),
        ));
    };
    if !pool.is_directory() {
        return Err(Refusal::new(
            format!(
                "pool {to} is of the type {}, whose volumes are no files",
                pool.kind
            ),
            "name a pool of the type dir or fs, or a directory",
        ));
    }
    match &pool.target {
        Some(target) => Ok(target.trim_end_matches('/').to_owned()),
        None => Err(Refusal::new(
            format!("the definition of pool {to} names no directory"),
            "name the directory itself",
        )),
    }
}

/// The user that QEMU runs as: `user` of qemu.conf, else what the distributions build in.
pub fn qemu_user(conf: &str, passwd: &str) -> Option<(String, u32, u32)> {
    let entry = |name: &str| {
        passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let numbers = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
            let named = fields[0] == name || fields[2] == name.trim_start_matches('+');
            named.then(|| (fields[0].to_owned(), numbers.0, numbers.1))
        })
    };
    let set = conf.lines().find_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        (key.trim() == "user").then(|| value.trim().trim_matches('"').to_owned())
    });
    match set {
        Some(user) => entry(&user),
        None => entry("libvirt-qemu").or_else(|| entry("qemu")),
    }
}

/// Whether that user can enter the directory: the kernel itself is asked, so that modes, groups
/// and ACLs all count.
///
/// # Errors
/// It cannot (the refusal), or could not be asked (`Ok` with a note).
pub fn enters(directory: &str, user: &(String, u32, u32)) -> Result<Option<String>, Refusal> {
    let (name, uid, gid) = user;
    if *uid == 0 {
        return Ok(None);
    }
    let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
    let args = [
        uid.as_str(),
        gid.as_str(),
        "--init-groups",
        "test",
        "-x",
        directory,
    ];
    match command::run("setpriv", &args, &[], Duration::from_secs(10)) {
        Ok(done) if done.status.success() => Ok(None),
        Ok(done) if done.status.code() == Some(1) && done.stderr.is_empty() => Err(Refusal::new(
            format!("QEMU's user {name} cannot enter {directory}"),
            format!(
                "let it: setfacl -m u:{name}:x on {directory} and each directory above that is closed"
            ),
        )),
        Ok(done) => Ok(Some(format!(
            "not checked: whether QEMU's user {name} can enter {directory}: {}",
            done.stderr
        ))),
        Err(error) => Ok(Some(format!(
            "not checked: whether QEMU's user {name} can enter {directory}: {error}"
        ))),
    }
}
