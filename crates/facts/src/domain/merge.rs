//! A guest's definition joined with its live status.

use super::{Disk, Guest, Interface};

/// Joins the definition of a guest (what its next start uses) with its live status (what runs).
///
/// The result is the definition, with state, PID, tap devices and resolved bridges of the running
/// guest. Devices that only the running guest has are appended with `live_only`. A disk whose
/// running source is another one keeps the definition's and names the other in
/// [`Disk::live_source`]. A backing chain that only the status gives is taken over where the
/// source is the same.
pub fn merge(definition: Guest, status: Guest) -> Guest {
    let mut guest = definition;
    guest.state = status.state;
    guest.state_reason = status.state_reason;
    guest.pid = status.pid;
    guest.status_file = status.status_file.or(Some(status.file));
    for live in status.disks {
        match guest.disks.iter_mut().find(|d| d.target == live.target) {
            Some(disk) => join_disk(disk, live),
            None => guest.disks.push(Disk {
                live_only: true,
                ..live
            }),
        }
    }
    for live in status.interfaces {
        let same = |i: &&mut Interface| i.mac.is_some() && i.mac == live.mac;
        match guest.interfaces.iter_mut().find(same) {
            Some(interface) => join_interface(interface, live),
            None => guest.interfaces.push(Interface {
                live_only: true,
                ..live
            }),
        }
    }
    guest
}

fn join_disk(disk: &mut Disk, live: Disk) {
    if disk.source == live.source && disk.kind == live.kind {
        if disk.backing.is_empty() && !disk.chain_ends {
            // The definition still leaves it open: the next start looks into the images anew.
            disk.backing = live.backing;
            for link in &mut disk.backing {
                "live status".clone_into(&mut link.read_from);
            }
        }
    } else if disk.device == "disk" || disk.device == "lun" {
        // A drive of removable media changes its medium as a matter of course.
        disk.live_source = live.source;
    }
    disk.mirror = live.mirror;
    disk.mirror_ready = live.mirror_ready;
}

fn join_interface(interface: &mut Interface, live: Interface) {
    interface.target = live.target.or(interface.target.take());
    interface.bridge = live.bridge.or(interface.bridge.take());
    if interface.vlans.is_empty() {
        interface.vlans = live.vlans;
        interface.native_vlan = live.native_vlan;
        interface.trunk = live.trunk;
    }
}
