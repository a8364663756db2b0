//! The mount table of the running host.

use super::why;
use crate::{HostReader, Options};
use facts::{Snapshot, Source};

const PATH: &str = "/proc/self/mountinfo";

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    if !reader.live() {
        snapshot.not_read(Source::Mounts, "a tree holds no kernel state");
        return;
    }
    match reader.text(PATH) {
        Ok(text) => match facts::mount::parse_mountinfo(&text) {
            Ok(mounts) => snapshot.mounts = mounts,
            Err(error) => snapshot.not_read(Source::Mounts, format!("{PATH}:{error}")),
        },
        Err(error) => snapshot.not_read(Source::Mounts, why(PATH, &error)),
    }
}
