//! Directories of configuration: layers that shadow one another, patterns of includes.

use crate::HostReader;
use crate::reader::Kind;
use crate::sources::why;
use std::collections::BTreeMap;
use std::io;

/// A file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub name: String,
    pub path: String,
    /// There are only drop-ins of it.
    pub made_up: bool,
}

/// Names in a directory; none where it is absent.
pub(super) fn names(reader: &dyn HostReader, directory: &str) -> io::Result<Vec<String>> {
    match reader.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// The files with this suffix in layered directories, the first layer first, in the order of
/// their names whatever the layer. A name in an earlier layer shadows it in later ones; a link to
/// `/dev/null` masks it. Also a path and reason for each directory that could not be read.
pub(super) fn layered(
    reader: &dyn HostReader,
    layers: &[String],
    suffix: &str,
) -> (Vec<Found>, Vec<(String, String)>) {
    let mut found: BTreeMap<String, Option<Found>> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut dropins: BTreeMap<String, Found> = BTreeMap::new();
    for layer in layers {
        let entries = names(reader, layer).unwrap_or_else(|error| {
            faults.push((layer.clone(), why(layer, &error)));
            Vec::new()
        });
        for name in entries {
            let path = format!("{layer}/{name}");
            if let Some(base) = name.strip_suffix(".d")
                && base.ends_with(suffix)
                && base.contains("-netplan-")
            {
                dropins.entry(base.to_owned()).or_insert(Found {
                    name: base.to_owned(),
                    path,
                    made_up: true,
                });
            } else if name.ends_with(suffix) {
                let masked = reader
                    .read_link(&path)
                    .is_ok_and(|target| target == "/dev/null");
                found
                    .entry(name.clone())
                    .or_insert((!masked).then_some(Found {
                        name,
                        path,
                        made_up: false,
                    }));
            }
        }
    }
    for (name, dropin) in dropins {
        // What netplan generated for the running boot counts as generated anew at the next.
        match found.get_mut(&name) {
            Some(Some(file)) if file.path.starts_with("/run/") => *file = dropin,
            Some(_) => {}
            None => {
                found.insert(name, Some(dropin));
            }
        }
    }
    (found.into_values().flatten().collect(), faults)
}

/// Expands an include of interfaces(5): a file, a pattern in the last part, or a directory (the
/// files of which must be named of letters, digits, `_` and `-`).
pub(super) fn expand(reader: &dyn HostReader, pattern: &str, directory: bool) -> Vec<String> {
    let is_directory = reader
        .stat(pattern)
        .is_ok_and(|s| s.kind == Kind::Directory);
    let (base, last) = if is_directory {
        (pattern.trim_end_matches('/'), "*")
    } else {
        pattern.rsplit_once('/').unwrap_or(("", pattern))
    };
    if !last.contains(['*', '?', '[']) {
        return vec![pattern.to_owned()];
    }
    names(reader, base)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            facts::profile::glob(last, name)
                && !name.starts_with('.')
                && (!(directory || is_directory) || name.chars().all(plain))
        })
        .map(|name| format!("{base}/{name}"))
        .filter(|path| reader.stat(path).is_ok_and(|s| s.kind == Kind::File))
        .collect()
}
