//! The incident and its neighbours, foretold.

use facts::{
    Known, Snapshot, Source,
    block::BlockDevice,
    domain::{Disk, Guest},
    fstab::Entry,
};

use super::{
    Boot, Conditions, GuestResult, MountResult, NetworkService, Outcome, Service, predict,
};

fn host(fstab: &str) -> Snapshot {
    let mut snapshot = Snapshot::new("kvm-01");
    for (text, line) in fstab.lines().zip(1..) {
        let mut fields = text.split_ascii_whitespace().map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (source, target, fstype, options) = (next(), next(), next(), next());
        snapshot.fstab.push(Entry {
            line,
            source,
            target,
            fstype,
            options: options.split(',').map(str::to_owned).collect(),
            dump: 0,
            pass: 0,
            text: text.to_owned(),
        });
    }
    for (name, fstype) in [
        ("/dev/sda2", "xfs"),
        ("/dev/sdb1", "ext4"),
        ("/dev/sdc1", "swap"),
    ] {
        snapshot.block_devices.devices.push(BlockDevice {
            name: name.to_owned(),
            fstype: Known::Known(fstype.to_owned()),
            ..BlockDevice::default()
        });
    }
    snapshot.names.servers = vec![facts::names::NameServer {
        address: "10.50.1.3".into(),
        ..Default::default()
    }];
    snapshot
}

fn guest(name: &str, disk: &str, device: &str, policy: Option<&str>) -> Guest {
    Guest {
        name: name.into(),
        persistent: true,
        autostart: Some(true),
        disks: vec![Disk {
            target: "vda".into(),
            device: device.into(),
            kind: "file".into(),
            source: Some(disk.into()),
            startup_policy: policy.map(str::to_owned),
            ..Disk::default()
        }],
        ..Guest::default()
    }
}

fn circle() -> Conditions {
    Conditions {
        guest_addresses: vec![("10.50.1.3".into(), "bind-01".into())],
        services: vec![Service {
            name: "dns".into(),
            guests: vec!["bind-01".into()],
            elsewhere: false,
        }],
        ..Conditions::default()
    }
}

const INCIDENT: &str = "/dev/sda2 / xfs defaults 0 0
/dev/sdb1 /mnt/backup-disk xfs defaults 0 0
nas-01:/volume1/vms /mnt/nas/vms nfs defaults 0 0
nas-01:/volume1/isos /mnt/nas/isos nfs defaults 0 0
";

fn mount<'b>(boot: &'b Boot, target: &str) -> &'b super::Mounted {
    boot.mounts.iter().find(|m| m.target == target).unwrap()
}

#[test]
fn the_incident_is_emergency_because_of_sdb1_and_not_of_nfs() {
    let mut snapshot = host(INCIDENT);
    snapshot.guests = vec![guest(
        "bind-01",
        "/var/lib/libvirt/images/b.qcow2",
        "disk",
        None,
    )];
    let boot = predict(&snapshot, &circle());
    assert_eq!(boot.outcome, Outcome::Emergency);
    assert_eq!(boot.delay_seconds, 0);
    assert_eq!(boot.causes.len(), 1, "{:?}", boot.causes);
    assert!(boot.causes[0].starts_with("/dev/sdb1 at /mnt/backup-disk (fstab line 2)"));
    assert_eq!(boot.guests[0].result, GuestResult::DoesNotStart);
    assert_eq!(boot.lost, ["dns"]);
}

#[test]
fn the_line_mended_it_boots_delayed_by_nfs_without_the_guest_on_it() {
    let mut snapshot = host(&INCIDENT.replace("backup-disk xfs", "backup-disk ext4"));
    snapshot.guests = vec![
        guest("wlc", "/mnt/nas/vms/wlc.qcow2", "disk", None),
        guest("iso", "/mnt/nas/isos/x.iso", "cdrom", None),
        guest("optional", "/mnt/nas/isos/x.iso", "cdrom", Some("optional")),
        guest("bind-01", "/var/lib/libvirt/images/b.qcow2", "disk", None),
    ];
    let boot = predict(&snapshot, &circle());
    assert_eq!(boot.outcome, Outcome::Degraded);
    assert_eq!(boot.delay_seconds, 90);
    let results: Vec<GuestResult> = boot.guests.iter().map(|g| g.result).collect();
    use GuestResult::{DoesNotStart, Starts};
    assert_eq!(results, [DoesNotStart, DoesNotStart, Starts, Starts]);
    assert!(boot.lost.is_empty());
    assert!(
        mount(&boot, "/mnt/nas/vms")
            .reason
            .contains("guest bind-01")
    );
    // With the name in /etc/hosts all comes up.
    snapshot.names.hosts = vec![facts::names::HostsEntry {
        address: "10.50.1.70".into(),
        names: vec!["nas-01".into()],
        line: 3,
    }];
    let boot = predict(&snapshot, &circle());
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Normal, 0));
}

