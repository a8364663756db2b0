//! Looks at the guest, its images and the target. Changes nothing; whatever may lie on a server
//! that does not answer is looked at by children with a deadline.

use super::target::{self, Target};
use super::{KEPT, Left, Mode, Move, Refusal, Request, Survey, disks, image, refuse, space};
use crate::error::Error;
use crate::show;
use collect::command;
use collect::probe::Prober;
use collect::{HostReader, Options};
use facts::domain::{Disk, Guest};
use facts::{Snapshot, Source};
use std::collections::BTreeSet;
use std::time::Duration;

/// Deadline of a question to libvirt.
const ASK: Duration = Duration::from_secs(30);
/// Where a server's squashed root ends (nobody): no owner to be kept.
const NOBODY: u32 = 65534;

/// Looks at everything that the plan rests on.
///
/// # Errors
/// There is no such guest, or libvirt does not answer. What speaks against the evacuation is no
/// error: it stands in [`Survey::refused`].
pub fn survey(
    request: &Request,
    snapshot: &Snapshot,
    reader: &dyn HostReader,
    options: &Options,
) -> Result<Survey, Refused> {
    let name = &request.guest;
    if let Some(reason) = snapshot.why_unread(Source::Guests) {
        return Err(Refused::Unread(reason.to_owned()));
    }
    let Some(guest) = snapshot.guests.iter().find(|g| &g.name == name) else {
        let known = snapshot.guests.iter().map(|g| g.name.clone()).collect();
        return Err(Refused::NoGuest(name.clone(), known));
    };
    let mut prober = Prober::new(options);
    let mut survey = Survey {
        host: snapshot.host.clone(),
        guest: name.clone(),
        mode: Mode::Offline,
        target: Target::default(),
        moves: Vec::new(),
        left: Vec::new(),
        refused: refuse::guest(guest, snapshot),
        notes: unread(snapshot),
        definition: String::new(),
        selinux: refuse::labelled(snapshot),
        stall: request.stall,
    };
    match refuse::mode(guest) {
        Ok(mode) => survey.mode = mode,
        Err(refusal) => survey.refused.push(refusal),
    }
    match target::find(request, snapshot, &mut prober) {
        Ok(target) => survey.target = target,
        Err(refusal) => survey.refused.push(refusal),
    }
    checkpoints(guest, reader, &mut survey);
    let mut looked = Looking {
        request,
        snapshot,
        guest,
        prober: &mut prober,
        survey: &mut survey,
        names: BTreeSet::new(),
    };
    for disk in &guest.disks {
        looked.disk(disk);
    }
    looked.files();
    if !survey.refused.is_empty() || survey.moves.is_empty() {
        return Ok(survey);
    }
    let (directory, available) = (&survey.target.directory, survey.target.available);
    survey
        .refused
        .extend(space::refused(&survey.moves, directory, available));
    survey
        .notes
        .extend(space::overcommitted(&survey.moves, directory, available));
    access(reader, &mut survey);
    if survey.selinux {
        survey.refused.extend(unlabelled(reader));
    }
    survey.definition = definition(name).map_err(Refused::Change)?;
    Ok(survey)
}

/// Why nothing could be surveyed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No such guest.
    #[error("there is no guest {0} on this host; it has {list}", list = listed(.1))]
    NoGuest(String, Vec<String>),
    /// The guests could not be read.
    #[error("the guests of this host could not be read: {0}")]
    Unread(String),
    /// libvirt does not answer.
    #[error(transparent)]
    Change(Error),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The definition as libvirt prints it, with its secrets: what is defined again must be whole.
///
/// # Errors
/// libvirt does not answer.
pub fn definition(guest: &str) -> Result<String, Error> {
    let args = ["dumpxml", "--inactive", "--security-info", guest];
    let text = command::output("virsh", &args, ASK)?;
    String::from_utf8(text).map_err(|_| Error::Probe {
        line: format!("virsh dumpxml {}", show::quoted(guest)),
        said: "its definition is no UTF-8".to_owned(),
    })
}

/// Definitions of other guests that could not be read: whether they use an image is not known.
fn unread(snapshot: &Snapshot) -> Vec<String> {
    let of =
        |source: &Source| matches!(source, Source::Guests | Source::GuestState | Source::Images);
    let items = snapshot.unread.iter().filter(|u| of(&u.source));
    items
        .map(|u| format!("not checked: {}", u.reason))
        .collect()
}

