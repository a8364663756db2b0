//! Judgements over made-up measurements; real guests are in crates/nofail/tests/root_triage.rs.

use super::*;
use facts::Known;
use facts::bridge::Port;
use facts::mount::{Health, HealthState};
use facts::vitals::{Agent, Memory, Process, Thread, Traffic};

fn guest(state: &str, reason: &str) -> Guest {
    Guest {
        name: "bind-01".into(),
        state: Some(state.into()),
        state_reason: Some(reason.into()),
        pid: Some(42),
        disks: vec![facts::domain::Disk {
            target: "vda".into(),
            source: Some("/mnt/nas/vms/bind-01.qcow2".into()),
            ..Default::default()
        }],
        ..Guest::default()
    }
}

fn thread(name: &str, state: char, cpu: f64) -> Thread {
    Thread {
        name: name.into(),
        state,
        cpu,
        wanted: cpu,
        waits_in: None,
    }
}

fn well() -> Vitals {
    Vitals {
        process: Known::Known(Process {
            pid: 42,
            threads: vec![
                thread("qemu-system-x86", 'S', 0.0),
                thread("CPU 0/KVM", 'S', 3.0),
            ],
        }),
        libvirt: Known::Known("running (booted)".into()),
        disk_errors: Known::Known(Vec::new()),
        disks: Known::Known(Vec::new()),
        agent: Agent::Answers,
        memory: Known::Known(Memory {
            total: 1000,
            available: 500,
            ..Memory::default()
        }),
        ..Vitals::default()
    }
}

struct Bed {
    guest: Guest,
    vitals: Vitals,
    mounts: Vec<Mount>,
    bridges: Vec<Bridge>,
    plan: Option<(u16, Vec<u16>)>,
}

fn bed() -> Bed {
    Bed {
        guest: guest("running", "booted"),
        vitals: well(),
        mounts: Vec::new(),
        bridges: Vec::new(),
        plan: None,
    }
}

fn judge(bed: &Bed) -> Report {
    let others = ["vyos-01".to_owned(), "ise-01".to_owned()];
    examine(&Case {
        host: "kvm-01",
        guest: &bed.guest,
        vitals: &bed.vitals,
        mounts: &bed.mounts,
        bridges: &bed.bridges,
        plan: bed.plan.clone(),
        others: &others,
        lost_with_host: &["service:dns".to_owned()],
        twins: &[],
        events: &[],
    })
}

#[test]
fn a_guest_whose_agent_answers_is_looked_into() {
    let report = judge(&bed());
    assert_eq!(report.ailment, Ailment::Inside);
    assert!(report.steps.is_sorted_by_key(|s| s.harm));
    assert_eq!(report.steps[0].harm, Harm::None);
    let (what, why) = &report.not[0];
    assert_eq!(what, "reboot kvm-01");
    assert!(
        why.contains("2 healthy guests would die to cure 1") && why.contains("service:dns"),
        "{why}"
    );
}

#[test]
fn each_ailment_is_told_by_its_sign() {
    let mut spins = bed();
    spins.vitals.agent = Agent::NoChannel;
    assert_eq!(judge(&spins).ailment, Ailment::Silent);
    spins.vitals.process = Known::Known(Process {
        pid: 42,
        threads: vec![thread("CPU 0/TCG", 'R', 99.0)],
    });
    let report = judge(&spins);
    assert_eq!(report.ailment, Ailment::Spins);
    assert_eq!(report.steps.last().unwrap().command, "virsh reset bind-01");

    let mut stopped = bed();
    stopped.vitals.process = Known::Known(Process {
        pid: 42,
        threads: vec![thread("qemu-system-x86", 'T', 0.0)],
    });
    stopped.vitals.libvirt = Known::Unreadable("no answer within 2 s".into());
    let report = judge(&stopped);
    assert_eq!(report.ailment, Ailment::Stopped);
    assert!(report.steps.iter().any(|s| s.command == "kill -CONT 42"));
    assert!(report.steps.iter().all(|s| s.harm < Harm::Restart));

    let paused = |reason: &str| {
        judge(&Bed {
            guest: guest("paused", reason),
            ..bed()
        })
        .ailment
    };
    assert_eq!(
        (paused("ioerror"), paused("user")),
        (Ailment::IoError, Ailment::Paused)
    );
    assert_eq!(
        judge(&Bed {
            guest: guest("shut-off", ""),
            ..bed()
        })
        .ailment,
        Ailment::Off
    );
}

#[test]
fn sick_storage_comes_before_a_hanging_daemon() {
    let mut sick = bed();
    sick.mounts = vec![Mount {
        target: "/mnt/nas/vms".into(),
        fstype: "nfs4".into(),
        health: Some(Health {
            state: HealthState::NotResponding,
            detail: "no answer within 2 s".into(),
            milliseconds: 2000,
        }),
        ..Mount::default()
    }];
    sick.vitals.libvirt = Known::Unreadable("no answer".into());
    let report = judge(&sick);
    assert_eq!(report.ailment, Ailment::StorageHangs);
    assert!(
        report
            .not
            .iter()
            .any(|(what, _)| what.contains("virsh destroy"))
    );
    sick.mounts.clear();
    assert_eq!(judge(&sick).ailment, Ailment::LibvirtHangs);
}

#[test]
fn a_port_that_is_not_as_planned() {
    let mut wrong = bed();
    wrong.vitals.ports = vec![Traffic {
        device: "vnet3".into(),
        carrier: Some(true),
        ..Traffic::default()
    }];
    let port = |pvid, tagged: Vec<u16>| Port {
        name: "vnet3".into(),
        pvid: Some(pvid),
        untagged: vec![pvid],
        tagged,
        ..Port::default()
    };
    let bridge = |port| {
        vec![Bridge {
            name: "br-mgmt".into(),
            vlan_filtering: Some(true),
            ports: vec![port],
            ..Bridge::default()
        }]
    };
    wrong.bridges = bridge(port(1, vec![]));
    assert_eq!(
        judge(&wrong).ailment,
        Ailment::Inside,
        "no plan, no reproach"
    );
    wrong.plan = Some((100, vec![10]));
    let report = judge(&wrong);
    assert_eq!(report.ailment, Ailment::Network);
    assert!(
        report
            .steps
            .iter()
            .any(|s| s.command == "bridge vlan add dev vnet3 vid 100 pvid untagged")
    );
    wrong.bridges = bridge(port(100, vec![10]));
    assert_eq!(judge(&wrong).ailment, Ailment::Inside);
}
