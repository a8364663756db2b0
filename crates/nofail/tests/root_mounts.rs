//! The real daemon among a thousand mounts that never answer: a file server that is lost is told
//! within the probe's interval and deadline all the same, helpers stay bounded, the daemon answers.
//!
//! In namespaces of its own. Needs root and `/dev/fuse`; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
#[path = "../../collect/tests/fuse/mod.rs"]
mod fuse;
mod namespaces;

use daemon::{Daemon, all_but};
use fuse::Server;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watch::Kind;

/// Seconds of `watch.toml` below.
const INTERVAL: i64 = 3;
const DEADLINE: i64 = 2;
/// What an overloaded machine may add.
const SLACK: i64 = 3;
/// `Schedule::HELPERS`.
const HELPERS: usize = 16;

#[test]
fn a_lost_server_is_told_in_time_among_a_thousand_silent_mounts() {
    let name = "a_lost_server_is_told_in_time_among_a_thousand_silent_mounts";
    namespaces::in_namespaces(name, 240, inside);
}

/// Helpers that live now.
fn helpers() -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let is_helper = |path: &Path| {
        std::fs::read(path.join("cmdline")).is_ok_and(|c| c.ends_with(b"\0probe-child\0"))
    };
    processes.filter(|p| is_helper(&p.path())).count()
}

/// Targets and times of events of a kind, oldest first.
fn events(daemon: &Daemon, kind: Kind) -> Vec<(String, Timestamp)> {
    let all = daemon.events(0).into_iter();
    let mine = all.filter(|r| r.event.kind == kind);
    mine.map(|r| (r.event.subject, r.event.time)).collect()
}

/// Waits, and sees that helpers stay bounded meanwhile.
fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        let count = helpers();
        assert!(
            count <= HELPERS,
            "{count} helpers while waiting for: {what}"
        );
        if let Some(found) = check() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn inside() {
    let limit = rustix::process::Rlimit {
        current: Some(4_096),
        maximum: Some(4_096),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut devices = Vec::new();
    let mut mount = |name: String, fstype: &str, source: &str, server: &Server| {
        let at = dir.path().join(name);
        std::fs::create_dir(&at).unwrap();
        devices.push(fuse::mount_at(&at, fstype, source, server, 0));
        at.to_str().unwrap().to_owned()
    };
    for n in 0..1_000 {
        // One in ten hangs whoever asks beyond SIGKILL. They sort before the server's mount.
        if n % 10 == 0 {
            mount(format!("a{n}"), "fuse.swallow", "x", &Server::Swallows);
        } else {
            mount(format!("b{n}"), "fuse.silent", "x", &Server::Silent);
        }
    }
    let on = Arc::new(AtomicBool::new(true));
    let served = Server::Answers(on.clone());
    let nas = mount("nas".into(), "fuse.sshfs", "root@192.0.2.1:/vms", &served);
    let others = all_but(&["mounts"]);
    let text = format!(
        "host = \"kvm-01\"\nwithout = {others}\n\
         [mounts]\ninterval_seconds = {INTERVAL}\ndeadline_seconds = {DEADLINE}\nslow_milliseconds = 60000\n"
    );
    std::fs::write(dir.path().join("watch.toml"), text).unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let silent = |target: &str| {
        let found = events(&daemon, Kind::MountNotResponding);
        found.into_iter().rev().find(|(t, _)| t == target)
    };

    // Each one that does not answer is told as soon as that is known, not when all were asked.
    let first = eventually("the first silent mount", || {
        events(&daemon, Kind::MountNotResponding).into_iter().next()
    });
    let began = eventually("the daemon's start", || {
        events(&daemon, Kind::DaemonStarted).pop()
    });
    let took = first.1.duration_since(began.1);
    assert!(took < SignedDuration::from_secs(DEADLINE + SLACK), "{took}");
    // Several intervals: those that hang for ever have taken the helpers that they may take, and
    // the looks go on behind those that timed out.
    let told = eventually("twenty silent mounts", || {
        let found = events(&daemon, Kind::MountNotResponding);
        let targets: BTreeSet<String> = found.into_iter().map(|(t, _)| t).collect();
        (targets.len() >= 20).then_some(targets)
    });
    assert!(!told.contains(&nas), "the server answers");
    assert!(
        eventually("what is not checked is said", || {
            events(&daemon, Kind::MountUnknown).pop()
        })
        .0 == "mounts"
    );

    // The server is lost, and comes back.
    for round in 0..2 {
        on.store(false, Ordering::Relaxed);
        let lost = Timestamp::now();
        let told = eventually("the lost server", || {
            silent(&nas).filter(|(_, time)| *time > lost)
        });
        let took = told.1.duration_since(lost);
        println!("round {round}: told {took} after the loss");
        assert!(
            took <= SignedDuration::from_secs(INTERVAL + DEADLINE + SLACK),
            "{took}"
        );
        on.store(true, Ordering::Relaxed);
        // What it swallowed is never answered: the connection is the helper's grave until the
        // server is started anew. So a new mount, as a person would make it.
        fuse::unmount_at(Path::new(&nas));
        let device = fuse::mount_at(
            Path::new(&nas),
            "fuse.sshfs",
            "root@192.0.2.1:/vms",
            &served,
            0,
        );
        eventually("the server answers again", || {
            let found = events(&daemon, Kind::MountHealthy);
            found
                .into_iter()
                .find(|(t, time)| *t == nas && *time > told.1)
        });
        devices.push(device);
    }
}
