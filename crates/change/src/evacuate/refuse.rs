//! Why a guest is not evacuated: each reason with what to do. Pure.

use super::{Mode, Refusal, Request, disks};
use facts::domain::{Disk, Guest};
use facts::mount::HealthState;
use facts::{Known, Snapshot};

/// How a guest can be moved in its present state.
///
/// # Errors
/// It cannot.
pub fn mode(guest: &Guest) -> Result<Mode, Refusal> {
    let name = &guest.name;
    match guest.state.as_deref() {
        Some("shut-off") => Ok(Mode::Offline),
        Some("running") => Ok(Mode::Live),
        Some("paused") => Err(Refusal::new(
            format!("{name} is paused"),
            format!("virsh resume {name}, or shut it down, then again"),
        )),
        Some(state) => Err(Refusal::new(
            format!("{name} is in the state {state}"),
            "shut it down or start it, then again",
        )),
        None => Err(Refusal::new(
            format!("whether {name} runs could not be read"),
            "run as root on the host itself",
        )),
    }
}

/// Whether SELinux labels files here.
pub fn labelled(snapshot: &Snapshot) -> bool {
    let mode = &snapshot.hooks.selinux;
    !mode.is_absent() && mode.known().is_none_or(|mode| mode != "disabled")
}

/// What speaks against moving the guest at all.
pub fn guest(guest: &Guest, snapshot: &Snapshot) -> Vec<Refusal> {
    let name = &guest.name;
    let mut refused = Vec::new();
    if !guest.persistent {
        refused.push(Refusal::new(
            format!("{name} has no persistent definition: it is gone once it stops"),
            format!("virsh dumpxml {name} > {name}.xml; virsh define {name}.xml"),
        ));
    }
    let saved = snapshot.images.managed_saves.iter();
    if saved.clone().any(|save| &save.guest == name) {
        refused.push(Refusal::new(
            format!("{name} has a managed save, whose memory belongs to the disks as they are"),
            format!(
                "virsh start {name} and shut it down properly, or give the saved state up: virsh managedsave-remove {name}"
            ),
        ));
    }
    let mut snapshots: Vec<&str> = Vec::new();
    for of in snapshot
        .images
        .snapshots
        .iter()
        .filter(|s| &s.guest == name)
    {
        snapshots.push(&of.name);
    }
    if !snapshots.is_empty() {
        refused.push(Refusal::new(
            format!(
                "{name} has snapshots ({}), which name the images as they are",
                snapshots.join(", ")
            ),
            format!("delete them first: virsh snapshot-delete {name} NAME"),
        ));
    }
    for device in &guest.hostdevs {
        refused.push(Refusal::new(
            format!("{name} has a device of the host passed through ({device})"),
            "shut it down and detach the device first: virsh detach-device --config",
        ));
    }
    refused
}

