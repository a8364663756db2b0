//! How long the prediction of a boot takes, and how much memory: `boot [LINES] [CIRCLES]`.
//!
//! An fstab of so many NFS mounts. As many of them as there are circles have a bind mount inside that
//! does not say `_netdev`: local mounts then wait for the network, which waits for them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring program, not a part of the product"
)]

use analysis::boot::{Conditions, NetworkService, predict};
use facts::{Snapshot, Source, fstab};
use std::fmt::Write as _;
use std::time::Instant;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse().unwrap());
    let (lines, circles): (usize, usize) =
        (numbers.next().unwrap_or(4_000), numbers.next().unwrap_or(3));
    let mut text = String::new();
    for line in 0..lines {
        let export = format!("10.50.1.70:/vol1/guests/{line:05}");
        writeln!(text, "{export} /srv/guests/{line:05} nfs nofail 0 0").unwrap();
    }
    for circle in 0..circles {
        let inside = format!("/srv/guests/{circle:05}/images");
        writeln!(text, "{inside} /srv/images/{circle:05} none bind 0 0").unwrap();
    }
    let mut snapshot = Snapshot::new("host");
    snapshot.fstab = fstab::parse(&text).entries();
    snapshot.not_read(Source::BlockDevices, "no host");
    let conditions = Conditions {
        network: Some(NetworkService::NetworkManager),
        ..Conditions::default()
    };
    let before = peak();
    let began = Instant::now();
    let boot = predict(&snapshot, &conditions);
    println!(
        "{lines} lines, {circles} circles: {:?}, {} cycles, {} other ends; {:.2} s, {} MiB above the {} MiB of \
         the snapshot",
        boot.outcome,
        boot.cycles.len(),
        boot.otherwise.len(),
        began.elapsed().as_secs_f64(),
        (peak() - before) >> 10,
        before >> 10,
    );
}

/// The most memory that this process ever had, KiB (proc_pid_status(5), `VmHWM`).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