#[test]
fn nofail_takes_the_delay_away_and_bounds_hold() {
    let unreachable = |fstab: &str| {
        let conditions = Conditions {
            unreachable: vec!["10.50.1.70".into()],
            ..Conditions::default()
        };
        predict(&host(fstab), &conditions)
    };
    for (options, delay) in [
        ("defaults", 90),
        ("nofail", 0),
        ("x-systemd.mount-timeout=8s", 8),
        ("retry=1", 65),
        ("bg", 0),
        (
            "nofail,x-systemd.before=remote-fs.target,x-systemd.mount-timeout=30",
            30,
        ),
        ("noauto,x-systemd.automount", 0),
        ("noauto", 0),
    ] {
        let boot = unreachable(&format!("10.50.1.70:/x /mnt/x nfs {options} 0 0\n"));
        assert_eq!(boot.delay_seconds, delay, "{options}");
        let skipped = options.contains("noauto");
        let outcome = if skipped {
            Outcome::Normal
        } else {
            Outcome::Degraded
        };
        assert_eq!(boot.outcome, outcome, "{options}");
    }
}

#[test]
fn a_missing_device_is_waited_for_and_ends_in_emergency() {
    let boot = predict(
        &host("/dev/sdz1 /data ext4 defaults 0 2\n"),
        &Conditions::default(),
    );
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Emergency, 90));
    let boot = predict(
        &host("/dev/sdz1 /data ext4 x-systemd.device-timeout=7s 0 2\n"),
        &Conditions::default(),
    );
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Emergency, 7));
    let boot = predict(
        &host("/dev/sdz1 /data ext4 nofail 0 2\n"),
        &Conditions::default(),
    );
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Normal, 0));
    // Swap has no part in emergency mode, but even nofail waits for it.
    for options in ["sw", "nofail"] {
        let boot = predict(
            &host(&format!("/dev/sdz1 none swap {options} 0 0\n")),
            &Conditions::default(),
        );
        assert_eq!(
            (boot.outcome, boot.delay_seconds),
            (Outcome::Normal, 90),
            "{options}"
        );
    }
    let boot = predict(
        &host("/dev/sdz1 /data ext4 x-systemd.device-timeout=0 0 0\n"),
        &Conditions::default(),
    );
    assert_eq!(
        (boot.outcome, boot.delay_seconds),
        (Outcome::Emergency, u64::MAX)
    );
}

#[test]
fn a_bind_of_a_network_mount_is_a_cycle_only_where_the_network_waits_for_local_mounts() {
    let fstab = "10.50.1.70:/x /mnt/x nfs nofail 0 0\n/mnt/x/a /srv/a none bind 0 0\n";
    let with = |network, unreachable: &[&str], fstab: &str| {
        let conditions = Conditions {
            network: Some(network),
            unreachable: unreachable.iter().map(|s| (*s).to_owned()).collect(),
            ..Conditions::default()
        };
        predict(&host(fstab), &conditions)
    };
    let boot = with(NetworkService::NetworkManager, &[], fstab);
    assert_eq!(boot.cycles.len(), 1);
    // Mostly local-fs.target goes; where the network service goes, the bind cannot be made.
    assert_eq!(boot.cycles[0].dropped, ["local-fs.target"]);
    assert_eq!((boot.outcome, boot.incomplete()), (Outcome::Normal, false));
    let worse = boot.otherwise.iter();
    let worse = worse.filter(|end| end.outcome == Outcome::Emergency);
    assert!(
        worse
            .clone()
            .any(|end| end.mounts.iter().any(|(unit, _)| unit == "srv-a.mount")),
        "{:?}",
        boot.otherwise
    );
    let boot = with(NetworkService::Networkd, &[], fstab);
    assert_eq!((boot.cycles.len(), boot.outcome), (0, Outcome::Normal));
    let boot = with(NetworkService::Networkd, &["10.50.1.70"], fstab);
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Emergency, 90));
    let mended = fstab.replace("none bind", "none bind,_netdev,nofail");
    let boot = with(NetworkService::NetworkManager, &["10.50.1.70"], &mended);
    assert_eq!(
        (boot.cycles.len(), boot.outcome, boot.delay_seconds),
        (0, Outcome::Degraded, 0)
    );
}

