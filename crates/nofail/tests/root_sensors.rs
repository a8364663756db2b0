//! BMCs as the watch sees them, against OpenIPMI's simulator with a temperature sensor: outside
//! its limits and back, the BMC gone and back, a password that is wrong.
//!
//! Needs root, ipmi_sim and ipmitool; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod ipmi;
mod namespaces;

use daemon::{Daemon, all_but, sh};
use ipmi::{PASSWORD, file};
use watch::Kind;

#[test]
fn sensors_and_reachability_of_a_bmc() {
    namespaces::in_namespaces("sensors_and_reachability_of_a_bmc", 150, inside);
}

const PORT: u16 = 6230;

fn inside() {
    sh("ip link set lo up");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // What the sensor measures stands in a file, which the simulator polls. Its record is one of
    // a temperature in degrees Celsius with upper limits (IPMI 2.0, 43.1).
    let degrees = |value: u8| std::fs::write(path("degrees"), value.to_string()).unwrap();
    degrees(40);
    let board = format!(
        "sensor_add 0x20 0 1 0x01 0x01 poll 300 file \"{}\"\n\
         main_sdr_add 0x20 0x00 0x00 0x51 0x01 0x30 0x20 0x00 0x01 0x03 0x01 0x67 0x88 0x01 0x01 \
         0xc0 0x0f 0xc0 0x7f 0x38 0x38 0x00 0x01 0x00 0x00 0x01 0x00 0x00 0x00 0x00 0x00 0x03 0x60 \
         0xb0 0x00 0xb0 0x00 0xa0 0x90 0x70 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0xc5 0x49 0x6e \
         0x6c 0x65 0x74\n\
         sensor_set_value 0x20 0 1 0x28 0\n\
         sensor_set_threshold 0x20 0 1 settable 111000 0xa0 0x90 0x70 0x00 0x00 0x00\n\
         sensor_set_event_support 0x20 0 1 enable scanning per-state 000111111000000 \
         000111111000000 000111111000000 000111111000000\n",
        path("degrees").display()
    );
    let simulator = ipmi::start_with(dir.path(), PORT, &board);
    let secret = |password: &str| {
        let text = format!("user = \"admin\"\npassword = \"{password}\"\n");
        file(&path("bmc.secret"), &text, 0o600);
    };
    secret(PASSWORD);
    let site = format!(
        "[hosts.kvm-02.bmc]\naddress = \"127.0.0.1:{PORT}\"\nkind = \"ipmi\"\ncredentials_file = \"bmc.secret\"\n"
    );
    std::fs::write(path("site.toml"), site).unwrap();
    let others = all_but(&["bmc"]);
    let settings = format!("host = \"kvm-01\"\nwithout = {others}\n[bmc]\ninterval_seconds = 1\n");
    std::fs::write(path("watch.toml"), settings).unwrap();
    let mut daemon = Daemon::start(dir.path(), &[]);

    degrees(150);
    let bad = daemon.next(Kind::SensorBad, "kvm-02 Inlet");
    assert!(
        bad.message.contains("150 degrees C: outside its limits"),
        "{bad:?}"
    );
    assert!(bad.message.contains("critical"), "{bad:?}");
    degrees(40);
    let ok = daemon.next(Kind::SensorOk, "kvm-02 Inlet");
    assert!(ok.message.starts_with("40 degrees C"), "{ok:?}");

    // A password that is wrong is said once, without the password, and the rest goes on.
    secret("wrong-one");
    let failed = daemon.next(Kind::SourceFailed, "bmc sensors of kvm-02");
    assert!(
        failed.message.starts_with("cannot read them: "),
        "{failed:?}"
    );
    assert!(!failed.message.contains("wrong-one"), "{failed:?}");
    secret(PASSWORD);
    daemon.next(Kind::SourceRecovered, "bmc sensors of kvm-02");

    drop(simulator);
    let gone = daemon.next(Kind::BmcUnreachable, "kvm-02");
    assert!(gone.message.contains("127.0.0.1"), "{gone:?}");
    let _simulator = ipmi::start_with(dir.path(), PORT, &board);
    daemon.next(Kind::BmcReachable, "kvm-02");
    let told = daemon.events(0);
    let sensors = told.iter().filter(|r| r.event.kind == Kind::SensorBad);
    assert_eq!(sensors.count(), 1, "told once");
}
