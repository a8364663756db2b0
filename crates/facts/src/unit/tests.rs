//! What real hosts print and hold.

use super::{boot, ini, journal, proc_stat, settings, version};

#[test]
fn unit_files_continue_lines_and_skip_comments() {
    let file = ini::parse(
        "# top\n[Unit]\nDescription = A\nAfter=a.service \\\n  ; between\n  b.service\nnonsense\n\n[Service]\nExecStart=\n",
    );
    let after = file.last("Unit", "After").unwrap();
    assert_eq!(
        (after.value.as_str(), after.line),
        ("a.service b.service", 4)
    );
    assert_eq!(file.last("Unit", "Description").unwrap().value, "A");
    assert_eq!(file.last("Service", "ExecStart").unwrap().value, "");
    assert_eq!(file.bad_lines, [7]);
    assert_eq!(ini::boolean("Yes"), Some(true));
    assert_eq!(ini::boolean("maybe"), None);
    assert_eq!(ini::parse("[A]\nb=c\\").assignments.len(), 1);
}

#[test]
fn journal_fields_of_every_kind() {
    let text = "{\"MESSAGE\":\"a\",\"__REALTIME_TIMESTAMP\":\"1760000000000001\",\"X\":null}\n\n\
                {\"MESSAGE\":[104,105,255],\"_T\":[\"one\",\"two\"]}\n";
    let records = journal::parse(text).unwrap();
    assert_eq!(records[0].realtime(), Some(1_760_000_000_000_001));
    assert_eq!(records[0].field("X"), None);
    assert_eq!(records[1].field("MESSAGE"), Some("hi\u{fffd}"));
    assert_eq!(records[1].field("_T"), Some("one"));
    let error = journal::parse("{}\n[1]\n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 1));
    assert_eq!(journal::parse("{\"a\":").unwrap_err().line, 1);
}

fn started(unit: &str, id: &str, result: &str) -> String {
    format!(
        "{{\"UNIT\":\"{unit}\",\"MESSAGE_ID\":\"{id}\",\"JOB_RESULT\":\"{result}\",\"MESSAGE\":\"Started {unit}.\"}}\n"
    )
}

#[test]
fn emergency_mode_is_the_start_of_its_unit() {
    let entered =
        journal::parse(&started("emergency.service", boot::UNIT_STARTED, "done")).unwrap();
    assert_eq!(boot::mode_of(&entered).unwrap().0, "emergency");
    let stopped = "9d1aaa27d60140bd96365438aad20286";
    for quiet in [
        started("emergency.service", stopped, "done"),
        started("sshd.service", boot::UNIT_STARTED, "done"),
        started("rescue.target", boot::UNIT_STARTED, "canceled"),
    ] {
        assert_eq!(
            boot::mode_of(&journal::parse(&quiet).unwrap()),
            None,
            "{quiet}"
        );
    }
}

#[test]
fn a_real_boot_that_ended_in_emergency_mode() {
    let text = include_str!("../../../../testdata/fixtures/journal/emergency-boot.jsonl");
    let records = journal::parse(text).unwrap();
    let (mode, message) = boot::mode_of(&records).unwrap();
    assert_eq!(mode, "emergency");
    assert_eq!(message, "Started emergency.service - Emergency Shell.");
    let listed = include_str!("../../../../testdata/fixtures/journal/list-boots.json");
    assert_eq!(boot::parse_list(listed).unwrap().len(), 2);
}

#[test]
fn boot_lists_of_new_and_old_systemd() {
    let json = r#"[{"index":-1,"boot_id":"8f0d4dbe0ca94cf0b5c1e3b4b7e0cd25","first_entry":1760000000000000,"last_entry":1760000100000000},
        {"index":0,"boot_id":"0d2c0a2a7f0d4a2d9e0d7d1c4d0b7a11","first_entry":1760000200000000,"last_entry":1760000300000000}]"#;
    let boots = boot::parse_list(json).unwrap();
    assert_eq!((boots[0].index, boots[1].index), (-1, 0));
    assert!(boot::parse_list("nothing").is_err());
    let plain = "-1 8f0d4dbe0ca94cf0b5c1e3b4b7e0cd25 Thu 2025-10-09 08:53:20 UTC—Thu 2025-10-09 08:55:00 UTC\n 0 0d2c0a2a7f0d4a2d9e0d7d1c4d0b7a11 Thu\n";
    assert_eq!(boot::parse_plain_list(plain).unwrap().len(), 2);
    assert_eq!(boot::parse_plain_list("x y\n").unwrap_err().line, 1);
}

