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
            // A wait without end still has to be a number that every reader can hold.
            delay_seconds: boot.delay_seconds.min(u64::from(u32::MAX)),
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
