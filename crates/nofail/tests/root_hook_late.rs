//! What the hook could not do in time is recorded, however busy the host is: the process that libvirt
//! waits for ends at once, and the one that records lives on.
//!
//! Needs root: the recorder lies in mount and process namespaces of this test's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod namespaces;

use std::process::Command;
use std::time::{Duration, Instant};

/// So many at once that some wait for a processor.
const HOOKS: usize = 60;

#[test]
fn what_was_late_is_recorded_by_each_of_many() {
    namespaces::in_namespaces("what_was_late_is_recorded_by_each_of_many", 100, inside);
}

fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-euc", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn inside() {
    let nofail = env!("CARGO_BIN_EXE_nofail");
    // A pipe that somebody holds open and nobody writes to: standard input without an end.
    sh(&format!(
        "mount --make-rprivate /
         for d in /var/lib/nofail /run; do mkdir -p $d; mount -t tmpfs none $d; done
         mkfifo /run/never; exec 3<>/run/never
         for i in $(seq {HOOKS}); do
             {nofail} hook run --deadline 0.3 g$i start begin - </run/never >/dev/null 2>&1 &
         done
         wait"
    ));
    let began = Instant::now();
    loop {
        let told = sh(&format!(
            "{nofail} events --kind guest.hook --limit 0 --format json 2>/dev/null || echo '{{\"events\":[]}}'"
        ));
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let recorded = told["events"].as_array().unwrap().len();
        if recorded == HOOKS {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{recorded} of {HOOKS} were recorded"
        );
        std::thread::sleep(Duration::from_millis(300));
    }
}
