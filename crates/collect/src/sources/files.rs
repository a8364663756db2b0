//! How the sources read configuration files: present, absent, or not read and why.

use super::why;
use crate::HostReader;
use crate::reader::Kind;
use std::io;

/// What reading one file gave.
#[derive(Debug)]
pub(super) enum Got {
    /// Its text.
    Text(String),
    /// The host has no such file.
    Absent,
    /// It could not be read, or the tree is too small to tell.
    Unread(String),
}

/// Reads a configuration file.
pub(super) fn text(reader: &dyn HostReader, path: &str) -> Got {
    match reader.text(path) {
        Ok(text) => Got::Text(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => missing(reader, path),
        Err(error) => Got::Unread(why(path, &error)),
    }
}

/// What a missing file means: nothing in a tree that holds only a few files of a host.
pub(super) fn missing(reader: &dyn HostReader, path: &str) -> Got {
    if reader.complete() {
        Got::Absent
    } else {
        Got::Unread(format!("{path}: not in this tree"))
    }
}

/// Names in a directory; none where it is absent.
///
/// # Errors
/// A person's words for why it cannot be listed.
pub(super) fn names(reader: &dyn HostReader, path: &str) -> Result<Vec<String>, String> {
    match reader.list(path) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(why(path, &error)),
    }
}

/// Names in a directory; none where it is absent or cannot be listed. For directories that add
/// to what was read elsewhere and are readable by everyone on every distribution.
pub(super) fn list(reader: &dyn HostReader, path: &str) -> Vec<String> {
    reader.list(path).unwrap_or_default()
}

/// A systemd configuration file and its drop-ins in the order in which they are read
/// (systemd-system.conf(5)): the first main file of `/etc`, `/run`, `/usr/local/lib`, `/usr/lib`,
/// then the drop-ins of all these sorted by name, where the earlier directory wins.
/// `name` is relative: `systemd/resolved.conf`.
pub(super) fn systemd_conf(reader: &dyn HostReader, name: &str) -> Vec<(String, String)> {
    let main = ROOTS.iter().find_map(|root| {
        let path = format!("{root}/{name}");
        reader.text(&path).ok().map(|text| (path, text))
    });
    let mut files: Vec<(String, String)> = main.into_iter().collect();
    files.extend(fragments(reader, &format!("{name}.d")));
    files
}

/// Files `*.conf` of a directory that exists under `/etc`, `/run`, `/usr/local/lib`, `/usr/lib`
/// and `/lib`, sorted by name; of two with one name the earlier directory's counts, and a link
/// to `/dev/null` hides the name.
pub(super) fn fragments(reader: &dyn HostReader, directory: &str) -> Vec<(String, String)> {
    let mut chosen: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for root in ROOTS {
        for name in list(reader, &format!("{root}/{directory}")) {
            if name.ends_with(".conf") {
                let path = format!("{root}/{directory}/{name}");
                chosen.entry(name).or_insert(path);
            }
        }
    }
    chosen
        .into_values()
        .filter(|path| !is_null_link(reader, path))
        .filter_map(|path| reader.text(&path).ok().map(|text| (path, text)))
        .collect()
}

const ROOTS: &[&str] = &["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];

/// Whether a path is a link to `/dev/null`: systemd's way to mask a file.
pub(super) fn is_null_link(reader: &dyn HostReader, path: &str) -> bool {
    reader.lstat(path).is_ok_and(|s| s.kind == Kind::Link)
        && reader
            .read_link(path)
            .is_ok_and(|target| target == "/dev/null")
}
