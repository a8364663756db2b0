//! The kept originals, once the guest has proved itself on the copies. What is removed here does
//! not come back, so everything that could still need it is asked first.

use super::{ATTACHMENT, Moved, MovedDisk, RULE, Refusal, disks};
use crate::error::Error;
use crate::journal::{self, Id, Status};
use crate::origin::Origin;
use crate::plan::{Act, Again, Command, Draft, Probe, Proposal, Run};
use crate::root::Root;
use crate::show;
use facts::Snapshot;

/// Seconds for a removal: a large file on a slow server takes its time.
const SECONDS: u64 = 600;

/// An original that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The plan that moved it.
    pub plan: Id,
    /// What it was.
    pub disk: MovedDisk,
    /// Its path now.
    pub path: String,
}

/// The originals of a guest that the journal's evacuations kept, oldest first.
///
/// # Errors
/// The journal cannot be read.
pub fn kept(root: &Root, guest: &str) -> Result<Vec<Kept>, Error> {
    let mut found = Vec::new();
    for (id, record) in journal::list(root)? {
        let Ok(record) = record else { continue };
        let attached = record.plan.attachments.get(ATTACHMENT);
        let moved = attached.and_then(|text| serde_json::from_str::<Moved>(text).ok());
        let Some(moved) = moved.filter(|moved| moved.guest == guest) else {
            continue;
        };
        if record.status() != Status::Applied {
            continue;
        }
        for disk in moved.disks {
            let path = disk.kept.clone();
            found.extend(path.map(|path| Kept {
                plan: id.clone(),
                disk,
                path,
            }));
        }
    }
    Ok(found)
}

/// Why an original must stay. The snapshot was made now.
pub fn refused(kept: &Kept, guest: &str, snapshot: &Snapshot) -> Vec<Refusal> {
    let mut refused = Vec::new();
    let disk = &kept.disk;
    let mut push = |why: String, advice: String| {
        refused.push(Refusal::new(why, advice).of(&disk.disk));
    };
    if let Some(unread) = snapshot.unread.iter().find(|u| {
        matches!(
            u.source,
            facts::Source::Guests | facts::Source::GuestState | facts::Source::Images
        )
    }) {
        push(
            format!(
                "whether something still uses it is not known: {}",
                unread.reason
            ),
            "mend that first, then again".to_owned(),
        );
    }
    let of = snapshot.guests.iter().find(|g| g.name == guest);
    match of.and_then(|g| g.disks.iter().find(|d| d.target == disk.disk)) {
        Some(now) => {
            let path = disks::path(now);
            if path != Some(disk.to.as_str()) || now.live_source.is_some() {
                push(
                    format!(
                        "disk {} of {guest} lies on {} now, not on {}",
                        disk.disk,
                        now.live_source.as_deref().or(path).unwrap_or("nothing"),
                        disk.to
                    ),
                    format!(
                        "look which image is the right one; then rm {}",
                        show::quoted(&kept.path)
                    ),
                );
            }
            if now.mirror.is_some() {
                push(
                    "a block job copies the disk".to_owned(),
                    "wait for it".to_owned(),
                );
            }
            if now.chain_broken.is_some() || !now.backing.is_empty() {
                let rests = now
                    .backing
                    .iter()
                    .any(|b| b.source == kept.path || b.source == disk.from);
                if rests || now.chain_broken.is_some() {
                    push(
                        format!("{} still rests on another image", disk.to),
                        "qemu-img info --backing-chain shows which".to_owned(),
                    );
                }
            }
        }
        None => push(
            format!("{guest} has no disk {} any more", disk.disk),
            format!(
                "if it is not needed: rm {} {}.txt",
                show::quoted(&kept.path),
                show::quoted(&kept.path)
            ),
        ),
    }
    let copy = snapshot.images.files.iter().find(|i| i.path == disk.to);
    let size = copy.and_then(|image| image.size.known().copied());
    if size.unwrap_or(0) == 0 {
        push(
            format!("the copy {} was not seen", disk.to),
            "nothing is removed before it is".to_owned(),
        );
    }
    for path in [&kept.path, &disk.from] {
        // The guest itself counts as well.
        let users = disks::other_users(path, "", snapshot);
        if !users.is_empty() {
            push(
                format!("{path} is used by {}", users.join(", ")),
                "move that off it first".to_owned(),
            );
        }
    }
    refused
}

/// Images that the originals rested on and that no guest of this host uses any more. Another host
/// may: they are named, not removed.
pub fn orphaned(kept: &[Kept], snapshot: &Snapshot) -> Vec<String> {
    let mut paths: Vec<String> = kept.iter().flat_map(|k| k.disk.backing.clone()).collect();
    paths.sort();
    paths.dedup();
    paths.retain(|path| disks::other_users(path, "", snapshot).is_empty());
    paths
}

/// The plan that removes them. It is recorded like any other and cannot be taken back.
pub fn draft(host: &str, guest: &str, kept: &[Kept], origin: Origin) -> Draft {
    let test = |words: &[&str]| Probe::Command {
        argv: words.iter().map(|w| (*w).to_owned()).collect(),
        says: None,
    };
    let runs = kept.iter().map(|kept| {
        let note = format!("{}.txt", kept.path);
        Run {
            command: Command::new(["rm", "-f", kept.path.as_str(), note.as_str()]),
            before: vec![
                test(&["test", "-f", &kept.path]),
                test(&["test", "-s", &kept.disk.to]),
                Probe::Disk {
                    guest: guest.to_owned(),
                    disk: kept.disk.disk.clone(),
                    definition: true,
                    source: kept.disk.to.clone(),
                    copying: None,
                },
            ],
            after: vec![test(&["test", "!", "-e", &kept.path])],
            undo: Again::Never,
            seconds: SECONDS,
            ..Run::default()
        }
    });
    Draft {
        host: host.to_owned(),
        title: format!("nofail evacuate {} --remove-source", show::quoted(guest)),
        origin,
        proposals: runs
            .map(|run| Proposal {
                act: Act::Run(run),
                rules: vec![RULE.to_owned()],
                safe: false,
            })
            .collect(),
        ..Draft::default()
    }
}
