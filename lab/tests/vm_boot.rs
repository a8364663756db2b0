//! Cold boots: the incident's line ends in emergency mode, an unreachable NAS does not.
//!
//! Needs root and QEMU.

use std::time::Duration;

use lab::{ColdBoot, Content, Disk, Outcome};

const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn a_wrong_type_without_nofail_is_emergency_mode_and_mending_it_boots() {
    let booting = ColdBoot::new()
        .fstab("/dev/sdb1 /data xfs defaults 0 2\n")
        .disk(Disk::whole(Content::Blank))
        .disk(Disk::partitioned(Content::Ext4))
        .start()
        .unwrap();
    let verdict = booting.verdict(LIMIT).unwrap();
    println!("emergency after {:.1} s", verdict.seconds);
    assert_eq!(verdict.outcome, Outcome::Emergency, "{verdict:#?}");
    assert_eq!(verdict.unit("data.mount").active, "failed");
    let console = verdict.serial_log.to_lowercase();
    assert!(console.contains("emergency mode"), "{console}");

    let host = &booting.machine;
    host.await_agent(LIMIT).unwrap();
    assert_eq!(
        host.ok("systemctl is-active emergency.target").unwrap(),
        "active\n"
    );
    host.ok("sed -i 's/ xfs / ext4 /' /etc/fstab && sync")
        .unwrap();
    host.power_cycle().unwrap();
    let verdict = booting.verdict(LIMIT).unwrap();
    println!("mended: {:?} in {:.1} s", verdict.outcome, verdict.finished);
    assert_eq!(verdict.outcome, Outcome::Normal, "{verdict:#?}");
    assert_eq!(verdict.unit("data.mount").active, "active");
}

#[test]
fn an_unreachable_nas_is_a_failed_unit_and_no_emergency() {
    let verdict = ColdBoot::new()
        .fstab("10.50.1.70:/volume1/vms /mnt/nas/vms nfs vers=4.2,x-systemd.mount-timeout=8s 0 0\n")
        .empty_network()
        .verdict(LIMIT)
        .unwrap();
    println!("{:?} after {:.1} s", verdict.outcome, verdict.seconds);
    assert_eq!(verdict.outcome, Outcome::Degraded, "{verdict:#?}");
    let mount = verdict.unit("mnt-nas-vms.mount");
    assert_eq!(
        (&*mount.active, &*mount.result),
        ("failed", "timeout"),
        "{mount:?}"
    );
    assert!(verdict.failed.contains(&"mnt-nas-vms.mount".to_owned()));
    assert!(verdict.reached("multi-user.target").is_some());
    assert_eq!(verdict.unit("remote-fs.target").active, "inactive");
}
