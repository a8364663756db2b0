//! Cold boots: a right line is a normal one, an unreachable NAS a degraded one. The incident's line,
//! which ends in emergency mode, is in the story of `vm_incident`.
//!
//! Needs root and QEMU.

use std::time::Duration;

use lab::{ColdBoot, Content, Disk, Outcome};

const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn a_right_line_is_a_normal_boot() {
    // Both disks alike: the kernel probes them side by side, and either may become sdb.
    let verdict = ColdBoot::new()
        .fstab("/dev/sdb1 /data ext4 defaults 0 2\n")
        .disk(Disk::partitioned(Content::Ext4))
        .disk(Disk::partitioned(Content::Ext4))
        .verdict(LIMIT)
        .unwrap();
    println!("{:?} in {:.1} s", verdict.outcome, verdict.finished);
    assert_eq!(verdict.outcome, Outcome::Normal, "{verdict:#?}");
    assert_eq!(verdict.unit("data.mount").active, "active");
    let fsck = verdict.unit("systemd-fsck@dev-sdb1.service");
    assert_eq!(
        (&*fsck.active, &*fsck.result),
        ("active", "success"),
        "{fsck:?}"
    );
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
