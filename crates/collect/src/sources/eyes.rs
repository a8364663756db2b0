//! Looks at paths that definitions name: images, pool directories, save files. On this host only
//! through a disposable child, since any of them may lie on a dead server; in a tree only where
//! the tree itself holds them.

use crate::probe::{ProbeError, Prober};
use crate::reader::Kind;
use crate::{HostReader, Options};
use facts::fstab::Entry;
use std::io;

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `file`, `block`, `directory`, `other`.
    pub(super) kind: &'static str,
    /// Size in bytes; 0 for what is no file.
    pub(super) size: u64,
    /// Bytes really allocated.
    pub(super) allocated: u64,
    /// Device and inode, where known: the same for two names of one file.
    pub(super) identity: Option<String>,
}

/// Why nothing was seen.
#[derive(Clone, Debug)]
pub(super) enum Blind {
    /// It was looked for and is not there.
    Absent,
    /// It could not be looked at, and why.
    Unreadable(String),
}

/// The way of looking.
pub(super) enum Eyes<'a> {
    /// This host.
    Live(Box<Prober>),
    /// A tree, with its fstab: what lies below a mount point is not in the tree.
    Tree(&'a dyn HostReader, Vec<Entry>),
}

impl<'a> Eyes<'a> {
    /// Nothing is started before the first look.
    pub(super) fn new(reader: &'a dyn HostReader, options: &Options, fstab: &[Entry]) -> Self {
        if reader.live() {
            Self::Live(Box::new(Prober::new(options)))
        } else {
            Self::Tree(reader, fstab.to_vec())
        }
    }

    /// What a path leads to.
    pub(super) fn stat(&mut self, path: &str) -> Result<Seen, Blind> {
        match self {
            Self::Live(prober) => {
                let stat = prober.stat(path).map_err(|e| blind(&e))?;
                Ok(Seen {
                    kind: match stat.mode & 0o170_000 {
                        0o100_000 => "file",
                        0o060_000 => "block",
                        0o040_000 => "directory",
                        _ => "other",
                    },
                    size: if stat.is_file() { stat.size } else { 0 },
                    allocated: stat.allocated,
                    identity: Some(format!("{} {}", stat.device, stat.inode)),
                })
            }
            Self::Tree(reader, fstab) => {
                elsewhere(path, fstab)?;
                let stat = reader.stat(path);
                let stat = stat.map_err(|e| tree_error(*reader, path, fstab, &e))?;
                Ok(Seen {
                    kind: match stat.kind {
                        Kind::File => "file",
                        Kind::Block => "block",
                        Kind::Directory => "directory",
                        Kind::Link | Kind::Other => "other",
                    },
                    size: if stat.kind == Kind::File {
                        stat.size
                    } else {
                        0
                    },
                    allocated: stat.allocated,
                    identity: None,
                })
            }
        }
    }

    /// The first `length` bytes of a file, fewer where it has fewer.
    pub(super) fn head(&mut self, path: &str, length: usize) -> Result<Vec<u8>, Blind> {
        /// The most that one probe gives.
        const PIECE: usize = 1 << 20;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let (offset, wanted) = (bytes.len() as u64, (length - bytes.len()).min(PIECE));
            let piece = match self {
                Self::Live(prober) => prober
                    .read_at(path, offset, wanted)
                    .map_err(|e| blind(&e))?,
                Self::Tree(reader, fstab) => {
                    elsewhere(path, fstab)?;
                    let piece = reader.read_at(path, offset, wanted);
                    piece.map_err(|e| tree_error(*reader, path, fstab, &e))?
                }
            };
            let end = piece.len() < wanted;
            bytes.extend(piece);
            if end {
                break;
            }
        }
        Ok(bytes)
    }

    /// Names in a directory, at most 100,000.
    pub(super) fn list(&mut self, path: &str) -> Result<Vec<String>, Blind> {
        match self {
            Self::Live(prober) => {
                let list = prober.list(path, 100_000).map_err(|e| blind(&e))?;
                Ok(list.names)
            }
            Self::Tree(reader, fstab) => {
                elsewhere(path, fstab)?;
                reader
                    .list(path)
                    .map_err(|e| tree_error(*reader, path, fstab, &e))
            }
        }
    }

    /// Size and free bytes of the file system that a path lies on; a tree does not tell.
    pub(super) fn space(&mut self, path: &str) -> Result<(u64, u64), Blind> {
        match self {
            Self::Live(prober) => {
                let vfs = prober.statvfs(path).map_err(|e| blind(&e))?;
                Ok((vfs.size, vfs.available))
            }
            Self::Tree(..) => Err(Blind::Unreadable(
                "a tree does not tell how full the host's file systems are".to_owned(),
            )),
        }
    }
}