#[test]
fn what_was_not_read_is_assumed_and_said() {
    let mut snapshot = host("/dev/sdz1 /data ext4 defaults 0 2\n");
    // A tree that records some devices has no others.
    snapshot.not_read(Source::BlockDevices, "a tree holds no devices");
    let boot = predict(&snapshot, &Conditions::default());
    assert_eq!(boot.outcome, Outcome::Emergency);
    snapshot.block_devices.devices.clear();
    let boot = predict(&snapshot, &Conditions::default());
    assert_eq!(boot.outcome, Outcome::Normal);
    assert!(boot.assumed[0].contains("/dev/sdz1"), "{:?}", boot.assumed);
}

#[test]
fn a_network_source_with_a_disks_type_fails_at_once() {
    let boot = predict(
        &host("10.50.1.70:/x /mnt/x ext4 defaults 0 0\n"),
        &Conditions::default(),
    );
    assert_eq!((boot.outcome, boot.delay_seconds), (Outcome::Emergency, 0));
}

/// Each as systemd 252 really ended it (`testdata/boots`).
#[test]
fn what_cannot_be_mounted_fails_at_once() {
    let emergency = |fstab: &str| {
        let mut snapshot = host(fstab);
        snapshot.block_devices.devices.push(BlockDevice {
            name: "/srv/image.ext4".to_owned(),
            fstype: Known::Known("ext4".to_owned()),
            ..BlockDevice::default()
        });
        let boot = predict(&snapshot, &Conditions::default());
        (boot.outcome == Outcome::Emergency, boot.delay_seconds)
    };
    for (fstab, ends) in [
        ("none /data xfs defaults 0 0", true),
        ("tmpfs /data tmpfs defaults 0 0", false),
        ("/srv/image.ext4 /data xfs loop 0 0", true),
        ("/srv/image.ext4 /data ext4 loop 0 0", false),
        ("tmpfs /a tmpfs ro 0 0\n/a/in /b none bind 0 0", true),
        (
            "tmpfs /a tmpfs ro 0 0\ntmpfs /a/in tmpfs defaults 0 0",
            true,
        ),
        ("tmpfs /a tmpfs rw 0 0\n/a/in /b none bind 0 0", false),
    ] {
        assert_eq!(emergency(fstab), (ends, 0), "{fstab}");
    }
}

#[test]
fn requires_mounts_for_on_libvirt_stops_every_guest() {
    let mut snapshot = host("10.50.1.70:/x /mnt/x nfs nofail 0 0\n");
    snapshot.guests = vec![guest("a", "/var/lib/libvirt/images/a", "disk", None)];
    snapshot.units.files = vec![facts::unit::UnitFile {
        unit: "libvirtd.service".into(),
        path: "/etc/systemd/system/libvirtd.service.d/nas.conf".into(),
        text: Some("[Unit]\nRequiresMountsFor=/mnt/x\n".into()),
    }];
    let conditions = Conditions {
        unreachable: vec!["10.50.1.70".into()],
        ..Conditions::default()
    };
    let boot = predict(&snapshot, &conditions);
    assert_eq!(boot.guests[0].result, GuestResult::DoesNotStart);
    assert!(
        boot.guests[0].reason.contains("mnt-x.mount"),
        "{}",
        boot.guests[0].reason
    );
}

#[test]
fn a_native_mount_unit_counts_too() {
    let mut snapshot = host("");
    snapshot.units.files = vec![facts::unit::UnitFile {
        unit: "data.mount".into(),
        path: "/etc/systemd/system/data.mount".into(),
        text: Some("[Mount]\nWhat=/dev/sdb1\nWhere=/data\nType=xfs\n[Install]\n".into()),
    }];
    snapshot.units.links = vec![facts::unit::UnitLink {
        from: "local-fs.target".into(),
        requirement: "requires".into(),
        to: "data.mount".into(),
        path: "/etc/systemd/system/local-fs.target.requires/data.mount".into(),
    }];
    let boot = predict(&snapshot, &Conditions::default());
    assert_eq!(boot.outcome, Outcome::Emergency);
    assert_eq!(mount(&boot, "/data").result, MountResult::Failed);
}

/// Seen on a real machine: no emergency mode, no failed unit, and multi-user.target not reached.
#[test]
fn var_with_nofail_that_is_missing_keeps_multi_user_target_away() {
    let fstab = "/dev/sdz1 /var ext4 nofail,x-systemd.device-timeout=5 0 0\n";
    let boot = predict(&host(fstab), &Conditions::default());
    assert_eq!(boot.outcome, Outcome::Normal);
    assert!(
        boot.causes
            .iter()
            .any(|cause| cause.starts_with("multi-user.target is not reached"))
    );
}
