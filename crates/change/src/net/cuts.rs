//! Whom a change cuts off, foretold: this SSH connection first, then the host itself, then guests.

use super::session::Ssh;
use super::state::State;
use facts::bridge::{Bridge, Port, Role};
use facts::ip::lookup;
use rules::bridge::path::{Way, best_way};

/// Who is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The SSH connection that asks.
    Ssh(Ssh),
    /// The host itself, over a bridge.
    Host,
    /// A guest; its name where it is known.
    Guest(Option<String>),
}

/// One path that the change cuts, or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Who.
    pub who: Who,
    /// Over which bridge or device.
    pub over: String,
    /// Port, where it is one.
    pub port: Option<String>,
    /// What becomes of it, in words.
    pub why: String,
    /// Whether it is certain as far as this host can tell. What the switch does is known only
    /// from captures.
    pub certain: bool,
}

/// Every path that is worse afterwards. `native` is the VLAN that the switch sends untagged on an
/// uplink, where that is known.
pub fn cuts(
    before: &State,
    after: &State,
    ssh: Option<&Ssh>,
    native: &dyn Fn(&str) -> Option<u16>,
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let (old, new) = (before.bridges(), after.bridges());
    for bridge in &old {
        let later = new.iter().find(|b| b.name == bridge.name);
        for port in &bridge.ports {
            let who = match port.role {
                Role::Own => Who::Host,
                Role::Guest => Who::Guest(port.guest.clone()),
                Role::Uplink | Role::Other => continue,
            };
            // The host speaks on it only where it has an address on it.
            if port.role == Role::Own && !has_address(before, &bridge.name) {
                continue;
            }
            if let Some((why, certain)) = worse(bridge, port, later, native) {
                cuts.push(Cut {
                    who,
                    over: bridge.name.clone(),
                    port: (port.role != Role::Own).then(|| port.name.clone()),
                    why,
                    certain,
                });
            }
        }
    }
    if let Some(ssh) = ssh
        && let Some((over, why, certain)) = cuts_ssh(before, after, ssh, &cuts)
    {
        cuts.push(Cut {
            who: Who::Ssh(ssh.clone()),
            over,
            port: None,
            why,
            certain,
        });
    }
    cuts.sort_by_key(|cut| match cut.who {
        Who::Ssh(_) => 0,
        Who::Host => 1,
        Who::Guest(_) => 2,
    });
    cuts
}

fn has_address(state: &State, device: &str) -> bool {
    state
        .devices
        .get(device)
        .is_some_and(|d| d.addresses.iter().any(|a| a.scope < 253))
}

/// What is worse for a port, and whether that is certain; `None` where nothing is.
fn worse(
    bridge: &Bridge,
    port: &Port,
    later: Option<&Bridge>,
    native: &dyn Fn(&str) -> Option<u16>,
) -> Option<(String, bool)> {
    let had_uplink = bridge.uplinks().next().is_some();
    let Some(later) = later else {
        return Some((format!("{} is gone", bridge.name), true));
    };
    let Some(now) = later.port(&port.name) else {
        return Some((format!("{} leaves {}", port.name, bridge.name), true));
    };
    if had_uplink && later.uplinks().next().is_none() {
        return Some((format!("{} has no uplink left", bridge.name), true));
    }
    // Before a bridge filters every frame passes, whatever its lists say.
    let way = |bridge: &Bridge, port: &Port| {
        if bridge.vlan_filtering != Some(true) {
            return Some(Way::Fine);
        }
        best_way(port, ways_out(bridge), |uplink| native(&uplink.name)).map(|(way, _)| way)
    };
    let (was, is) = (way(bridge, port)?, way(later, now)?);
    let uplinks = |b: &Bridge| b.uplinks().map(|u| u.name.clone()).collect::<Vec<_>>();
    if is <= was {
        let (from, to) = (uplinks(bridge), uplinks(later));
        let moved = from != to;
        return moved.then(|| {
            let text = format!(
                "its uplink is no longer {}, but {}: whether the switch lets it through cannot be \
                 told from here",
                from.join(", "),
                to.join(", ")
            );
            (text, false)
        });
    }
    Some(match is {
        Way::Fine => return None,
        Way::TwoVlans { out, back } => (
            format!(
                "it speaks in VLAN {out} and hears in VLAN {back}: works only while the switch joins the two"
            ),
            false,
        ),
        Way::NoPvid => (
            "it has no PVID: its untagged frames are dropped".to_owned(),
            true,
        ),
        Way::NotOnUplink { out } => (format!("the uplink does not carry its VLAN {out}"), true),
        Way::NoWayBack { out, back } => (
            match back {
                Some(back) => format!(
                    "it speaks in VLAN {out}, answers come in VLAN {back}, which it does not hear"
                ),
                None => format!("it speaks in VLAN {out}, and the uplink drops the answers"),
            },
            true,
        ),
    })
}

/// The uplinks of a bridge; where it has none that looks like one, whatever is neither the host's
/// own nor a guest's (a veth to a router in a namespace, a tunnel).
fn ways_out(bridge: &Bridge) -> impl Iterator<Item = &Port> {
    let role = match bridge.uplinks().next() {
        Some(_) => Role::Uplink,
        None => Role::Other,
    };
    bridge.ports.iter().filter(move |p| p.role == role)
}

