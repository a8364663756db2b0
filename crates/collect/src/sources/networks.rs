//! libvirt networks: definitions with their autostart links, and the status files of those that
//! run. Fills in the bridge and the VLANs that guests' interfaces get from them.

use super::definitions::{Definitions, place};
use super::why;
use crate::{HostReader, Options};
use facts::network::{self, Network};
use facts::{Snapshot, Source};
use std::collections::BTreeMap;
use std::io;

const DEFINITIONS: &str = "/etc/libvirt/qemu/networks";
const STATUS: &str = "/run/libvirt/network";

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    let definitions = Definitions {
        reader,
        source: Source::Networks,
        directory: DEFINITIONS,
    };
    let mut networks: Vec<Network> = definitions
        .read(snapshot, network::parse)
        .into_iter()
        .map(|read| Network {
            file: read.file,
            autostart: read.autostart.known(),
            ..read.value
        })
        .collect();
    if reader.live() {
        add_status(reader, snapshot, &mut networks);
    }
    attach(snapshot, &networks);
    snapshot.networks = networks;
}

fn add_status(reader: &dyn HostReader, snapshot: &mut Snapshot, networks: &mut Vec<Network>) {
    let names = match reader.list(STATUS) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            snapshot.item_not_read(Source::Networks, STATUS, why(STATUS, &error));
            return;
        }
    };
    for network in networks.iter_mut() {
        network.active = Some(
            names
                .iter()
                .any(|n| n.strip_suffix(".xml") == Some(&network.name)),
        );
    }
    // A network without a definition is transient: it exists while it runs.
    for name in names.iter().filter_map(|n| n.strip_suffix(".xml")) {
        if networks.iter().any(|network| network.name == name) {
            continue;
        }
        let file = format!("{STATUS}/{name}.xml");
        let read = match reader.text(&file) {
            Ok(text) => network::parse(&text).map_err(|error| place(&error)),
            Err(error) => Err(why(&file, &error)),
        };
        match read {
            Ok(network) => networks.push(Network {
                file,
                active: Some(true),
                autostart: Some(false),
                ..network
            }),
            // Without the definitions nothing says which of them are transient.
            Err(_) if snapshot.why_unread(Source::Networks).is_some() => {}
            Err(reason) => snapshot.item_not_read(Source::Networks, file, reason),
        }
    }
}

/// Gives interfaces of type `network` the bridge and, where they name no tags of their own, the
/// VLANs of their port group (or the network's default one), as libvirt does when a guest starts.
fn attach(snapshot: &mut Snapshot, networks: &[Network]) {
    let by_name: BTreeMap<&str, &Network> = networks.iter().map(|n| (n.name.as_str(), n)).collect();
    let interfaces = snapshot.guests.iter_mut().flat_map(|g| &mut g.interfaces);
    for interface in interfaces.filter(|i| i.kind == "network") {
        let network = interface
            .source
            .as_deref()
            .and_then(|name| by_name.get(name));
        let Some(network) = network else { continue };
        if interface.bridge.is_none() {
            interface.bridge.clone_from(&network.bridge);
        }
        if interface.vlans.is_empty() {
            let wanted = interface.portgroup.as_deref();
            let group = network.portgroups.iter().find(|group| match wanted {
                Some(name) => group.name == name,
                None => group.default,
            });
            let group = group.filter(|group| !group.vlans.is_empty());
            let (vlans, native) = match group {
                Some(group) => (&group.vlans, group.native_vlan),
                None => (&network.vlans, network.native_vlan),
            };
            interface.vlans.clone_from(vlans);
            interface.native_vlan = native;
            interface.trunk = vlans.len() > 1;
        }
    }
}
