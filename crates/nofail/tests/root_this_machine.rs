//! nofail on this very machine, live: as root and as an ordinary user. Needs root (to become
//! somebody else).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the program itself"
)]

use serde_json::Value;
use std::process::Command;

/// Runs the program and gives exit code and JSON.
fn audit(as_user: Option<&str>) -> (i32, Value) {
    // The build directory may be closed to others: they get a copy.
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("nofail");
    std::fs::copy(env!("CARGO_BIN_EXE_nofail"), &program).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let mut command = match as_user {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
            command.arg(&program);
            command
        }
        None => Command::new(&program),
    };
    let output = command
        .args(["audit", "--format", "json"])
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{said}"));
    (output.status.code().unwrap(), json)
}

#[test]
fn an_audit_of_this_machine_ends_well_for_root_and_for_anybody() {
    for user in [None, Some("65534")] {
        let (code, json) = audit(user);
        assert!(code == 0 || code == 1, "{user:?}: exit {code}");
        assert_eq!(json["schema"], "nofail.audit/1");
        assert_eq!(json["hosts"].as_array().unwrap().len(), 1);
    }
}
