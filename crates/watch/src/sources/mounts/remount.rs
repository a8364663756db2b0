//! Mounting again, where the settings allow it: through the service manager, since a mount in
//! our own mount namespace (a hardened unit has one) would reach nobody; and never silently.

use super::judge::{Memory, Seen};
use crate::daemon::Context;
use crate::event::{Evidence, Kind};
use crate::settings::Remount;
use collect::command;
use facts::mount::HealthState;
use facts::unit::escape::unit_from_path;
use std::time::Duration;

/// How often one trouble is tried to be cured by mounting again.
const TRIES: u32 = 3;
/// `systemctl --no-block` only hands the job in.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether mounting again can cure this at all: not while the server is silent, for unmounting
/// would hang as well.
fn can_cure(seen: &Seen) -> bool {
    match seen {
        Seen::Unmounted { .. } => true,
        Seen::Probed { health, .. } => matches!(
            health.state,
            HealthState::Stale | HealthState::Empty | HealthState::Failed
        ),
        Seen::Skipped(_) => false,
    }
}

pub(super) fn consider(
    context: &Context,
    target: &str,
    seen: &Seen,
    used: &[String],
    memory: &mut Memory,
) {
    let policy = context.settings.mounts.remount;
    if policy == Remount::Never || !can_cure(seen) || memory.remounts >= TRIES {
        return;
    }
    let refuse = |why: String| {
        context.tell(
            context
                .event("mounts", Kind::MountRemountRefused, target, why)
                .evidence(seen.evidence()),
        );
    };
    if policy == Remount::WhenUnused && !used.is_empty() {
        // Said once; no try is spent, since the guest may go, or the policy change.
        if std::mem::replace(&mut memory.refused, true) {
            return;
        }
        refuse(format!(
            "not mounted again: disks of {} lie there (remount = \"force\" would)",
            used.join(", ")
        ));
        return;
    }
    memory.remounts += 1;
    let Some(unit) = unit_from_path(target, ".mount") else {
        refuse("not mounted again: its path makes no unit name".to_owned());
        return;
    };
    // A job that still runs goes on with `start`; `restart` would cut a slow mount off.
    let verb = match seen {
        Seen::Unmounted { .. } => "start",
        _ => "restart",
    };
    let line = format!("systemctl --no-block {verb} {unit}");
    let event = context.event(
        "mounts",
        Kind::MountRemounting,
        target,
        format!("is mounted again: {line}"),
    );
    context.tell(event.evidence(seen.evidence()));
    if let Err(error) = command::output("systemctl", &["--no-block", verb, &unit], DEADLINE) {
        let event = context.event(
            "mounts",
            Kind::MountRemountRefused,
            target,
            format!("could not be mounted again: {error}"),
        );
        context.tell(event.evidence(Evidence::measured("systemctl", line)));
    }
}
