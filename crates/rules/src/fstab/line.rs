//! What several fstab rules ask about a line.

use facts::fstab::{Entry, is_address, join_options};
use facts::names::Names;
use facts::names::lookup::{Answer, resolve};
use facts::{Evidence, Snapshot};

/// The file.
pub const PATH: &str = "/etc/fstab";

/// The line as evidence; written anew where the snapshot does not hold its text.
pub fn evidence(entry: &Entry) -> Evidence {
    let text = if entry.text.is_empty() {
        format!(
            "{} {} {} {} {} {}",
            entry.source,
            entry.target,
            entry.fstype,
            join_options(&entry.options),
            entry.dump,
            entry.pass
        )
    } else {
        entry.text.trim_end_matches('\r').to_owned()
    };
    Evidence::line(PATH, entry.line, text)
}

/// What a person calls the line: its mount point, or its source for swap.
pub fn subject(entry: &Entry) -> String {
    if entry.is_swap() {
        entry.source.clone()
    } else {
        entry.mount_point()
    }
}

/// Whether the root file system stands on this line; `nofail` and `noauto` mean nothing there.
pub fn is_root(entry: &Entry) -> bool {
    !entry.is_swap() && entry.mount_point() == "/"
}

/// Whether the line is an automount: mounted at the first access.
pub fn is_automount(entry: &Entry) -> bool {
    entry.has_option("x-systemd.automount")
        || entry
            .options
            .iter()
            .any(|o| o == "comment=systemd.automount")
}

/// Whether the boot ends in emergency mode when this line cannot be mounted: a local mount that
/// `local-fs.target` requires (systemd-fstab-generator(8)).
pub fn stops_the_boot(entry: &Entry) -> bool {
    if entry.is_swap() || !entry.target.starts_with('/') {
        return false;
    }
    is_root(entry)
        || !(entry.nofail() || entry.noauto() || is_automount(entry) || entry.is_network())
}

/// Names (not addresses) of servers in a line for which a name server must be asked.
pub fn names_to_look_up(entry: &Entry, names: &Names) -> Vec<String> {
    entry
        .network_hosts()
        .into_iter()
        .filter(|host| !is_address(host))
        .filter(|host| resolve(names, host) == Answer::Dns)
        .collect()
}

/// Guests of a host with a disk, or a backing file of one, below a directory.
pub fn guests_below<'a>(snapshot: &'a Snapshot, directory: &str) -> Vec<&'a str> {
    let below = |path: &str| path.starts_with('/') && facts::fstab::is_below(path, directory);
    snapshot
        .guests
        .iter()
        .filter(|guest| {
            guest.disks.iter().any(|disk| {
                disk.source.as_deref().is_some_and(below)
                    || disk.resolved.as_deref().is_some_and(below)
                    || disk.backing.iter().any(|b| below(&b.source))
            })
        })
        .map(|guest| guest.name.as_str())
        .collect()
}
