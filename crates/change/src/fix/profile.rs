//! Network profiles: readable by NetworkManager, and with the VLAN state that the bridge needs.
//! The running state is not touched: that is `nofail net apply`.

use super::{Case, Remedy};
use crate::plan::{Act, Again, Command, Run};

/// Root's, and nobody else's to read: NetworkManager ignores other profiles.
pub(super) fn readable(case: &Case<'_>) -> Remedy {
    let Some(path) = case.finding.evidence.first().map(|e| e.file.clone()) else {
        return super::by_hand(case.finding);
    };
    let Ok(stat) = case.reader.stat(&path) else {
        return super::by_hand(case.finding);
    };
    // Of the reasons to ignore a profile only these are owner and mode.
    if stat.uid == 0 && stat.mode & 0o077 == 0 {
        return super::by_hand(case.finding);
    }
    let mut acts = vec![Act::Attributes {
        path: path.clone(),
        mode: Some(0o600),
        owner: Some((0, 0)),
        label: None,
    }];
    if case.runs("nmcli") {
        acts.push(load(&path));
    }
    Remedy::Do { acts, safe: true }
}

/// Has NetworkManager read a profile again; no connection changes by that (nmcli(1)).
fn load(path: &str) -> Act {
    Act::Run(Run {
        command: Command::new(["nmcli", "connection", "load", path]),
        undo: Again::Last,
        seconds: 30,
        ..Run::default()
    })
}

/// The VLAN state that the kernel has now, in the profile that makes it anew at the next boot; asked
/// for, since the kernel's state may itself be the mistake.
pub(super) fn vlans(case: &Case<'_>) -> Remedy {
    let device = &case.finding.subject;
    let bridge = case.host.bridges.iter().find(|bridge| {
        bridge.name == *device || bridge.ports.iter().any(|port| port.name == *device)
    });
    let Some(bridge) = bridge else {
        return super::by_hand(case.finding);
    };
    let host = crate::profile::Host {
        read: &|path| case.text(path).ok(),
        nmcli: case.runs("nmcli"),
        writer: crate::profile::Writer::Fix,
    };
    let persist = crate::profile::persist(case.host, Some(&bridge.name), &host);
    if persist.proposals.is_empty() {
        return super::by_hand(case.finding);
    }
    let acts = persist.proposals.into_iter().map(|proposal| proposal.act);
    Remedy::Do {
        acts: acts.collect(),
        safe: false,
    }
}
