//! Whether the copies fit.

use super::{Move, Refusal};

/// What must stay free whatever is copied: the host's logs and journal need room as well.
const RESERVE: u64 = 64 << 20;

/// Bytes as a person reads them.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} bytes")
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// What the copies need with a margin: a twentieth (metadata, and what a running guest writes
/// meanwhile), and 64 MiB that stay free.
pub fn needed(moves: &[Move]) -> u64 {
    let sum = moves.iter().map(|m| m.needs).fold(0, u64::saturating_add);
    sum.saturating_add(sum / 20).saturating_add(RESERVE)
}

/// Refuses what does not fit.
pub fn refused(moves: &[Move], directory: &str, available: u64) -> Option<Refusal> {
    let needed = needed(moves);
    (needed > available).then(|| {
        Refusal::new(
            format!(
                "the copies need {} with a margin, and {directory} has {} free",
                human(needed),
                human(available)
            ),
            "make room there, or name another target",
        )
    })
}

/// What to say where the disks, once written to the full, would not fit.
pub fn overcommitted(moves: &[Move], directory: &str, available: u64) -> Option<String> {
    let full = moves
        .iter()
        .map(|m| m.virtual_size)
        .fold(0, u64::saturating_add);
    (full > available).then(|| {
        format!(
            "the disks may grow to {}, and {directory} has {} free: watch it",
            human(full),
            human(available)
        )
    })
}
