//! A file system that is full, fills up in the middle, or is read-only: refused or undone, with
//! the reason. Each case runs in a mount namespace of its own, on a small tmpfs. Needs root.
//!
//! The case's process is this test binary, started again with `NOFAIL_CASE` set.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use change::error::chain;
use change::{Act, Draft, Error, Plan, Proposal, Root, engine, journal, prepare};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn plan(root: &Root) -> Plan {
    let write = |path: &str, size: usize| Proposal {
        act: Act::Write {
            path: path.to_owned(),
            content: vec![b'x'; size],
            mode: 0o644,
        },
        rules: Vec::new(),
        safe: true,
    };
    let draft = Draft {
        origin: change::origin::Origin::here("", None),
        proposals: vec![write("/etc/fstab", 20_000), write("/etc/second", 20_000)],
        ..Draft::default()
    };
    prepare(root, draft).unwrap()
}

/// Fills the file system until `left` bytes are free.
fn fill(directory: &Path, left: u64) {
    let stat = rustix::fs::statvfs(directory).unwrap();
    let free = stat.f_bavail * stat.f_frsize;
    let mut file = fs::File::create(directory.join("ballast")).unwrap();
    let size = usize::try_from(free.saturating_sub(left)).unwrap();
    file.write_all(&vec![0; size]).unwrap();
}

fn unchanged(directory: &Path) {
    assert_eq!(
        fs::read_to_string(directory.join("etc/fstab")).unwrap(),
        "old\n"
    );
    let names: Vec<PathBuf> = fs::read_dir(directory.join("etc"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(names, [directory.join("etc/fstab")]);
}

/// What the test process does when it was started for one case.
#[test]
fn case() {
    let Ok(task) = std::env::var("NOFAIL_CASE") else {
        return;
    };
    let (case, directory) = task.split_once(' ').unwrap();
    let directory = Path::new(directory);
    fs::create_dir(directory.join("etc")).unwrap();
    fs::write(directory.join("etc/fstab"), "old\n").unwrap();
    let root = Root::rooted(directory).unwrap();
    let mut plan = plan(&root);
    let room_at_step = |room: u64| {
        let directory = directory.to_owned();
        move |progress: &journal::Progress| {
            if matches!(progress, journal::Progress::Begun { step: 0 }) {
                fill(&directory, room);
            }
        }
    };
    match case {
        "journal" => {
            fill(directory, 8192);
            let error = engine::apply(&root, &mut plan, &mut |_| {}).unwrap_err();
            assert!(matches!(error, Error::Journal(_)), "{error}");
            assert!(
                chain(&error).contains("full: make room"),
                "{}",
                chain(&error)
            );
            unchanged(directory);
            assert!(journal::list(&root).unwrap().is_empty());
        }
        "staging" => {
            // Enough for the journal (four times 20 kB and 64 KiB of progress), not for both
            // new files.
            fill(directory, 165_000);
            let error = engine::apply(&root, &mut plan, &mut |_| {}).unwrap_err();
            assert!(
                chain(&error).contains("full: make room"),
                "{}",
                chain(&error)
            );
            assert!(!matches!(error, Error::Journal(_)), "{error}");
            unchanged(directory);
            assert!(change::undo::last(&root).unwrap().is_none());
        }
        // Full from the first step on: all that is needed was written before it.
        "middle" => {
            engine::apply(&root, &mut plan, &mut room_at_step(0)).unwrap();
            assert_eq!(
                fs::metadata(directory.join("etc/fstab")).unwrap().len(),
                20_000
            );
        }
        "read-only" => {
            rustix::mount::mount_remount(directory, rustix::mount::MountFlags::RDONLY, "").unwrap();
            let error = engine::apply(&root, &mut plan, &mut |_| {}).unwrap_err();
            assert!(
                chain(&error).contains("read-only: mount -o remount,rw"),
                "{}",
                chain(&error)
            );
            unchanged(directory);
        }
        other => panic!("no case {other}"),
    }
}

#[test]
fn a_full_or_read_only_file_system_is_told_and_leaves_the_old_state() {
    let me = std::env::current_exe().unwrap().display().to_string();
    for case in ["journal", "staging", "middle", "read-only"] {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().display().to_string();
        let script = format!(
            "mount -t tmpfs -o size=400k none {directory} && NOFAIL_CASE='{case} {directory}' exec {me} case --exact --nocapture"
        );
        let args = ["-m", "sh", "-c", &script];
        let done = collect::command::run("unshare", &args, &[], Duration::from_secs(60)).unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &done.stderr;
        assert!(done.status.success(), "{case}: {said}");
        assert!(said.contains("1 passed"), "{case}: {said}");
    }
}
