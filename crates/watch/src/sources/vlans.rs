//! VLANs of guests' ports against the plan: the reconciler ([`crate::reconcile`]), which by the
//! settings only reports or also puts right (that needs `CAP_NET_ADMIN`).

use super::{Pulse, Source, SourceError, usual};
use crate::daemon::Context;
use crate::event::Effect;
use crate::reconcile::{self, Policy};
use crate::settings::VlanPolicy;
use jiff::Timestamp;
use std::convert::Infallible;
use std::ops::ControlFlow;

/// The source.
pub const SOURCE: Source = Source {
    name: "vlans",
    silent_after: usual,
    run,
};

fn run(context: &Context, pulse: &Pulse) -> Result<Infallible, SourceError> {
    let policy = match context.settings.vlans.policy {
        VlanPolicy::Off => return Err(SourceError::Absent("the settings want it so".into())),
        VlanPolicy::Report => Policy::Report,
        VlanPolicy::Repair => Policy::Repair,
    };
    let Some(file) = context.site.as_ref().map(|site| site.file.clone()) else {
        return Err(SourceError::Absent(
            "there is no site.toml with a VLAN map".into(),
        ));
    };
    let settings = reconcile::Settings {
        policy,
        host: context.host.clone(),
    };
    let mut site = reconcile::Site::open(file.into()).map_err(SourceError::Failed)?;
    reconcile::follow(&settings, &mut site, &mut |report| {
        pulse.beat();
        if let Some(report) = report {
            let event = report.event(Timestamp::now(), &context.host);
            // What was put right is told each time; what stays wrong once.
            if matches!(event.kind.effect(), Effect::Raises(_)) {
                context.tell_once(event);
            } else {
                context.tell(event);
            }
        }
        ControlFlow::Continue(())
    })
    .map_err(|e| SourceError::failed("cannot follow the kernel's links", &e))?;
    Err(SourceError::Failed("the reconciler ended".into()))
}