/// What speaks against moving one disk of it.
pub fn disk(
    disk: &Disk,
    guest: &Guest,
    mode: Mode,
    request: &Request,
    snapshot: &Snapshot,
) -> Vec<Refusal> {
    let mut refused = Vec::new();
    let mut push = |why: String, advice: &str| {
        refused.push(Refusal::new(why, advice).of(&disk.target));
    };
    let source = disk.source.as_deref().unwrap_or_default();
    if disk.live_source.is_some() && disk.live_source.as_deref() == disks::path(disk) {
        push(
            format!("it is a volume ({source}) that runs under its path since it was taken back"),
            "shut the guest down and start it once, then again; or evacuate it while it is off",
        );
    } else if let Some(live) = &disk.live_source {
        push(
            format!("it runs on {live} and is defined on {source}"),
            "find out which one is right, then make the definition say so: virsh edit",
        );
    }
    if disk.live_only {
        push(
            "it was attached to the running guest only".to_owned(),
            "make it persistent (virsh attach-device --config) or detach it",
        );
    }
    if disk.shareable {
        push(
            "it is shared by several guests (<shareable/>)".to_owned(),
            "move it by hand with all of them off",
        );
    }
    if disk.transient {
        push(
            "its changes are thrown away when the guest stops (<transient/>)".to_owned(),
            "move it by hand with the guest off",
        );
    }
    if disk.encrypted {
        push(
            "it is encrypted: copying it needs its secret".to_owned(),
            "move it by hand with the guest off",
        );
    }
    if disk.readonly && mode == Mode::Live {
        push(
            "it is read-only, which libvirt does not copy live".to_owned(),
            "shut the guest down, then again",
        );
    }
    if let Some(to) = &disk.mirror {
        push(
            format!("a block job copies it already, to {to}"),
            "wait for it, or abort it: virsh blockjob GUEST DISK --abort",
        );
    }
    if let Some(why) = &disk.chain_broken {
        push(
            format!("its backing chain cannot be followed: {why}"),
            "mend that first: qemu-img info --backing-chain shows it",
        );
    }
    match disk.format.as_deref().unwrap_or("raw") {
        "raw" | "qcow2" => {}
        other => push(
            format!("it is of the format {other}"),
            "nofail copies raw and qcow2; convert it by hand",
        ),
    }
    for part in disks::parts(disk) {
        if let Some(reason) = unseen(&part, snapshot) {
            push(reason, "once that is mended, again");
        }
    }
    let Some(path) = disks::path(disk) else {
        return refused;
    };
    let users = disks::other_users(path, &guest.name, snapshot);
    if !users.is_empty() {
        push(
            format!("{path} is also used by {}", users.join(", ")),
            "two guests on one image destroy it: find out whose it is",
        );
    }
    for part in disks::parts(disk).iter().skip(1) {
        let users = disks::other_users(part, &guest.name, snapshot);
        if !users.is_empty() && !request.flatten {
            push(
                format!("it rests on {part}, as {} does", users.join(", ")),
                "--flatten makes a copy that rests on nothing (and takes the room of both)",
            );
        }
    }
    refused
}

/// A kind of disk that is never moved, whichever disks are asked for.
pub fn kind(disk: &Disk) -> Option<Refusal> {
    let source = disk.source.as_deref().unwrap_or_default();
    let (why, advice) = match (disk.device.as_str(), disk.kind.as_str()) {
        ("lun", _) => (
            format!("it is a SCSI device of the host passed through ({source})"),
            "move its content inside the guest",
        ),
        (_, "block") => (
            format!("it is a block device of the host ({source})"),
            "move it by hand: virsh blockcopy --blockdev, or dd with the guest off",
        ),
        (_, "network") => (
            format!("QEMU itself gets it over the network ({source})"),
            "move it by hand: qemu-img convert with the guest off",
        ),
        (_, "file" | "volume") => return None,
        (_, other) => (
            format!("it is of the type {other} ({source})"),
            "nofail moves files and volumes of directory pools",
        ),
    };
    Some(Refusal::new(why, advice).of(&disk.target))
}

/// Why an image could not be looked at: its mount first, since that is what must be mended.
fn unseen(path: &str, snapshot: &Snapshot) -> Option<String> {
    let mount = facts::mount::mount_of(path, &snapshot.mounts);
    let health = mount.and_then(|mount| Some((mount, mount.health.as_ref()?)));
    if let Some((mount, health)) = health {
        let sick = match health.state {
            HealthState::NotResponding => "does not answer",
            HealthState::Stale => "is stale",
            HealthState::Failed => "fails",
            HealthState::Ok
            | HealthState::Empty
            | HealthState::ReadOnly
            | HealthState::NoPermission => "",
        };
        if !sick.is_empty() {
            return Some(format!(
                "{path} lies on {} ({}), which {sick}: {}",
                mount.target, mount.source, health.detail
            ));
        }
    }
    let image = snapshot.images.files.iter().find(|i| i.path == path)?;
    match &image.size {
        Known::Known(_) => None,
        Known::Absent => Some(format!("{path} does not exist")),
        Known::Unreadable(why) => Some(format!("{path} could not be looked at: {why}")),
    }
}
