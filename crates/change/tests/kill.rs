//! A real process is killed (SIGKILL, at itself) at every point where it changes something, while
//! it applies a plan and while it takes one back. After each kill every path holds its old or its
//! new content, nothing else lies about that a rollback would not clear, and one rollback gives
//! the old tree back.
//!
//! The process is this test binary, started again with the test `child` and `NOFAIL_CHILD` set.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use change::journal::Status;
use change::origin::Origin;
use change::undo::{Strictness, last, rollback};
use change::{Act, Draft, Proposal, Root, engine, prepare};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

const FSTAB: &str = "etc/fstab";

fn tree(directory: &Path) {
    fs::create_dir_all(directory.join("etc/libvirt/hooks")).unwrap();
    fs::write(directory.join(FSTAB), "old fstab\n").unwrap();
    let hook = directory.join("etc/libvirt/hooks/qemu");
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o600)).unwrap();
}

fn acts() -> Vec<Act> {
    let write = |path: &str, content: &str| Act::Write {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
        mode: 0o644,
    };
    vec![
        write("/etc/fstab", "new fstab\n"),
        Act::Attributes {
            path: "/etc/libvirt/hooks/qemu".to_owned(),
            mode: Some(0o755),
            owner: None,
            label: None,
        },
        Act::Link {
            path: "/etc/libvirt/qemu/autostart/g.xml".to_owned(),
            target: "../g.xml".to_owned(),
        },
        write("/etc/systemd/network/a.d/b.conf", "made\n"),
    ]
}

/// What the test process does when it was started as a child.
#[test]
fn child() {
    let Ok(task) = std::env::var("NOFAIL_CHILD") else {
        return;
    };
    let (what, directory) = task.split_once(' ').unwrap();
    let root = Root::rooted(Path::new(directory)).unwrap();
    let origin = Origin::here("", None);
    if what == "apply" {
        let draft = Draft {
            host: "host".to_owned(),
            title: "kill test".to_owned(),
            origin,
            proposals: acts()
                .into_iter()
                .map(|act| Proposal {
                    act,
                    rules: Vec::new(),
                    safe: true,
                })
                .collect(),
            ..Draft::default()
        };
        let mut plan = prepare(&root, draft).unwrap();
        engine::apply(&root, &mut plan, &mut |_| {}).unwrap();
    } else if let Some(record) = last(&root).unwrap() {
        rollback(
            &root,
            &record.plan.id,
            Strictness::Known,
            &origin,
            &mut |_| {},
        )
        .unwrap();
    }
}

fn run(what: &str, directory: &Path, kill_at: u64) -> ExitStatus {
    let me = std::env::current_exe().unwrap().display().to_string();
    let task = format!("NOFAIL_CHILD={what} {}", directory.display());
    let at = format!("NOFAIL_KILL_AT={kill_at}");
    let args = [&task, &at, &me, "child", "--exact", "--quiet"].map(|s: &str| s);
    let done = collect::command::run("env", &args, &[], Duration::from_secs(60)).unwrap();
    let killed = done.status.signal() == Some(9);
    assert!(
        killed || done.status.success(),
        "{what}, kill at {kill_at}: {:?} {}",
        done.status,
        String::from_utf8_lossy(&done.stdout)
    );
    done.status
}

type Picture = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)>;

fn picture(directory: &Path) -> Picture {
    let mut all = BTreeMap::new();
    let mut left = vec![directory.join("etc")];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            Vec::new()
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            target.to_string_lossy().into_owned().into_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        let name = path.strip_prefix(directory).unwrap().to_owned();
        all.insert(name, (meta.mode(), meta.uid(), meta.gid(), content));
    }
    all
}

/// Every path that both pictures could hold holds one of the two.
fn old_or_new(now: &Picture, old: &Picture, new: &Picture, when: &str) {
    for (path, state) in now {
        if path.to_string_lossy().contains("/.nofail-") {
            continue;
        }
        let made = state.3.is_empty() && state.0 & 0o170_000 == 0o040_000;
        let known = old.get(path) == Some(state) || new.get(path) == Some(state) || made;
        assert!(known, "{when}: {} is {state:?}", path.display());
    }
    for path in old.keys().filter(|path| new.contains_key(*path)) {
        assert!(now.contains_key(path), "{when}: {} is gone", path.display());
    }
}

#[test]
fn a_kill_at_any_point_leaves_old_or_new_and_one_rollback_away() {
    // In memory where that is to be had: what a kill leaves is the same, and each of thousands of
    // fsync(2) costs nothing.
    let base = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let base = base.unwrap();
    let reference = base.path().join("reference");
    tree(&reference);
    let old = picture(&reference);
    assert!(run("apply", &reference, 0).success());
    let new = picture(&reference);
    let mut kills = 0;
    let mut ended = false;
    for at in 1..500 {
        let directory = base.path().join(format!("apply-{at}"));
        tree(&directory);
        ended = run("apply", &directory, at).success();
        let when = format!("killed at {at} of apply");
        old_or_new(&picture(&directory), &old, &new, &when);
        if ended {
            assert_eq!(picture(&directory), new);
            break;
        }
        kills += 1;
        // The rollback is killed, too, twice, at points that move with each round.
        let when = format!("{when}, then twice in the rollback");
        for second in [at % 23 + 1, at * 7 % 41 + 1] {
            kills += u64::from(!run("rollback", &directory, second).success());
            old_or_new(&picture(&directory), &old, &new, &when);
        }
        run("rollback", &directory, 0);
        assert_eq!(picture(&directory), old, "{when}");
        let root = Root::rooted(&directory).unwrap();
        assert!(last(&root).unwrap().is_none(), "{when}");
        // And the host can be mended as if nothing had been.
        assert!(run("apply", &directory, 0).success());
        assert_eq!(picture(&directory), new, "{when}");
        fs::remove_dir_all(&directory).unwrap();
    }
    assert!(ended, "apply never came to its end");
    let mut ended = false;
    for at in 1..500 {
        let directory = base.path().join(format!("rollback-{at}"));
        tree(&directory);
        assert!(run("apply", &directory, 0).success());
        ended = run("rollback", &directory, at).success();
        let when = format!("killed at {at} of rollback");
        old_or_new(&picture(&directory), &old, &new, &when);
        let root = Root::rooted(&directory).unwrap();
        if let Some(record) = last(&root).unwrap() {
            assert!(matches!(
                record.status(),
                Status::Applied | Status::Unfinished
            ));
        }
        run("rollback", &directory, 0);
        assert_eq!(picture(&directory), old, "{when}");
        if ended {
            break;
        }
        kills += 1;
        fs::remove_dir_all(&directory).unwrap();
    }
    assert!(ended, "rollback never came to its end");
    println!("{kills} kills");
    assert!(kills > 100, "only {kills} kills");
}
