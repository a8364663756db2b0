//! systemd in a container: a bind mount that fails is emergency mode, one without a source is not.
//!
//! Needs root and systemd-nspawn.

use std::time::{Duration, Instant};

/// Boots with this one line; whether it ended in emergency mode.
fn emergency(line: &str) -> anyhow::Result<bool> {
    let clock = Instant::now();
    let fstab = format!("{line}\n");
    let ended = lab::nspawn::boot(
        &[("/etc/fstab", fstab.as_bytes())],
        Duration::from_secs(120),
    )?;
    println!("{line}: {:?}\n{}", clock.elapsed(), ended.serial_log);
    Ok(ended.outcome == lab::Outcome::Emergency)
}

#[test]
fn a_bind_mount_that_fails_is_emergency_mode_unless_nofail() {
    // No directory can be below a file.
    assert!(emergency("/etc/passwd/missing /mnt/bound none bind 0 0").unwrap());
    let line = "/etc/passwd/missing /mnt/bound none bind,nofail 0 0";
    assert!(!emergency(line).unwrap());
}

#[test]
fn systemd_makes_a_missing_bind_source_and_boots() {
    assert!(!emergency("/srv/missing /mnt/bound none bind 0 0").unwrap());
}
