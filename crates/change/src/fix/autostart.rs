//! Guests, networks and pools that should start with their host: on a running host through virsh,
//! in a tree by the link that libvirt looks for.

use super::{Case, Remedy};
use crate::plan::{Act, Again, Command, Probe, Run};
use crate::state::{Meta, State};

/// `virsh WORD NAME`, or its link. libvirt counts a definition as autostarted only where the
/// link's target is the definition's full path (virFileLinkPointsTo).
fn link(case: &Case<'_>, word: &str, name: &str, definition: &str) -> Remedy {
    let Some((directory, file)) = definition.rsplit_once('/') else {
        return Remedy::Refused(format!("{definition} is no path"));
    };
    if case.reader.stat(definition).is_err() {
        return Remedy::Refused(format!("there is no {definition}: define it first"));
    }
    let path = format!("{directory}/autostart/{file}");
    let target = definition.to_owned();
    let broken = case.reader.lstat(&path).is_ok();
    // What virsh itself would pass over: libvirt counts it as on or as not its own.
    if broken || !case.runs("virsh") {
        let acts = vec![Act::Link { path, target }];
        return Remedy::Do { acts, safe: true };
    }
    let after = State::Link {
        target,
        meta: Meta::default(),
    };
    let probe = |state| Probe::Path {
        path: path.clone(),
        state,
    };
    let run = Run {
        command: Command::new(["virsh", word, name]),
        before: vec![probe(State::Absent)],
        after: vec![probe(after)],
        undo: Again::By(vec![Command::new(["virsh", word, "--disable", name])]),
        seconds: 30,
        ..Run::default()
    };
    Remedy::Do {
        acts: vec![Act::Run(run)],
        safe: true,
    }
}

/// A guest.
pub(super) fn guest(case: &Case<'_>) -> Remedy {
    let name = &case.finding.subject;
    let Some(guest) = case.host.guests.iter().find(|g| &g.name == name) else {
        return Remedy::Refused(format!("{name} is no guest that was read"));
    };
    let definition = if guest.file.is_empty() {
        format!("/etc/libvirt/qemu/{name}.xml")
    } else {
        guest.file.clone()
    };
    link(case, "autostart", name, &definition)
}

/// The name in the evidence `…/autostart/NAME.xml`.
fn named(case: &Case<'_>) -> Option<String> {
    case.finding.evidence.iter().find_map(|evidence| {
        let (_, file) = evidence.file.split_once("/autostart/")?;
        Some(file.strip_suffix(".xml")?.to_owned())
    })
}

/// A libvirt network.
pub(super) fn network(case: &Case<'_>) -> Remedy {
    match named(case).filter(|name| case.host.networks.iter().any(|n| &n.name == name)) {
        Some(name) => {
            let definition = format!("/etc/libvirt/qemu/networks/{name}.xml");
            link(case, "net-autostart", &name, &definition)
        }
        None => super::by_hand(case.finding),
    }
}

/// A storage pool.
pub(super) fn pool(case: &Case<'_>) -> Remedy {
    match named(case).filter(|name| case.host.pools.iter().any(|p| &p.name == name)) {
        Some(name) => {
            let definition = format!("/etc/libvirt/storage/{name}.xml");
            link(case, "pool-autostart", &name, &definition)
        }
        None => super::by_hand(case.finding),
    }
}
