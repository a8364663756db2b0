//! Cases of rules as files: read, and laid out as trees. Form in CONTRIBUTING.md.

use facts::Snapshot;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

pub struct Case {
    pub title: String,
    pub line: usize,
    pub blocks: Vec<(String, String)>,
}

/// Cases are second-level headings; their fenced blocks are named by the info string.
pub fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(String, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some((fence, name, body)) = &mut block {
            if line.trim() == fence {
                let done = (name.clone(), body.clone());
                let case = cases.last_mut().expect("a block before the first case");
                case.blocks.push(done);
                block = None;
            } else {
                body.push_str(line);
                body.push('\n');
            }
        } else if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case {
                title: title.to_owned(),
                line: index + 1,
                blocks: Vec::new(),
            });
        } else if line.starts_with("```") {
            let ticks = line.chars().take_while(|c| *c == '`').count();
            let name = line[ticks..].trim().to_owned();
            assert!(
                !name.is_empty(),
                "line {}: a block without a name",
                index + 1
            );
            block = Some(("`".repeat(ticks), name, String::new()));
        }
    }
    assert!(block.is_none(), "a block is not closed");
    cases
}

/// `kvm-01:/etc/fstab` is a file of that host, `/etc/fstab` one of the only host, `host`.
pub fn host_and_path(name: &str) -> Option<(&str, &str)> {
    if name.starts_with('/') {
        return Some(("host", name));
    }
    let (host, path) = name.split_once(':')?;
    path.starts_with('/').then_some((host, path))
}

/// Writes one file of a case; the path may be followed by ` mode=0755` or ` -> link target`.
pub fn put(root: &Path, path: &str, body: &str) {
    let (path, mode) = path
        .split_once(" mode=")
        .map_or((path, None), |(p, m)| (p, Some(m)));
    let (path, link) = path
        .split_once(" -> ")
        .map_or((path, None), |(p, l)| (p, Some(l)));
    let file = root.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    match link {
        Some(link) => symlink(link, &file).unwrap(),
        None => std::fs::write(&file, body).unwrap(),
    }
    if let Some(mode) = mode {
        let mode = u32::from_str_radix(mode, 8).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Lays the sections of a JSON fragment over a snapshot. A section that is given was read.
pub fn merged(snapshot: &Snapshot, fragment: &str) -> Snapshot {
    let fragment: serde_json::Value = serde_json::from_str(fragment).expect("a JSON fragment");
    let mut whole = serde_json::to_value(snapshot).unwrap();
    let given = fragment.as_object().unwrap();
    for (key, value) in given {
        whole[key] = value.clone();
    }
    let mut merged: Snapshot = serde_json::from_value(whole).expect("a snapshot");
    if !given.contains_key("unread") {
        merged
            .unread
            .retain(|u| !given.contains_key(u.source.section()));
    }
    merged
}

pub fn scenario_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            scenario_files(&entry.path(), files);
        } else if entry.path().extension().is_some_and(|e| e == "md") {
            files.push(entry.path());
        }
    }
}
