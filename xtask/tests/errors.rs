//! What a person reads when a task fails.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs programs itself"
)]

use std::process::Command;

#[test]
fn a_failed_task_says_why_and_prints_no_backtrace() {
    let ended = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["new-rule", "nonsense"])
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(
        said,
        "xtask: a rule's ID is area/slug: fstab/missing-nofail\n"
    );
}
