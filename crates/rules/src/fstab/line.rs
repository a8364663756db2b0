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

/// The line as evidence with one field (1 to 6) marked; the whole line where it lacks that field.
pub fn mark_field(entry: &Entry, wanted: u32) -> Evidence {
    let evidence = evidence(entry);
    let text = evidence.text.clone().unwrap_or_default();
    let (mut column, mut field) = (1, 0);
    for word in text.split_inclusive([' ', '\t']) {
        let bare = word.trim_end_matches([' ', '\t']);
        if !bare.is_empty() {
            field += 1;
            if field == wanted {
                return evidence.at(column, u32::try_from(bare.chars().count()).unwrap_or(1));
            }
        }
        column += u32::try_from(word.chars().count()).unwrap_or(0);
    }
    evidence
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
    let below = |path: &str| path.starts_with('/') && facts::path::is_below(path, directory);
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
