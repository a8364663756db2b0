//! The directories above hook scripts: who may write them may replace a script.

use crate::HostReader;
use crate::reader::{Kind, Stat};
use facts::hook::HookDirectory;
use facts::{Snapshot, path};

/// So many links are followed from a script: as many as the kernel does (path_resolution(7)).
const MAX_LINKS: usize = 40;

pub(super) fn collect(reader: &dyn HostReader, snapshot: &mut Snapshot) {
    // A tree that somebody unpacked bears that person's name on every file: it says nothing of the
    // host's owners.
    let owners_kept = |etc: Stat| reader.live() || etc.uid == 0;
    if !reader.stat("/etc").is_ok_and(owners_kept) {
        return;
    }
    let mut above: Vec<String> = Vec::new();
    for script in &snapshot.hooks.scripts {
        let mut file = script.path.clone();
        for _ in 0..MAX_LINKS {
            above.extend(ancestors(&file));
            let Ok(target) = reader.read_link(&file) else {
                break;
            };
            let (directory, _) = file.rsplit_once('/').unwrap_or_default();
            file = if target.starts_with('/') {
                path::simplify(&target)
            } else {
                path::simplify(&format!("{directory}/{target}"))
            };
        }
    }
    above.sort();
    above.dedup();
    for directory in above {
        if let Ok(stat) = reader.stat(&directory)
            && stat.kind == Kind::Directory
        {
            snapshot.hooks.directories.push(HookDirectory {
                path: directory,
                mode: stat.mode,
                uid: stat.uid,
                gid: stat.gid,
            });
        }
    }
}

/// The directories above a file, without the root.
fn ancestors(file: &str) -> Vec<String> {
    let ends = file.match_indices('/').map(|(at, _)| at);
    ends.filter(|at| *at > 0)
        .map(|at| file[..at].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_root_down() {
        assert_eq!(
            ancestors("/etc/libvirt/hooks/qemu"),
            ["/etc", "/etc/libvirt", "/etc/libvirt/hooks"]
        );
        assert!(ancestors("/qemu").is_empty());
    }
}
