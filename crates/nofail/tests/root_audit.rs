//! What the watch says of the audit and of switches' captures, with real ones: an audit that is
//! too old is told, a new one compared with it, and a capture that changes is told in meaning.
//!
//! A capture may lie on a file server that hangs: a helper reads it. What was seen last outlives
//! the daemon.
//!
//! Needs root, since the audit looks at this machine, and `/dev/fuse`.

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

use daemon::{Daemon, all_but, eventually, sh};
use fuse::Server;
use std::path::Path;
use std::time::Duration;
use watch::recorder::Limits;
use watch::{Kind, Recorder, Severity};

#[test]
fn an_old_audit_a_new_one_and_a_switch_that_changes() {
    let name = "an_old_audit_a_new_one_and_a_switch_that_changes";
    namespaces::in_namespaces(name, 200, inside);
}

/// A part of a running configuration with a port whose native VLAN is this.
fn capture(native: u16) -> String {
    format!(
        "version 17.9\nhostname sw-01\n!\ninterface TenGigabitEthernet1/0/2\n description kvm-01\n\
         \x20switchport mode trunk\n switchport trunk native vlan {native}\n switchport trunk allowed vlan 10,20,100\n!\nend\n"
    )
}

/// Threads of a process that wait in the kernel beyond any signal's reach.
fn blocked(process: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let stat = |task: &Path| std::fs::read_to_string(task.join("stat")).unwrap_or_default();
    let is_blocked = |task: &Path| {
        let stat = stat(task);
        stat.rsplit_once(") ")
            .is_some_and(|(_, s)| s.starts_with('D'))
    };
    tasks.flatten().filter(|t| is_blocked(&t.path())).count()
}

fn inside() {
    sh("ip link set lo up");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // A line that the audit has something to say of.
    std::fs::write(path("fstab"), "10.50.1.70:/vms /mnt/nas nfs defaults 0 0\n").unwrap();
    sh(&format!(
        "test -e /etc/fstab || : > /etc/fstab; mount --bind {} /etc/fstab",
        path("fstab").display()
    ));
    // The second one's capture lies where whoever reads hangs beyond SIGKILL.
    std::fs::create_dir(path("nas")).unwrap();
    let server = fuse::mount_at(&path("nas"), "fuse.sshfs", "x", &Server::Swallows, 0);
    let site = "[switches.sw-01]\ncaptures = [\"sw-01.txt\"]\n[switches.sw-02]\ncaptures = [\"nas/sw-02.txt\"]\n";
    std::fs::write(path("site.toml"), site).unwrap();
    std::fs::write(path("sw-01.txt"), capture(100)).unwrap();
    let others = all_but(&["audit", "switches"]);
    let settings = format!(
        "host = \"kvm-01\"\nwithout = {others}\n[mounts]\ndeadline_seconds = 1\n\
         [audit]\ninterval_hours = 1\nafter_start_seconds = 1\n[switches]\ninterval_seconds = 1\n"
    );
    std::fs::write(path("watch.toml"), settings).unwrap();
    // What an audit three hours ago left: a finding that this machine does not have.
    let old = jiff::Timestamp::now().as_second() - 3 * 3_600;
    let last = format!(
        "{{\"time\":{old},\"findings\":{{\"fstab/missing-nofail /mnt/never\":\"it had no nofail\"}}}}"
    );
    let mut recorder = Recorder::open(&path("events.db"), Limits::default()).unwrap();
    recorder.set_state("audit.last", &last).unwrap();
    drop(recorder);

    let daemon = Daemon::start(dir.path(), &[]);
    let known = |name: &str| {
        let reader = Recorder::open_to_read(&path("events.db")).unwrap();
        reader.state(&format!("switch {name}")).unwrap()
    };
    let before = eventually("sw-01 is known", || known("sw-01"));
    std::fs::write(path("sw-01.txt"), capture(1)).unwrap();
    let changed = daemon.first(Kind::SwitchChanged, "sw-01");
    assert!(
        changed.message.contains("native") && changed.message.contains("Te"),
        "{changed:?}"
    );
    let failed = daemon.first(Kind::SourceFailed, "switches: sw-02");
    assert!(failed.message.contains("nas/sw-02.txt"), "{failed:?}");
    assert_eq!(blocked(daemon.id()), 0, "the daemon itself hangs");
    assert_ne!(known("sw-01"), Some(before));
    assert_eq!(known("sw-02"), None);

    let old = daemon.first(Kind::AuditOld, "audit");
    assert_eq!(old.message, "the last audit is 3 hours old");
    daemon.first(Kind::AuditDone, "audit");
    let all = daemon.events(0);
    let gone: Vec<&str> = all
        .iter()
        .filter(|r| r.event.kind == Kind::FindingGone)
        .map(|r| r.event.subject.as_str())
        .collect();
    assert_eq!(gone, ["fstab/missing-nofail /mnt/never"]);
    let new = all.iter().find(|r| {
        r.event.kind == Kind::FindingNew && r.event.subject.starts_with("fstab/missing-nofail ")
    });
    let new = &new.unwrap().event;
    assert!(
        new.severity > Severity::Info,
        "news since the audit before: {new:?}"
    );
    assert!(
        new.evidence.iter().any(|e| e.file == "/etc/fstab"),
        "{new:?}"
    );

    // What changes while nobody watches is told by the next watch, once. The file server is back.
    drop(daemon);
    drop(server);
    fuse::unmount_at(&path("nas"));
    std::fs::write(path("nas/sw-02.txt"), capture(100)).unwrap();
    std::fs::write(path("sw-01.txt"), capture(20)).unwrap();
    let mut daemon = Daemon::start(dir.path(), &[]);
    let changed = daemon.next(Kind::SwitchChanged, "sw-01");
    assert!(changed.message.contains("20"), "{changed:?}");
    daemon.first(Kind::SourceRecovered, "switches: sw-02");
    eventually("sw-02 is known", || known("sw-02"));
    // Two looks and more.
    std::thread::sleep(Duration::from_secs(3));
    let all = daemon.events(0);
    let changes = all.iter().filter(|r| r.event.kind == Kind::SwitchChanged);
    assert_eq!(changes.count(), 2);
}
