//! `nofail.boot/1`.

use analysis::boot::{self, Boot};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    outcome: &'static str,
    delay_seconds: u64,
    mounts: Vec<Mount<'a>>,
    swaps: Vec<Mount<'a>>,
    guests: Vec<Guest<'a>>,
    lost: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cycles: Vec<Cycle<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    otherwise: Vec<Otherwise<'a>>,
}

/// A circle in the order: each unit is ordered after the next, the last after the first.
#[derive(Debug, Serialize)]
pub struct Cycle<'a> {
    units: &'a [String],
    dropped: &'a [String],
}

/// Another end that this boot may come to, since systemd's pick of a job to drop is chance.
#[derive(Debug, Serialize)]
pub struct Otherwise<'a> {
    outcome: &'static str,
    delay_seconds: u64,
    dropped: &'a [String],
    /// The mounts and swaps that fare otherwise.
    mounts: Vec<Fate<'a>>,
    share: f64,
}

/// What becomes of one unit.
#[derive(Debug, Serialize)]
pub struct Fate<'a> {
    unit: &'a str,
    result: &'static str,
}

/// One mount or swap.
#[derive(Debug, Serialize)]
pub struct Mount<'a> {
    target: &'a str,
    source: &'a str,
    fstype: &'a str,
    unit: Option<&'a str>,
    pulled_in_by: Vec<Link<'a>>,
    result: &'static str,
    reason: String,
}

/// One link of systemd's generator.
#[derive(Debug, Serialize)]
pub struct Link<'a> {
    unit: &'a str,
    target: &'a str,
    requirement: &'static str,
}

/// One guest.
#[derive(Debug, Serialize)]
pub struct Guest<'a> {
    name: &'a str,
    result: &'static str,
    reason: &'a str,
}

impl<'a> From<&'a Boot> for Document<'a> {
    fn from(boot: &'a Boot) -> Self {
        Self {
            schema: "nofail.boot/1",
            outcome: boot.outcome.name(),
            delay_seconds: number(boot.delay_seconds),
            mounts: boot.mounts.iter().map(Mount::from).collect(),
            swaps: boot.swaps.iter().map(Mount::from).collect(),
            guests: boot
                .guests
                .iter()
                .map(|guest| Guest {
                    name: &guest.name,
                    result: guest.result.name(),
                    reason: &guest.reason,
                })
                .collect(),
            lost: &boot.lost,
            cycles: boot
                .cycles
                .iter()
                .map(|cycle| Cycle {
                    units: &cycle.units,
                    dropped: &cycle.dropped,
                })
                .collect(),
            otherwise: boot.otherwise.iter().map(Otherwise::from).collect(),
        }
    }
}

/// A wait without end still has to be a number that every reader can hold.
fn number(seconds: u64) -> u64 {
    seconds.min(u64::from(u32::MAX))
}

impl<'a> From<&'a boot::Otherwise> for Otherwise<'a> {
    fn from(end: &'a boot::Otherwise) -> Self {
        Self {
            outcome: end.outcome.name(),
            delay_seconds: number(end.delay_seconds),
            dropped: &end.dropped,
            mounts: end
                .mounts
                .iter()
                .map(|(unit, result)| Fate {
                    unit,
                    result: result.name(),
                })
                .collect(),
            share: (end.share * 1000.0).round() / 1000.0,
        }
    }
}

impl<'a> From<&'a boot::Mounted> for Mount<'a> {
    fn from(mount: &'a boot::Mounted) -> Self {
        let reason = [Some(&mount.reason), mount.assumed.as_ref()];
        let reason: Vec<&str> = reason
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        Self {
            target: &mount.target,
            source: &mount.source,
            fstype: &mount.fstype,
            unit: mount.unit.as_deref(),
            pulled_in_by: mount
                .pulled_in_by
                .iter()
                .map(|link| Link {
                    unit: &link.unit,
                    target: &link.target,
                    requirement: link.requirement.name(),
                })
                .collect(),
            result: mount.result.name(),
            reason: reason.join("; "),
        }
    }
}