#[test]
fn settings_of_libvirt_guests() {
    let text = "# ON_BOOT=start\nON_SHUTDOWN='suspend'  # why\nexport SHUTDOWN_TIMEOUT=\"60\"\nON_SHUTDOWN=shutdown;x\nif true; then\n9A=b\n";
    let found = settings::parse("/etc/sysconfig/libvirt-guests", text);
    let file = Some("/etc/sysconfig/libvirt-guests");
    assert_eq!(found.len(), 3);
    assert_eq!(
        settings::guests_setting(&found, file, "ON_SHUTDOWN"),
        Some("shutdown")
    );
    assert_eq!(
        settings::guests_setting(&found, file, "SHUTDOWN_TIMEOUT"),
        Some("60")
    );
    assert_eq!(
        settings::guests_setting(&found, file, "ON_BOOT"),
        Some("start")
    );
    assert_eq!(
        settings::guests_setting(&[], Some("/etc/default/libvirt-guests"), "ON_BOOT"),
        Some("ignore")
    );
    assert_eq!(settings::guests_setting(&[], file, "NONSENSE"), None);
}

#[test]
fn start_times_of_processes_with_odd_names() {
    let stat = "812 (a) b (c)) S 1 812 812 0 -1 4194560 5 0 0 0 10 5 0 0 20 0 18 0 1234 9 9 9";
    assert_eq!(proc_stat::start_ticks(stat), Some(1234));
    assert_eq!(
        proc_stat::started_at(stat, "cpu 1\nbtime 1000\nx"),
        Some(1012)
    );
    assert_eq!(proc_stat::start_ticks("812 (a"), None);
}

#[test]
fn versions_from_names_of_libraries() {
    for (name, version) in [
        ("libsystemd-shared-252.so", Some(252)),
        ("libsystemd-shared-252-51.el9.so", Some(252)),
        ("libsystemd-shared-257.9-1.fc42.so", Some(257)),
        ("libsystemd-shared-.so", None),
        ("libsystemd.so.0", None),
    ] {
        assert_eq!(version::systemd_from_library(name), version, "{name}");
    }
    assert_eq!(
        version::libvirt_from_library("libvirt.so.0.9000.0").as_deref(),
        Some("9.0.0")
    );
    assert_eq!(
        version::libvirt_from_library("libvirt.so.0.11003.2").as_deref(),
        Some("11.3.2")
    );
    assert_eq!(version::libvirt_from_library("libvirt.so.0"), None);
    let status = "Package: libvirt0\nStatus: deinstall ok config-files\nVersion: 1\n\n\
        Package: libvirt-daemon\nStatus: install ok installed\nVersion: 1:9.0.0-4+deb12u2\n";
    assert_eq!(
        version::from_dpkg_status(status, "libvirt-daemon").as_deref(),
        Some("9.0.0")
    );
    assert_eq!(version::from_dpkg_status(status, "libvirt0"), None);
}

#[test]
fn paths_of_units() {
    let path = |unit: &str| super::path_of_unit(unit);
    assert_eq!(path("mnt-nas-vms.mount").as_deref(), Some("/mnt/nas/vms"));
    assert_eq!(path("-.mount").as_deref(), Some("/"));
    assert_eq!(
        path("srv-a\\x2db-\\xc3\\xa4.automount").as_deref(),
        Some("/srv/a-b/\u{e4}")
    );
    assert_eq!(path("a\\x2.mount").as_deref(), Some("/a\\x2"));
    assert_eq!(path("sshd.service"), None);
}
