//! A test that runs in mount, network and process namespaces of its own: whatever it started ends
//! with them.

use std::process::Command;

/// Set in the test process that runs inside the namespaces.
const INSIDE: &str = "NOFAIL_TEST_INSIDE";

/// Runs `inside` in the namespaces: this test binary again, with the test's name. It must succeed
/// there within so many seconds.
pub fn in_namespaces(test: &str, seconds: u32, inside: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        return;
    }
    let output = Command::new("timeout")
        .arg("--kill-after=5")
        .arg(seconds.to_string())
        .args(["unshare", "--mount", "--net", "--pid", "--fork"])
        .args(["--kill-child", "--mount-proc"])
        // A shell as the first process: it reaps the QEMU processes that daemonised. libvirt
        // waits for one that it ends until it is gone.
        .args(["sh", "-c", "\"$@\"; exit $?", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
