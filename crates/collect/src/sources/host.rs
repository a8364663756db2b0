//! Who the host is: its name, distribution, and the time of reading.

use crate::{HostReader, Options};
use facts::Snapshot;

pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    let name = if reader.live() {
        rustix::system::uname()
            .nodename()
            .to_str()
            .ok()
            .map(str::to_owned)
    } else {
        // hostname(5): one line, `#` begins a comment.
        reader.text("/etc/hostname").ok().and_then(|text| {
            text.lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
        })
    };
    if let Some(name) = name.filter(|n| !n.is_empty()) {
        snapshot.host = name;
    }
    let release = reader
        .text("/etc/os-release")
        .or_else(|_| reader.text("/usr/lib/os-release"));
    snapshot.os = release.ok().and_then(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="))
            .map(|value| value.trim_matches(['"', '\'']).to_owned())
    });
    snapshot.taken_at = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
}
