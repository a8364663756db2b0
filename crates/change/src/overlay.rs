//! A host as it will be: the real one, with the changes of a plan laid over it. Read by the same
//! collector, so that a plan is judged by the same rules before it runs.

use crate::plan::{Act, Probe};
use crate::state::State;
use collect::HostReader;
use collect::reader::{Kind, Stat};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// A reader with changes on top.
pub struct Overlay<'a> {
    base: &'a dyn HostReader,
    changed: BTreeMap<String, State>,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

/// Links that are followed through the changes.
const MAX_LINKS: usize = 8;

impl<'a> Overlay<'a> {
    /// No change yet.
    pub fn new(base: &'a dyn HostReader) -> Self {
        Self {
            base,
            changed: BTreeMap::new(),
        }
    }

    /// Says what a path will hold.
    pub fn set(&mut self, path: &str, state: State) {
        self.changed.insert(path.to_owned(), state);
    }

    /// Lays what an act does over the host; of a command, what its `after` says of paths.
    pub fn lay(&mut self, act: &Act) {
        match act {
            Act::Write {
                path,
                content,
                mode,
            } => {
                let meta = self.meta(path, *mode);
                let content = crate::Bytes(content.clone());
                self.set(path, State::File { content, meta });
            }
            Act::Remove { path } => self.set(path, State::Absent),
            Act::Link { path, target } => {
                let (target, meta) = (target.clone(), crate::Meta::default());
                self.set(path, State::Link { target, meta });
            }
            Act::Attributes {
                path,
                mode,
                owner,
                label,
            } => {
                let Ok(content) = self.read(path) else { return };
                let mut meta = self.meta(path, 0o644);
                meta.mode = mode.unwrap_or(meta.mode);
                (meta.uid, meta.gid) = owner.unwrap_or((meta.uid, meta.gid));
                if let Some(label) = label {
                    let value = crate::Bytes(format!("{label}\0").into_bytes());
                    meta.xattrs.insert("security.selinux".to_owned(), value);
                }
                let content = crate::Bytes(content);
                self.set(path, State::File { content, meta });
            }
            Act::Run(run) => {
                for (path, content) in &run.leaves {
                    let (meta, content) = (self.meta(path, 0o644), content.clone());
                    self.set(path, State::File { content, meta });
                }
                for probe in &run.after {
                    if let Probe::Path { path, state } = probe {
                        self.set(path, state.clone());
                    }
                }
            }
        }
    }

    /// A directory that is made because something will lie in it.
    fn implied(&self, path: &str) -> Option<Stat> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut inside = self.changed.iter();
        let filled = inside.any(|(p, s)| p.starts_with(&prefix) && *s != State::Absent);
        let meta = crate::Meta {
            mode: 0o755,
            ..crate::Meta::default()
        };
        filled
            .then(|| stat_of(&State::Directory { meta }).ok())
            .flatten()
    }

    fn meta(&self, path: &str, mode: u32) -> crate::Meta {
        let stat = self.stat(path).ok();
        let mut meta = crate::Meta {
            mode: stat.as_ref().map_or(mode, |s| s.mode),
            uid: stat.as_ref().map_or(0, |s| s.uid),
            gid: stat.as_ref().map_or(0, |s| s.gid),
            ..crate::Meta::default()
        };
        if let Ok(Some(label)) = self.xattr(path, "security.selinux") {
            meta.xattrs
                .insert("security.selinux".to_owned(), crate::Bytes(label));
        }
        meta
    }

    /// What is laid over a path, links among the changes followed; else the path to ask the base.
    fn find(&self, path: &str) -> Result<&State, String> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match self.changed.get(&path) {
                Some(State::Link { target, .. }) => {
                    path = if target.starts_with('/') {
                        target.clone()
                    } else {
                        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                        join(parent, target)
                    };
                }
                Some(state) => return Ok(state),
                None => return Err(path),
            }
        }
        Err(path)
    }
}

/// A relative link's target, `..` taken away where it climbs out of a plain name.
fn join(parent: &str, target: &str) -> String {
    let mut parts: Vec<&str> = parent.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn absent<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotFound.into())
}

