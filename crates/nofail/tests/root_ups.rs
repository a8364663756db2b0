//! A UPS that goes on battery, as NUT's own daemon tells it: upsd with the driver dummy-ups, on
//! the loopback of a network namespace. The guard lets a host go down then.
//!
//! Needs root and the packages nut-server, nut-client; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod namespaces;

use daemon::{eventually, sh};
use std::path::Path;
use std::process::Command;
use watch::Recorder;
use watch::recorder::{DEFAULT_PATH, Query};

#[test]
fn on_battery_a_host_may_go_down() {
    namespaces::in_namespaces("on_battery_a_host_may_go_down", 120, inside);
}

/// The document and exit code of `guard check reboot`.
fn check() -> (serde_json::Value, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args(["guard", "check", "reboot", "--format", "json"])
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (document, output.status.code().unwrap())
}

fn inside() {
    sh(
        "ip link set lo up; mount -t tmpfs none /run; mount -t tmpfs none /var/lib; mkdir -p /run/nut",
    );
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    // NUT's files (ups.conf(5), upsd.conf(5), dummy-ups(8)). The driver reads its file again and
    // again.
    let status = |word: &str| {
        let text = format!("ups.status: {word}\nbattery.charge: 80\n");
        std::fs::write(path("lab.dev.new"), text).unwrap();
        std::fs::rename(path("lab.dev.new"), path("lab.dev")).unwrap();
    };
    status("OL");
    for (name, text) in [
        (
            "ups.conf",
            format!(
                "user = root\npollinterval = 1\n[lab]\n driver = dummy-ups\n port = {}\n mode = dummy-loop\n",
                path("lab.dev")
            ),
        ),
        ("upsd.conf", "LISTEN 127.0.0.1 3493\n".to_owned()),
        ("upsd.users", String::new()),
        ("nut.conf", "MODE=standalone\n".to_owned()),
    ] {
        std::fs::write(path(name), text).unwrap();
    }
    let conf = format!(
        "chmod 600 {0}/upsd.*; export NUT_CONFPATH={0} NUT_STATEPATH=/run/nut",
        dir.path().display()
    );
    // Debian's own upsd is a script that asks /etc/nut first.
    let drivers = "PATH=/lib/nut:/usr/lib/nut:$PATH";
    sh(&format!(
        "{conf}; {drivers}; dummy-ups -a lab -u root; upsd -u root"
    ));
    let upsc = || {
        let output = Command::new("upsc")
            .args(["lab", "ups.status"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    eventually("upsd answers", || (upsc() == "OL").then_some(()));
    let (on_line, code) = check();
    assert_eq!(on_line["on_battery"], false, "{on_line}");
    println!("on line: {} ({code})", on_line["verdict"]);

    status("OB DISCHRG");
    eventually("the UPS is on battery", || {
        upsc().contains("OB").then_some(())
    });
    let (document, code) = check();
    assert_eq!(document["on_battery"], true, "{document}");
    println!("on battery: {} ({code})", document["verdict"]);
    assert!(
        matches!(code, 0 | 1),
        "go, or go with losses: {code}, {document}"
    );

    // What stands before the command lets it go on, and asks nobody: there is nobody here.
    let asked = Command::new(env!("CARGO_BIN_EXE_nofail"))
        .args(["guard", "ask", "--", "reboot"])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let recorder = Recorder::open_to_read(Path::new(DEFAULT_PATH)).unwrap();
    let told = recorder.query(&Query::default()).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    println!("recorded: {}", told[0].event.message);
}
