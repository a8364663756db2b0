//! Network profiles of every tool, and which tool is started at boot.

mod files;
mod services;
#[cfg(test)]
mod tests;

use super::why;
use crate::{HostReader, Options};
use facts::profile::{Profile, ProfileKind, commands, ifcfg, ifupdown, keyfile, netplan, networkd};
use facts::{Snapshot, Source, SyntaxError};
use files::{Found, layered, names};
use services::Services;
use std::collections::BTreeSet;

/// Directories with scripts of the administrator's that may set VLANs at boot.
const SCRIPTS: &[&str] = &[
    "/etc/NetworkManager/dispatcher.d",
    "/etc/NetworkManager/dispatcher.d/pre-up.d",
    "/etc/networkd-dispatcher/routable.d",
    "/etc/networkd-dispatcher/configured.d",
    "/etc/networkd-dispatcher/carrier.d",
    "/etc/network/if-up.d",
    "/etc/network/if-pre-up.d",
    "/etc/systemd/system",
    "/etc/init.d",
];
/// Single files of that kind.
const SCRIPT_FILES: &[&str] = &["/etc/rc.local", "/etc/rc.d/rc.local"];
/// A script larger than this is no few lines about VLANs.
const LARGEST_SCRIPT: u64 = 256 << 10;

/// Runs after the NICs: profiles that match by MAC address are joined to their interface.
pub(super) fn collect(reader: &dyn HostReader, _: &Options, snapshot: &mut Snapshot) {
    // A tree that holds no directory of any tool is no evidence that there is no profile.
    let known = [
        "/etc/NetworkManager",
        "/etc/sysconfig/network-scripts",
        "/etc/systemd/network",
        "/etc/netplan",
        "/etc/network",
    ]
    .iter()
    .any(|directory| reader.stat(directory).is_ok());
    if !known && !reader.complete() {
        snapshot.not_read(
            Source::Profiles,
            "no directory of network profiles in this tree",
        );
        return;
    }
    let before = snapshot.profiles.len();
    let mut gather = Gather { reader, snapshot };
    gather.keyfiles();
    gather.ifcfgs();
    gather.networkd();
    gather.netplan();
    gather.ifupdown();
    gather.scripts();
    let services = Services::read(reader);
    let nics = &snapshot.nics;
    for profile in snapshot.profiles.iter_mut().skip(before) {
        profile.active = services.starts(profile.kind);
        if profile.interface.is_none()
            && profile.matches.is_empty()
            && let Some(mac) = &profile.mac
            && let Some(nic) = nics.iter().find(|n| n.mac.as_ref() == Some(mac))
        {
            profile.interface = Some(nic.name.clone());
        }
    }
}

struct Gather<'a> {
    reader: &'a dyn HostReader,
    snapshot: &'a mut Snapshot,
}

