//! What the watch says of the audit and of switches' captures, with real ones: an audit that is
//! too old is told, a new one compared with it, and a capture that changes is told in meaning.
//!
//! Needs root, since the audit looks at this machine. Takes as long as the daemon waits after its
//! start before it audits: two minutes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod namespaces;

use daemon::{Daemon, all_but, sh};
use std::time::Duration;
use watch::recorder::Limits;
use watch::{Kind, Recorder, Severity};

#[test]
fn an_old_audit_a_new_one_and_a_switch_that_changes() {
    let name = "an_old_audit_a_new_one_and_a_switch_that_changes";
    namespaces::in_namespaces(name, 400, inside);
}

/// A part of a running configuration with a port whose native VLAN is this.
fn capture(native: u16) -> String {
    format!(
        "version 17.9\nhostname sw-01\n!\ninterface TenGigabitEthernet1/0/2\n description kvm-01\n\
         \x20switchport mode trunk\n switchport trunk native vlan {native}\n switchport trunk allowed vlan 10,20,100\n!\nend\n"
    )
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
    let site = "[switches.sw-01]\ncaptures = [\"sw-01.txt\"]\n";
    std::fs::write(path("site.toml"), site).unwrap();
    std::fs::write(path("sw-01.txt"), capture(100)).unwrap();
    let others = all_but(&["audit", "switches"]);
    let settings = format!("host = \"kvm-01\"\nwithout = {others}\n[audit]\ninterval_hours = 1\n");
    std::fs::write(path("watch.toml"), settings).unwrap();
    // What an audit three hours ago left: a finding that this machine does not have.
    let old = jiff::Timestamp::now().as_second() - 3 * 3_600;
    let last = format!(
        "{{\"time\":{old},\"findings\":{{\"fstab/missing-nofail /mnt/never\":\"it had no nofail\"}}}}"
    );
    let mut recorder = Recorder::open(&path("events.db"), Limits::default()).unwrap();
    recorder.set_state("audit.last", &last).unwrap();
    drop(recorder);

    let mut daemon = Daemon::start(dir.path(), &[]);
    std::thread::sleep(Duration::from_secs(3));
    std::fs::write(path("sw-01.txt"), capture(1)).unwrap();
    let changed = daemon.next_within(Kind::SwitchChanged, "sw-01", 120);
    assert!(
        changed.message.contains("native") && changed.message.contains("Te"),
        "{changed:?}"
    );

    let old = daemon.next_within(Kind::AuditOld, "audit", 240);
    assert_eq!(old.message, "the last audit is 3 hours old");
    let done = daemon.next_within(Kind::AuditDone, "audit", 240);
    println!("{}", done.message);
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
}
