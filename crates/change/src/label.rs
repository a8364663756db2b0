//! The SELinux label of a file that did not exist: what the kernel would give it on its own host.
//!
//! A rescue system has no policy loaded, and gives none. Unlabelled files (`unlabeled_t`) are out
//! of reach of confined daemons once the host boots, so a new file gets the label that the policy
//! on the disk names (file_contexts(5)), else that of its neighbours. Where SELinux runs, the
//! kernel itself labels what is made.

use crate::root::Root;
use crate::state::{Bytes, MAX_FILE};
use facts::hook::selinux;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::Read;

/// The attribute that holds the label.
pub(crate) const ATTRIBUTE: &str = "security.selinux";

/// Present while SELinux runs (selinuxfs).
const RUNS: &str = "/sys/fs/selinux/enforce";

/// The label of a new file (or directory); `None` where the tree carries none, or the kernel gives
/// it.
pub(crate) fn of_new(root: &Root, path: &str, directory: bool) -> Option<Bytes> {
    if root.is_live() && root.open(RUNS, OFlags::PATH).is_ok() {
        return None;
    }
    let (mut parent, _) = path.rsplit_once('/')?;
    // What the plan itself makes above it does not exist yet.
    while !parent.is_empty() && !root.is_directory(parent) {
        parent = parent.rsplit_once('/')?.0;
    }
    let parent = if parent.is_empty() { "/" } else { parent };
    let above = label(root, parent)?;
    if directory {
        return Some(above);
    }
    let by_policy = policy(root).and_then(|kind| {
        let contexts = format!("/etc/selinux/{kind}/contexts/files/file_contexts");
        let expected = |path_of: &str| selinux::expected(&text(root, path_of)?, path);
        expected(&format!("{contexts}.local")).or_else(|| expected(&contexts))
    });
    match by_policy {
        Some(context) => Some(Bytes(format!("{context}\0").into_bytes())),
        None => Some(neighbour(root, parent).unwrap_or(above)),
    }
}

/// The policy that the tree's host loads.
fn policy(root: &Root) -> Option<String> {
    let (mode, kind) = selinux::config(&text(root, "/etc/selinux/config")?);
    (mode.as_deref() != Some("disabled")).then_some(kind)?
}

/// The label of the first labelled file in a directory, by name.
fn neighbour(root: &Root, directory: &str) -> Option<Bytes> {
    let handle = root
        .open(directory, OFlags::RDONLY | OFlags::DIRECTORY)
        .ok()?;
    let entries = rustix::fs::Dir::read_from(&handle).ok()?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.file_type() == rustix::fs::FileType::RegularFile)
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let directory = directory.trim_end_matches('/');
    names
        .iter()
        .find_map(|name| label(root, &format!("{directory}/{name}")))
}

fn label(root: &Root, path: &str) -> Option<Bytes> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = root.open(path, flags).ok()?;
    let mut value = vec![0; 4096];
    let length = rustix::fs::fgetxattr(&file, ATTRIBUTE, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(Bytes(value))
}

fn text(root: &Root, path: &str) -> Option<String> {
    let file = root.open(path, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
    let mut text = String::new();
    File::from(file)
        .take(MAX_FILE)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}