/// What becomes of the SSH connection that asks.
fn cuts_ssh(
    before: &State,
    after: &State,
    ssh: &Ssh,
    cuts: &[Cut],
) -> Option<(String, String, bool)> {
    let device = before.device_of(ssh.server)?;
    let there = after.devices.get(device);
    if !there.is_some_and(|d| d.addresses.iter().any(|a| a.local == ssh.server)) {
        let text = format!(
            "{} leaves {device}, and this connection with it",
            ssh.server
        );
        return Some((device.to_owned(), text, true));
    }
    if there.is_some_and(|d| !d.up) {
        return Some((device.to_owned(), format!("{device} goes down"), true));
    }
    if there.is_some_and(|d| d.controller.is_some() && before.devices[device].controller.is_none())
    {
        let text = format!("{device} becomes a port of a bridge: its addresses no longer answer");
        return Some((device.to_owned(), text, true));
    }
    if lookup(&before.routes, ssh.client).is_some() && lookup(&after.routes, ssh.client).is_none() {
        let text = format!("no route leads back to {}", ssh.client);
        return Some((device.to_owned(), text, true));
    }
    // An address of a bridge, or of a VLAN that rests on one.
    let below = before.devices.get(device).and_then(|d| d.lower.as_deref());
    let bridge = [Some(device), below].into_iter().flatten().find(|name| {
        before
            .devices
            .get(*name)
            .is_some_and(|d| d.bridge.is_some())
    })?;
    if bridge != device {
        let changed = before.devices.get(bridge) != after.devices.get(bridge);
        let text = format!("{device} rests on {bridge}, which changes");
        return changed.then(|| (bridge.to_owned(), text, false));
    }
    cuts.iter()
        .find(|cut| cut.who == Who::Host && cut.over == bridge)
        .map(|cut| (bridge.to_owned(), cut.why.clone(), cut.certain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::state::{Device, Settings, Vlans};

    fn state(own: &[u16], pvid: u16) -> State {
        let vlans = |pvid: u16, untagged: &[u16]| Vlans {
            pvid: Some(pvid).filter(|p| *p != 0),
            untagged: untagged.iter().copied().collect(),
            tagged: [].into(),
        };
        let bridge = Device {
            kind: "bridge".to_owned(),
            up: true,
            bridge: Some(Settings {
                vlan_filtering: true,
                default_pvid: Some(1),
            }),
            vlans: Some(vlans(pvid, own)),
            addresses: vec![facts::ip::Address::new(
                "br-mgmt",
                "10.50.1.12".parse().unwrap(),
                24,
            )],
            ..Device::default()
        };
        let port = |role, guest: Option<&str>, vlans| Device {
            role: Some(role),
            guest: guest.map(str::to_owned),
            up: true,
            controller: Some("br-mgmt".to_owned()),
            vlans: Some(vlans),
            ..Device::default()
        };
        State {
            devices: [
                ("br-mgmt".to_owned(), bridge),
                (
                    "eth1".to_owned(),
                    port(Role::Uplink, None, vlans(100, &[1, 100])),
                ),
                (
                    "vnet0".to_owned(),
                    port(Role::Guest, Some("bind-02"), vlans(100, &[100])),
                ),
            ]
            .into(),
            routes: Vec::new(),
        }
    }

    #[test]
    fn the_change_that_cut_kvm_02_off_is_foretold() {
        let ssh = Ssh::parse("10.50.1.200 4000 10.50.1.12 22").unwrap();
        // `bridge vlan del dev br-mgmt vid 1 self`, by hand.
        let found = cuts(&state(&[1, 100], 1), &state(&[100], 0), Some(&ssh), &|_| {
            None
        });
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(matches!(found[0].who, Who::Ssh(_)) && found[0].certain);
        assert!(found[0].why.contains("no PVID"), "{found:#?}");
        // The right change cuts nobody.
        let found = cuts(
            &state(&[1, 100], 1),
            &state(&[100], 100),
            Some(&ssh),
            &|_| None,
        );
        assert_eq!(found, []);
    }

    #[test]
    fn a_way_out_that_does_not_look_like_an_uplink_counts_where_there_is_no_other() {
        let veth = |mut state: State| {
            state.devices.get_mut("eth1").unwrap().role = Some(Role::Other);
            state
        };
        let (before, after) = (veth(state(&[1, 100], 1)), veth(state(&[30], 30)));
        let found = cuts(&before, &after, None, &|_| None);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].certain && found[0].why.contains("VLAN 30"));
    }

    #[test]
    fn a_guest_whose_uplink_leaves() {
        let mut after = state(&[1, 100], 1);
        after.devices.get_mut("eth1").unwrap().controller = None;
        let found = cuts(&state(&[1, 100], 1), &after, None, &|_| None);
        let guest = Who::Guest(Some("bind-02".to_owned()));
        assert!(
            found.iter().any(|c| c.who == guest && c.certain),
            "{found:#?}"
        );
    }

    #[test]
    fn an_address_that_carries_the_connection() {
        let ssh = Ssh::parse("10.50.1.200 4000 10.50.1.12 22").unwrap();
        let mut after = state(&[1, 100], 1);
        after.devices.get_mut("br-mgmt").unwrap().addresses.clear();
        let found = cuts(&state(&[1, 100], 1), &after, Some(&ssh), &|_| None);
        assert!(
            found[0].why.contains("this connection with it"),
            "{found:#?}"
        );
    }
}
