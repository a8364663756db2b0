//! What a sick mount says about a reboot.

use super::{Check, Verdict, check};
use crate::boot::{Conditions, predict};
use facts::Snapshot;
use facts::domain::{Disk, Guest};
use facts::mount::{Health, HealthState, Mount};
use model::Estate;
use model::graph::build;

fn guest(name: &str, source: &str) -> Guest {
    Guest {
        name: name.to_owned(),
        persistent: true,
        autostart: Some(true),
        state: Some("running".to_owned()),
        disks: vec![Disk {
            target: "vda".to_owned(),
            device: "disk".to_owned(),
            kind: "file".to_owned(),
            source: Some(source.to_owned()),
            ..Disk::default()
        }],
        ..Guest::default()
    }
}

/// A host with one guest on the NAS and one on its own disk.
fn verdict(state: HealthState) -> Check {
    let fstab = "/dev/sda1 / xfs defaults 0 0\n192.0.2.9:/vms /mnt/vms nfs nofail 0 0\n";
    let snapshot = Snapshot {
        host: "kvm-01".to_owned(),
        fstab: facts::fstab::parse(fstab).entries(),
        guests: vec![
            guest("far", "/mnt/vms/far.qcow2"),
            guest("near", "/var/lib/libvirt/images/near.qcow2"),
        ],
        mounts: vec![Mount {
            target: "/mnt/vms".to_owned(),
            source: "192.0.2.9:/vms".to_owned(),
            fstype: "nfs4".to_owned(),
            health: Some(Health {
                state,
                detail: String::new(),
                milliseconds: 1,
            }),
            ..Mount::default()
        }],
        ..Snapshot::default()
    };
    let boot = predict(&snapshot, &Conditions::default());
    let estate = Estate::of(snapshot);
    let graph = build(&estate);
    let host = graph.find("host:kvm-01").unwrap();
    check(&graph, &estate, host, &boot)
}

fn about_storage(check: &Check) -> Vec<&str> {
    let texts = check.reasons.iter().map(|r| r.text.as_str());
    texts.filter(|t| t.contains("start again")).collect()
}

#[test]
fn a_mount_that_does_not_answer_names_the_guests_on_it() {
    let check = verdict(HealthState::NotResponding);
    assert_eq!(
        about_storage(&check),
        ["far would not start again: disks on /mnt/vms, which does not answer now"]
    );
    assert!(check.verdict >= Verdict::Losses);
    assert!(check.instead.iter().any(|i| i.contains("192.0.2.9:/vms")));
}

#[test]
fn a_mount_that_serves_is_no_reason() {
    assert!(about_storage(&verdict(HealthState::Ok)).is_empty());
}
