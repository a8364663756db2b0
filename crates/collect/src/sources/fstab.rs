//! `/etc/fstab`.

use super::why;
use crate::{HostReader, Options};
use facts::{Snapshot, Source};
use std::io;

const PATH: &str = "/etc/fstab";

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    match reader.text(PATH) {
        Ok(text) => {
            let document = facts::fstab::parse(&text);
            snapshot.fstab = document.entries();
            snapshot.fstab_errors = document.errors().to_vec();
        }
        // A host without an fstab mounts what its units and the kernel command line say.
        Err(error) if error.kind() == io::ErrorKind::NotFound && reader.complete() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            snapshot.not_read(Source::Fstab, "no etc/fstab in this tree");
        }
        Err(error) => snapshot.not_read(Source::Fstab, why(PATH, &error)),
    }
}