/// libvirt's checkpoints name dirty bitmaps that a copy does not have.
fn checkpoints(guest: &Guest, reader: &dyn HostReader, survey: &mut Survey) {
    let name = &guest.name;
    let kept = reader.list(&format!("/var/lib/libvirt/qemu/checkpoint/{name}"));
    if kept.is_ok_and(|names| names.iter().any(|n| n.ends_with(".xml"))) {
        survey.refused.push(Refusal::new(
            format!("{name} has checkpoints of an incremental backup, which a copy would lose"),
            format!("end that series first: virsh checkpoint-delete {name} --children NAME"),
        ));
    }
}

/// A copy needs a label here: whether nothing can set it. Told before anything is copied.
fn unlabelled(reader: &dyn HostReader) -> Option<Refusal> {
    let mut places = ["/usr/sbin/restorecon", "/sbin/restorecon"].iter();
    let there = places.any(|path| reader.stat(path).is_ok());
    (!there).then(|| {
        Refusal::new(
            "SELinux is on, and restorecon, which gives the copy its label, is not installed",
            "install policycoreutils, then again",
        )
    })
}

/// Whether QEMU could open the copies.
fn access(reader: &dyn HostReader, survey: &mut Survey) {
    let conf = reader.text("/etc/libvirt/qemu.conf").unwrap_or_default();
    let passwd = reader.text("/etc/passwd").unwrap_or_default();
    match target::qemu_user(&conf, &passwd) {
        Some(user) => match target::enters(&survey.target.directory, &user) {
            Ok(note) => survey.notes.extend(note),
            Err(refusal) => survey.refused.push(refusal),
        },
        None => survey.notes.push(
            "not checked: whether QEMU can enter the target: its user is not known".to_owned(),
        ),
    }
}

struct Looking<'a> {
    request: &'a Request,
    snapshot: &'a Snapshot,
    guest: &'a Guest,
    prober: &'a mut Prober,
    survey: &'a mut Survey,
    /// Names taken in the target by this very evacuation.
    names: BTreeSet<String>,
}