fn stat_of(state: &State) -> io::Result<Stat> {
    let Some(meta) = state.meta() else {
        return absent();
    };
    let (kind, size) = match state {
        State::File { content, .. } => (Kind::File, content.0.len() as u64),
        State::Link { target, .. } => (Kind::Link, target.len() as u64),
        State::Directory { .. } | State::Absent => (Kind::Directory, 0),
    };
    Ok(Stat {
        mode: meta.mode,
        kind,
        uid: meta.uid,
        gid: meta.gid,
        size,
        allocated: size,
        mtime: 0,
        ctime: 0,
    })
}

impl HostReader for Overlay<'_> {
    fn kind(&self) -> &'static str {
        self.base.kind()
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.find(path) {
            Ok(State::File { content, .. }) => Ok(content.0.clone()),
            Ok(State::Directory { .. }) => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => absent(),
            Err(path) => self.base.read(&path),
        }
    }

    fn read_at(&self, path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self.find(path) {
            Ok(State::File { content, .. }) => {
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(content.0.len());
                let to = from.saturating_add(length).min(content.0.len());
                Ok(content.0[from..to].to_vec())
            }
            Ok(_) => absent(),
            Err(path) => self.base.read_at(&path, offset, length),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut names: Vec<String> = match self.base.list(path) {
            Ok(names) => names,
            Err(_) if self.changed.keys().any(|p| p.starts_with(&prefix)) => Vec::new(),
            Err(error) => return Err(error),
        };
        for (changed, state) in &self.changed {
            let Some(rest) = changed.strip_prefix(&prefix) else {
                continue;
            };
            let name = rest.split('/').next().unwrap_or(rest);
            if rest == name && *state == State::Absent {
                names.retain(|n| n != name);
            } else if *state != State::Absent {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn stat(&self, path: &str) -> io::Result<Stat> {
        match self.find(path) {
            Ok(state) => stat_of(state),
            Err(path) => self
                .base
                .stat(&path)
                .or_else(|e| self.implied(&path).ok_or(e)),
        }
    }

    fn lstat(&self, path: &str) -> io::Result<Stat> {
        match self.changed.get(path) {
            Some(state) => stat_of(state),
            None => self
                .base
                .lstat(path)
                .or_else(|e| self.implied(path).ok_or(e)),
        }
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        match self.changed.get(path) {
            Some(State::Link { target, .. }) => Ok(target.clone()),
            Some(State::Absent) => absent(),
            Some(_) => Err(io::ErrorKind::InvalidInput.into()),
            None => self.base.read_link(path),
        }
    }

    fn xattr(&self, path: &str, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.find(path) {
            Ok(state) => {
                let value = state.meta().and_then(|meta| meta.xattrs.get(name));
                Ok(value.map(|bytes| bytes.0.clone()))
            }
            Err(path) => self.base.xattr(&path, name),
        }
    }

    fn path_here(&self, path: &str) -> Option<PathBuf> {
        match self.find(path) {
            // What is only planned lies nowhere.
            Ok(_) => None,
            Err(path) => self.base.path_here(&path),
        }
    }

    fn complete(&self) -> bool {
        self.base.complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collect::LocalReader;

    #[test]
    fn changes_lie_over_the_tree() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("etc/q")).unwrap();
        std::fs::write(tree.path().join("etc/q/g.xml"), "guest").unwrap();
        std::fs::write(tree.path().join("etc/gone"), "x").unwrap();
        let base = LocalReader::rooted(tree.path()).unwrap();
        let mut overlay = Overlay::new(&base);
        overlay.lay(&Act::Link {
            path: "/etc/q/autostart/g.xml".to_owned(),
            target: "../g.xml".to_owned(),
        });
        overlay.lay(&Act::Remove {
            path: "/etc/gone".to_owned(),
        });
        overlay.lay(&Act::Attributes {
            path: "/etc/q/g.xml".to_owned(),
            mode: Some(0o711),
            owner: None,
            label: None,
        });
        assert_eq!(overlay.read("/etc/q/autostart/g.xml").unwrap(), b"guest");
        assert_eq!(overlay.list("/etc/q").unwrap(), ["autostart", "g.xml"]);
        assert_eq!(overlay.list("/etc").unwrap(), ["q"]);
        assert_eq!(overlay.stat("/etc/q/autostart/g.xml").unwrap().mode, 0o711);
        assert!(overlay.read("/etc/gone").is_err());
        assert_eq!(
            overlay.lstat("/etc/q/autostart/g.xml").unwrap().kind,
            Kind::Link
        );
    }
}