fn blind(error: &ProbeError) -> Blind {
    match error {
        error if error.is_absent() => Blind::Absent,
        ProbeError::NotResponding(deadline) => Blind::Unreadable(format!(
            "did not answer within {} s",
            deadline.as_secs_f32()
        )),
        ProbeError::Io(io) if io.kind() == io::ErrorKind::PermissionDenied => {
            Blind::Unreadable("permission denied (run as root)".to_owned())
        }
        other => Blind::Unreadable(other.to_string()),
    }
}

/// Refuses what the tree cannot hold: paths below a network mount, and device nodes.
fn elsewhere(path: &str, fstab: &[Entry]) -> Result<(), Blind> {
    if path.starts_with("/dev/") {
        return Err(Blind::Unreadable("a tree holds no devices".to_owned()));
    }
    match covering(path, fstab) {
        Some(entry) if entry.is_network() => Err(Blind::Unreadable(format!(
            "lies on {} ({}), which is not mounted here",
            entry.target, entry.source
        ))),
        _ => Ok(()),
    }
}

/// The fstab line whose mount point holds a path, without the root file system's.
fn covering<'e>(path: &str, fstab: &'e [Entry]) -> Option<&'e Entry> {
    fstab
        .iter()
        .filter(|entry| {
            let target = entry.target.trim_end_matches('/');
            let rest = path.strip_prefix(target);
            !target.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|entry| entry.target.len())
}

fn tree_error(reader: &dyn HostReader, path: &str, fstab: &[Entry], error: &io::Error) -> Blind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            if let Some(entry) = covering(path, fstab) {
                return Blind::Unreadable(format!(
                    "not here: {} is a file system of its own, perhaps not mounted below the root",
                    entry.target
                ));
            }
            if reader.complete() {
                Blind::Absent
            } else {
                Blind::Unreadable("no such file in this tree".to_owned())
            }
        }
        io::ErrorKind::PermissionDenied => {
            Blind::Unreadable("permission denied (run as root)".to_owned())
        }
        _ => Blind::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalReader;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    fn entry(target: &str, fstype: &str) -> Entry {
        let text = format!("nas-01:/e {target} {fstype} defaults 0 0\n");
        facts::fstab::parse(&text).entries().remove(0)
    }

    fn reason(blind: Blind) -> String {
        match blind {
            Blind::Unreadable(reason) => reason,
            Blind::Absent => "absent".to_owned(),
        }
    }

    #[test]
    fn a_tree_does_not_hold_what_is_mounted_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["usr", "etc", "mnt/nas", "srv"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("etc/os-release"), "").unwrap();
        // What lies in the bare directory is not what the mount holds.
        std::fs::write(dir.path().join("mnt/nas/x"), "abc").unwrap();
        std::fs::write(dir.path().join("srv/x"), "abc").unwrap();
        let reader = LocalReader::rooted(dir.path()).unwrap();
        let fstab = [
            entry("/mnt/nas", "nfs"),
            entry("/var", "ext4"),
            entry("/", "xfs"),
        ];
        let mut eyes = Eyes::new(&reader, &Options::default(), &fstab);
        assert!(reason(eyes.stat("/mnt/nas/x").unwrap_err()).contains("not mounted here"));
        assert!(reason(eyes.stat("/var/x").unwrap_err()).contains("file system of its own"));
        assert!(reason(eyes.stat("/dev/sda").unwrap_err()).contains("no devices"));
        assert_eq!(reason(eyes.stat("/srv/y").unwrap_err()), "absent");
        assert_eq!(eyes.stat("/srv/x").unwrap().size, 3);
        assert_eq!(eyes.head("/srv/x", 2).unwrap(), b"ab");
        assert_eq!(eyes.list("/srv").unwrap(), ["x"]);
        assert!(eyes.space("/srv").is_err());
    }

    #[test]
    fn a_tree_of_few_files_does_not_say_that_others_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        let reader = LocalReader::rooted(dir.path()).unwrap();
        let mut eyes = Eyes::new(&reader, &Options::default(), &[]);
        assert!(reason(eyes.stat("/srv/y").unwrap_err()).contains("in this tree"));
    }

    #[test]
    fn what_does_not_answer_costs_its_deadline_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let silent = dir.path().join("silent");
        std::fs::write(&silent, "#!/bin/sh\nexec sleep 20\n").unwrap();
        std::fs::set_permissions(&silent, std::fs::Permissions::from_mode(0o755)).unwrap();
        let options = Options {
            deadline: Duration::from_millis(300),
            probe_program: silent,
        };
        let reader = LocalReader::live().unwrap();
        let mut eyes = Eyes::new(&reader, &options, &[]);
        let began = Instant::now();
        let why = reason(eyes.stat("/mnt/nas/vms/x").unwrap_err());
        assert_eq!(why, "did not answer within 0.3 s");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
