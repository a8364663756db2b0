//! A guest's persistent definition, changed through libvirt, which keeps it in memory.

use crate::plan::{Again, Command, Probe, Run};
use crate::show;
use crate::state::{Bytes, Meta, State};

/// `virsh define` with the new text, and with the old one as the way back. The running guest does
/// not notice. libvirt writes the file anew in its own form, so the two are told apart by how often
/// each of `marks` stands in them.
pub(crate) fn define(file: &str, old: &str, new: &str, marks: &[&str]) -> Run {
    let state = |text: &str| State::File {
        content: Bytes::from(text),
        meta: Meta::default(),
    };
    let command = |text: &str| Command {
        input: Some(text.to_owned()),
        ..Command::new(["virsh", "define", "/dev/stdin"])
    };
    let probes = |text: &str| {
        let times = |mark: &&str| Probe::Times {
            path: file.to_owned(),
            text: (*mark).to_owned(),
            times: text.matches(*mark).count(),
        };
        marks.iter().map(times).collect()
    };
    Run {
        command: command(new),
        shows: Some(show::change(file, &state(old), &state(new))),
        before: probes(old),
        after: probes(new),
        leaves: [(file.to_owned(), Bytes::from(new))].into(),
        undo: Again::By(vec![command(old)]),
        seconds: 30,
        ..Run::default()
    }
}