impl Gather<'_> {
    fn unread(&mut self, file: &str, reason: impl Into<String>) {
        self.snapshot
            .item_not_read(Source::Profiles, file, reason.into());
    }

    fn text(&mut self, file: &str) -> Option<String> {
        match self.reader.text(file) {
            Ok(text) => Some(text),
            Err(error) => {
                self.unread(file, why(file, &error));
                None
            }
        }
    }

    /// Names in a directory; one that is there and cannot be listed is told.
    fn list(&mut self, directory: &str) -> Vec<String> {
        match names(self.reader, directory) {
            Ok(names) => names,
            Err(error) => {
                self.unread(directory, why(directory, &error));
                Vec::new()
            }
        }
    }

    fn take(&mut self, file: &str, parsed: Result<Vec<Profile>, SyntaxError>) -> Vec<Profile> {
        parsed.unwrap_or_else(|error| {
            self.unread(file, format!("{file}:{error}"));
            Vec::new()
        })
    }

    /// NetworkManager: `/run` before `/etc` before `/usr/lib`, by UUID (NetworkManager.conf(5)).
    fn keyfiles(&mut self) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for directory in ["/etc", "/run", "/usr/lib"] {
            let directory = format!("{directory}/NetworkManager/system-connections");
            let vendor = directory.starts_with("/usr");
            for name in self.list(&directory) {
                if ignored_name(&name) || (vendor && !name.ends_with(".nmconnection")) {
                    continue;
                }
                let file = format!("{directory}/{name}");
                let Some(text) = self.text(&file) else {
                    continue;
                };
                let parsed = keyfile::parse(&file, &text);
                for mut profile in self.take(&file, parsed) {
                    profile.volatile = directory.starts_with("/run");
                    if !vendor {
                        profile.ignored = self.insecure(&file);
                    }
                    // A volatile copy shadows nothing at the next boot.
                    let hidden = profile
                        .uuid
                        .as_ref()
                        .is_some_and(|u| !profile.volatile && !seen.insert(u.clone()));
                    if !hidden {
                        self.snapshot.profiles.push(profile);
                    }
                }
            }
        }
    }

    /// NetworkManager passes over a keyfile that is not root's, or that others may read
    /// (nm-settings-keyfile(5)): passwords stand in them.
    fn insecure(&self, file: &str) -> Option<String> {
        // A tree that went through git or a plain copy lost its modes: trusted are those of a
        // tree in which nobody else may read the password hashes.
        let kept = self.reader.live()
            || self
                .reader
                .stat("/etc/shadow")
                .is_ok_and(|s| s.mode & 0o007 == 0);
        let stat = self.reader.stat(file).ok().filter(|_| kept)?;
        if stat.mode & 0o077 != 0 {
            return Some(format!(
                "its mode {:04o} lets others than root at it",
                stat.mode
            ));
        }
        // The owner in a tree that a user unpacked says nothing.
        (self.reader.live() && stat.uid != 0).then(|| format!("it belongs to user {}", stat.uid))
    }

    fn ifcfgs(&mut self) {
        let directory = "/etc/sysconfig/network-scripts";
        for name in self.list(directory) {
            let backup = ["~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave"]
                .iter()
                .any(|suffix| name.ends_with(suffix));
            if !name.starts_with("ifcfg-") || backup || name == "ifcfg-lo" {
                continue;
            }
            let file = format!("{directory}/{name}");
            if let Some(text) = self.text(&file) {
                let parsed = ifcfg::parse(&file, &text);
                let profiles = self.take(&file, parsed);
                self.snapshot.profiles.extend(profiles);
            }
        }
    }

    /// systemd-networkd: one name counts once, in `/etc` before `/run` before the vendor's;
    /// a link to /dev/null or an empty file masks it (systemd.network(5)).
    fn networkd(&mut self) {
        let layers = ["/etc", "/run", "/usr/local/lib", "/usr/lib"]
            .map(|top| format!("{top}/systemd/network"));
        for suffix in [".netdev", ".network"] {
            let (found, faults) = layered(self.reader, &layers, suffix);
            for (path, reason) in faults {
                self.unread(&path, reason);
            }
            for file in found {
                self.networkd_file(&file, &layers, suffix);
            }
        }
    }

    fn networkd_file(&mut self, file: &Found, layers: &[String], suffix: &str) {
        let text = if file.made_up {
            // Only drop-ins exist: netplan's generated file is not there before the boot.
            let name = file.name.trim_end_matches(suffix);
            let device = name
                .split_once("-netplan-")
                .map_or("", |(_, device)| device);
            let section = if suffix == ".netdev" {
                "NetDev"
            } else {
                "Match"
            };
            format!("[{section}]\nName={device}\n")
        } else {
            let Some(text) = self.text(&file.path) else {
                return;
            };
            text
        };
        if text.trim().is_empty() {
            return;
        }
        let directories = layers.iter().map(|l| format!("{l}/{}.d", file.name));
        let (dropins, faults) = layered(self.reader, &directories.collect::<Vec<_>>(), ".conf");
        for (path, reason) in faults {
            self.unread(&path, reason);
        }
        let mut texts = Vec::new();
        for dropin in dropins.iter().filter(|d| !d.made_up) {
            if let Some(text) = self.text(&dropin.path) {
                texts.push((dropin.path.clone(), text));
            }
        }
        let pairs: Vec<_> = texts
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        match networkd::parse_with(&file.path, &text, &pairs) {
            Ok(profiles) => {
                self.snapshot
                    .profiles
                    .extend(profiles.into_iter().map(|mut profile| {
                        profile.volatile = file.path.starts_with("/run/");
                        profile
                    }));
            }
            Err((path, error)) => self.unread(&path, format!("{path}:{error}")),
        }
    }

    fn netplan(&mut self) {
        let layers = ["/run/netplan", "/etc/netplan", "/lib/netplan"].map(str::to_owned);
        let (found, faults) = layered(self.reader, &layers, ".yaml");
        for (path, reason) in faults {
            self.unread(&path, reason);
        }
        let mut files = Vec::new();
        for file in found.iter().filter(|f| !f.made_up) {
            if let Some(text) = self.text(&file.path) {
                let parsed = netplan::parse(&file.path, &text);
                files.push(self.take(&file.path, parsed));
            }
        }
        self.snapshot.profiles.extend(netplan::merge(files));
    }

    fn ifupdown(&mut self) {
        let main = "/etc/network/interfaces";
        if self.reader.stat(main).is_err() {
            // Absent, or in a directory that cannot be read; the latter `list` tells.
            self.list("/etc/network");
            return;
        }
        let mut texts: Vec<(String, String)> = Vec::new();
        self.include(main, &mut texts, 8);
        let second = ["/usr/share/ifupdown2", "/etc/network/ifupdown2"]
            .iter()
            .any(|path| self.reader.stat(path).is_ok());
        let files: Vec<_> = texts
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        match ifupdown::parse_files(&files, second) {
            Ok(profiles) => self.snapshot.profiles.extend(profiles),
            Err((path, error)) => self.unread(&path, format!("{path}:{error}")),
        }
    }

    /// A file and, at the end, what it includes. The order among files matters to no fact here.
    fn include(&mut self, file: &str, texts: &mut Vec<(String, String)>, depth: u32) {
        if depth == 0 || texts.len() >= 256 || texts.iter().any(|(path, _)| path == file) {
            return;
        }
        let Some(text) = self.text(file) else { return };
        let includes = ifupdown::includes(&text);
        texts.push((file.to_owned(), text));
        let base = file.rsplit_once('/').map_or("", |(base, _)| base);
        for include in includes {
            let pattern = if include.pattern.starts_with('/') {
                include.pattern
            } else {
                format!("{base}/{}", include.pattern)
            };
            for path in files::expand(self.reader, &pattern, include.directory) {
                self.include(&path, texts, depth - 1);
            }
        }
    }

    fn scripts(&mut self) {
        let mut paths: Vec<String> = SCRIPT_FILES.iter().map(|p| (*p).to_owned()).collect();
        for directory in SCRIPTS {
            let units = *directory == "/etc/systemd/system";
            for name in names(self.reader, directory).unwrap_or_default() {
                if !units || name.ends_with(".service") {
                    paths.push(format!("{directory}/{name}"));
                }
            }
        }
        for path in paths {
            let fits = self
                .reader
                .stat(&path)
                .is_ok_and(|s| s.kind == crate::reader::Kind::File && s.size <= LARGEST_SCRIPT);
            if fits && let Ok(text) = self.reader.text(&path) {
                self.snapshot.profiles.extend(commands::parse(&path, &text));
            }
        }
    }
}

/// Names that NetworkManager passes over: hidden files and what editors and rpm leave behind.
fn ignored_name(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || [
            ".nmmeta", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".swpx",
        ]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

/// The kinds that are one program's.
pub(super) fn is_network_manager(kind: ProfileKind) -> bool {
    matches!(kind, ProfileKind::Keyfile | ProfileKind::Ifcfg)
}