impl Looking<'_> {
    fn left(&mut self, disk: &str, source: &str, why: impl Into<String>) {
        self.survey.left.push(Left {
            disk: disk.to_owned(),
            source: source.to_owned(),
            why: why.into(),
        });
    }

    fn disk(&mut self, disk: &Disk) {
        let source = disk.source.clone().unwrap_or_default();
        if disks::removable(disk) {
            if let Some(path) = disks::path(disk)
                && let Ok(Some(mount)) = self.network(path)
            {
                let why = format!(
                    "a {} stays on {mount}; nofail fix storage/cdrom-blocks-start lets the guest start without it",
                    disk.device
                );
                self.left(&disk.target, &source, why);
            }
            return;
        }
        if let Some(refusal) = refuse::kind(disk) {
            self.survey.refused.push(refusal);
            return;
        }
        let Some(path) = disks::path(disk) else {
            let refusal = Refusal::new(
                format!("what {source} is could not be read"),
                "virsh vol-path tells whether libvirt knows it",
            );
            self.survey.refused.push(refusal.of(&disk.target));
            return;
        };
        let mut network = None;
        for part in disks::parts(disk) {
            match self.network(&part) {
                Ok(found) => network = network.or(found),
                Err(refusal) => {
                    self.survey.refused.push(refusal.of(&disk.target));
                    return;
                }
            }
        }
        if network.is_none() && !self.request.all {
            self.left(&disk.target, path, "it is local; --all moves it as well");
            return;
        }
        let mode = self.survey.mode;
        let against = refuse::disk(disk, self.guest, mode, self.request, self.snapshot);
        if !against.is_empty() {
            self.survey.refused.extend(against);
            return;
        }
        match self.moved(disk, path) {
            Ok(Some(moved)) => self.survey.moves.push(moved),
            Ok(None) => self.left(&disk.target, path, "it lies there already"),
            Err(refusals) => {
                let refusals = refusals.into_iter().map(|r| r.of(&disk.target));
                self.survey.refused.extend(refusals);
            }
        }
    }

    /// The network mount that a path lies on in the end, links followed.
    fn network(&mut self, path: &str) -> Result<Option<String>, Refusal> {
        if let Some(mount) = disks::network_mount(path, self.snapshot) {
            return Ok(Some(mount.target.clone()));
        }
        match self.prober.canonical(path) {
            Ok(real) => Ok(disks::network_mount(&real, self.snapshot).map(|m| m.target.clone())),
            // What does not exist is told where the chain is judged.
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(Refusal::new(
                format!("{path}: {error}"),
                "once the server answers again, again",
            )),
        }
    }

    /// The move of a disk; `None` where its image lies in the target already.
    fn moved(&mut self, disk: &Disk, path: &str) -> Result<Option<Move>, Vec<Refusal>> {
        let again = "once that is mended, again";
        let one = |why: String, advice: &str| vec![Refusal::new(why, advice)];
        let seen = |e: collect::probe::ProbeError| one(format!("{path}: {e}"), again);
        // The image itself is moved and renamed, not a link to it.
        let real = self.prober.canonical(path).map_err(seen)?;
        let stat = self.prober.stat(&real).map_err(seen)?;
        if !stat.is_file() {
            return Err(one(format!("{real} is no file"), "move it by hand"));
        }
        let Some((directory, file)) = real.rsplit_once('/') else {
            return Err(one(format!("{real} is no path"), again));
        };
        let format = disk.format.clone().unwrap_or_else(|| "raw".to_owned());
        let image = image::look(&real, &format).map_err(|why| one(why, again))?;
        if !image.against.is_empty() {
            let against = image.against.into_iter();
            return Err(against
                .map(|(why, advice)| Refusal::new(why, advice))
                .collect());
        }
        let goal = &self.survey.target.directory;
        if directory == goal && disk.backing.is_empty() {
            return Ok(None);
        }
        let mut name = file.to_owned();
        if directory == goal {
            // A local image upon one on the NAS: the copy needs another name than it.
            name = with_suffix(file, "flat");
        }
        if !self.names.insert(name.clone()) {
            name = with_suffix(file, &disk.target);
            self.names.insert(name.clone());
        }
        let to = format!("{}/{name}", goal.trim_end_matches('/'));
        let kept = format!("{real}{KEPT}");
        for taken in [&to, &kept] {
            match self.prober.stat(taken) {
                Err(error) if error.is_absent() => {}
                Ok(_) => {
                    return Err(one(
                        format!("{taken} exists already"),
                        "look what it is; move it out of the way, or name another target",
                    ));
                }
                Err(error) => return Err(one(format!("{taken}: {error}"), again)),
            }
        }
        let movable = match self.prober.writable(directory) {
            Ok(()) => true,
            Err(error) => {
                self.survey.notes.push(format!(
                    "{real} keeps its name: {directory} cannot be written ({error}). Nothing must start a guest from it again"
                ));
                false
            }
        };
        if stat.uid == NOBODY {
            self.survey.notes.push(format!(
                "{real} belongs to nobody (the server squashes root): the copy belongs to root, and libvirt hands it to QEMU"
            ));
        }
        Ok(Some(Move {
            disk: disk.target.clone(),
            named: disk.source.clone().unwrap_or_default(),
            to,
            kept: movable.then_some(kept),
            format,
            virtual_size: image.virtual_size,
            needs: image.needs,
            backing: disks::parts(disk).split_off(1),
            size: stat.size,
            mtime: stat.mtime,
            mode: stat.mode & 0o7777,
            uid: stat.uid,
            from: real,
        }))
    }

    /// Firmware and kernels on the NAS are named: the guest does not start without them either.
    fn files(&mut self) {
        for file in &self.guest.files {
            if let Ok(Some(mount)) = self.network(&file.path) {
                let why = format!("it stays on {mount}: copy it and virsh edit the definition");
                self.left(&file.role, &file.path, why);
            }
        }
    }
}

/// `disk.qcow2` as `disk-SUFFIX.qcow2`.
fn with_suffix(file: &str, suffix: &str) -> String {
    match file.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem}-{suffix}.{ending}"),
        _ => format!("{file}-{suffix}"),
    }
}
