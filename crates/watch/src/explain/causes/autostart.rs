//! Why a guest stays down after a boot.

use super::{Cause, candidate};
use crate::explain::moment::{Ending, Moment};
use crate::explain::{Candidate, Case};
use facts::Evidence;
use facts::history::What;

/// Why a guest that ended is not running again, where the host has booted or tried since.
pub fn still_off(case: &Case<'_>, moment: &Moment) -> Option<Candidate> {
    let traces = &case.history.traces;
    let boot = traces
        .iter()
        .rev()
        .find(|t| t.what == What::HostBooted && t.at > moment.earliest)?;
    // A boot that came before the stop has nothing to do with it.
    if boot.at < moment.at && moment.ending != Ending::Silent {
        return None;
    }
    let mut cause = not_autostarted(case)?;
    cause.evidence.push(boot.evidence.clone());
    Some(cause)
}

/// A guest of which no start is known.
pub fn never_started(case: &Case<'_>) -> Option<Candidate> {
    let guest = case.guest?;
    if guest.state.as_deref() != Some("shut-off") {
        return None;
    }
    not_autostarted(case)
}

fn not_autostarted(case: &Case<'_>) -> Option<Candidate> {
    let guest = case.guest?;
    let shown = Evidence::line(
        guest.file.clone(),
        guest.line,
        format!("<name>{}</name>", guest.name),
    );
    let mut cause = match (guest.autostart, &guest.autostart_broken, guest.persistent) {
        (_, _, false) => candidate(Cause::NotAutostarted, 95, "it has no persistent definition: nothing starts it"),
        (_, Some(why), _) => candidate(Cause::NotAutostarted, 95, format!("its autostart link is broken: {why}")),
        (Some(false), ..) => candidate(Cause::NotAutostarted, 96,
            "it has no autostart: libvirt does not start it after a boot, somebody must"),
        (Some(true), ..) => candidate(Cause::NotAutostarted, 40,
            "it has autostart, but did not come up: libvirt starts such guests once per boot, and a failed start is not tried again")
            .but("autostart is set"),
        (None, ..) => candidate(Cause::NotAutostarted, 30, "whether it has autostart could not be read"),
    };
    cause.evidence.push(shown);
    Some(cause)
}
