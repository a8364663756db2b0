//! The prober against file systems that really hang: FUSE mounts whose server never answers.
//!
//! Needs root and `/dev/fuse`; run with `cargo test -p collect --test root_probe`. Without them
//! each test says so and ends. Every mount is taken away again by its guard.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is the failure of the test"
)]

mod fuse;

use collect::Options;
use collect::probe::{ProbeError, Prober, probe_mount};
use facts::mount::{HealthState, Mount};
use fuse::Server;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_millis(400);

fn prober() -> Prober {
    // target/debug/deps/root_probe-… → target/debug/examples/probe_child
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples/probe_child");
    Prober::new(&Options {
        deadline: DEADLINE,
        probe_program: program,
    })
}

fn ready() -> bool {
    let ready = rustix::process::geteuid().is_root() && Path::new("/dev/fuse").exists();
    if !ready {
        eprintln!("skipped: needs root and /dev/fuse");
    }
    ready
}

struct Fuse {
    dir: tempfile::TempDir,
    device: Option<File>,
}

impl Fuse {
    fn mount(server: Server, user: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let device = fuse::mount_at(dir.path(), "fuse.nofailtest", "nofail-test", &server, user);
        Self {
            dir,
            device: Some(device),
        }
    }

    fn target(&self) -> String {
        self.dir.path().to_str().unwrap().to_owned()
    }

    fn as_mount(&self) -> Mount {
        Mount {
            target: self.target(),
            fstype: "fuse.nofailtest".into(),
            options: vec!["rw".into()],
            ..Mount::default()
        }
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        fuse::unmount_at(self.dir.path());
        self.device.take();
    }
}

#[test]
fn a_hung_mount_costs_one_deadline_and_then_nothing() {
    if !ready() {
        return;
    }
    let hung = Fuse::mount(Server::Silent, 0);
    let mut prober = prober();
    assert!(prober.stat("/etc/passwd").unwrap().is_file());
    let inside = format!("{}/vm.qcow2", hung.target());
    for path in [&hung.target(), &inside] {
        let began = Instant::now();
        let error = prober.stat(path).unwrap_err();
        assert!(matches!(error, ProbeError::NotResponding(_)), "{error}");
        assert!(began.elapsed() >= DEADLINE && began.elapsed() < DEADLINE * 4);
    }
    // Two children got stuck: the mount is no longer tried, the rest of the host is.
    let began = Instant::now();
    for number in 0..1000 {
        let path = format!("{}/{number}", hung.target());
        assert!(matches!(
            prober.list(&path, 5),
            Err(ProbeError::NotResponding(_))
        ));
    }
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(prober.stat("/etc/passwd").unwrap().is_file());
    let (health, _) = probe_mount(&mut prober, &hung.as_mount());
    assert_eq!(health.state, HealthState::NotResponding);
}

#[test]
fn no_child_is_left_when_the_mount_goes() {
    if !ready() {
        return;
    }
    let hung = Fuse::mount(Server::Silent, 0);
    let target = hung.target();
    assert!(prober().statvfs(&target).is_err());
    drop(hung);
    for _ in 0..100 {
        if children().is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // Other tests of this binary run in parallel and have living children of their own: only
    // stuck or unreaped ones count.
    let stuck: Vec<_> = children()
        .into_iter()
        .filter(|(_, state)| "DZ".contains(*state))
        .collect();
    assert!(stuck.is_empty(), "{stuck:?}");
}

/// PID and state of this process's children.
fn children() -> Vec<(String, char)> {
    let me = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut fields = rest.split(' ');
        let state = fields.next().and_then(|s| s.chars().next()).unwrap_or('?');
        if fields.next() == Some(me.as_str()) {
            found.push((entry.file_name().to_string_lossy().into_owned(), state));
        }
    }
    found
}

#[test]
fn errors_of_the_server_become_verdicts() {
    if !ready() {
        return;
    }
    for (errno, expected) in [
        (116, HealthState::Stale),
        (110, HealthState::NotResponding),
        (5, HealthState::Failed),
        (13, HealthState::NoPermission),
    ] {
        let mount = Fuse::mount(Server::Errno(errno), 0);
        let (health, _) = probe_mount(&mut prober(), &mount.as_mount());
        assert_eq!(health.state, expected, "{errno}: {}", health.detail);
    }
}

#[test]
fn the_mount_of_another_user_is_not_stale() {
    if !ready() {
        return;
    }
    let theirs = Fuse::mount(Server::Silent, 65534);
    let (health, _) = probe_mount(&mut prober(), &theirs.as_mount());
    assert_eq!(health.state, HealthState::NoPermission, "{}", health.detail);
}

#[test]
fn a_dead_server_process_is_a_failed_mount() {
    if !ready() {
        return;
    }
    let mut fuse = Fuse::mount(Server::Silent, 0);
    fuse.device.take();
    let (health, _) = probe_mount(&mut prober(), &fuse.as_mount());
    assert_eq!(health.state, HealthState::Failed, "{}", health.detail);
    assert!(health.detail.contains("not connected"), "{}", health.detail);
}

struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(target: &Path, flags: MountFlags) -> Self {
        mount("tmpfs", target, "tmpfs", flags, None).unwrap();
        Self(target.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn healthy_empty_and_read_only_mounts() {
    if !ready() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().to_str().unwrap().to_owned();
    let mount = Mount {
        target: target.clone(),
        options: vec!["rw".into()],
        ..Mount::default()
    };
    let mut prober = prober();
    {
        let _guard = Tmpfs::mount(dir.path(), MountFlags::empty());
        let (health, root) = probe_mount(&mut prober, &mount);
        assert_eq!(health.state, HealthState::Empty, "{}", health.detail);
        assert!(root.unwrap().is_dir());
        std::fs::write(dir.path().join("x"), "x").unwrap();
        assert_eq!(probe_mount(&mut prober, &mount).0.state, HealthState::Ok);
    }
    let _guard = Tmpfs::mount(dir.path(), MountFlags::RDONLY);
    let (health, _) = probe_mount(&mut prober, &mount);
    assert_eq!(health.state, HealthState::ReadOnly, "{}", health.detail);
}

#[test]
fn the_bare_directory_under_a_hung_mount_is_seen() {
    if !ready() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let _below = Tmpfs::mount(dir.path(), MountFlags::empty());
    let covered = dir.path().join("nas");
    std::fs::create_dir(&covered).unwrap();
    std::fs::write(covered.join("stray.qcow2"), "x").unwrap();
    let device = fuse::mount_at(&covered, "fuse.nofailtest", "x", &Server::Silent, 0);
    let _hung = Tmpfs(covered);
    let list = prober()
        .under(dir.path().to_str().unwrap(), "/nas", 5)
        .unwrap();
    assert_eq!(
        (list.count, list.names),
        (1, vec!["stray.qcow2".to_owned()])
    );
    drop(device);
}
