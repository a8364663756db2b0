//! What a sick mount says about a reboot.

use super::{Check, Verdict, check};
use crate::boot::{Conditions, predict};
use facts::Snapshot;
use facts::bmc::check as bmc;
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

#[test]
fn a_bmc_counts_as_a_way_in_once_it_was_seen_to_work() {
    let said = |bmc: &str, kept: Option<(&str, bool)>| {
        let snapshot = Snapshot {
            host: "kvm-01".to_owned(),
            fstab: facts::fstab::parse("/dev/sda1 / xfs defaults 0 0\n").entries(),
            ..Snapshot::default()
        };
        let boot = predict(&snapshot, &Conditions::default());
        let mut estate = Estate::of(snapshot);
        let text = format!("[hosts.kvm-01]\naddress = \"kvm-01\"\n{bmc}");
        estate.site = Some(model::Site::parse("site.toml", &text).unwrap());
        if let Some((day, works)) = kept {
            let login = if works {
                bmc::Answer::good("")
            } else {
                bmc::Answer::bad("user or password are wrong")
            };
            let kept = bmc::Check {
                at: format!("{day}T08:00:00Z"),
                reachable: bmc::Answer::good(""),
                login,
                power: bmc::Answer::good("on"),
                ..bmc::Check::default()
            };
            estate.bmc_checks.insert("kvm-01".to_owned(), kept);
        }
        let graph = build(&estate);
        let host = graph.find("host:kvm-01").unwrap();
        let check = check(&graph, &estate, host, &boot);
        let about = check.reasons.iter().find(|r| r.text.contains("BMC"));
        about.map(|r| r.text.clone()).unwrap_or_default()
    };
    let verified = "[hosts.kvm-01.bmc]\nverified = \"2026-04-13\"\n";
    assert!(said("", None).contains("nobody has seen"));
    assert_eq!(said(verified, None), "");
    assert_eq!(said("", Some(("2026-04-12", true))), "");
    assert!(said("", Some(("2026-04-12", false))).contains("password"));
    assert!(said(verified, Some(("2026-04-20", false))).contains("password"));
    // It failed, and then a person saw to it.
    assert_eq!(said(verified, Some(("2026-04-12", false))), "");
    assert_eq!(said("console = \"a screen\"\n", None), "");
}
