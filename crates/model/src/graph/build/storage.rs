//! One host's file systems: mounts, the exports behind them, and the names that a cold start
//! must resolve first.

use super::{because, read_at};
use crate::graph::{Graph, Index, Kind, Regimes, Start};
use facts::fstab::{Entry, SourceKind, classify, is_address};
use facts::names::{Names, needs_dns};
use facts::path::is_below;
use facts::{Evidence, Snapshot};
use std::collections::BTreeMap;

/// The mounts of one host: those of fstab, and those that are only mounted now.
pub(super) struct Storage<'a> {
    snapshot: &'a Snapshot,
    host: Index,
    /// By mount point.
    mounts: BTreeMap<String, Mount<'a>>,
}

struct Mount<'a> {
    source: SourceKind,
    raw: &'a str,
    entry: Option<&'a Entry>,
}

impl<'a> Storage<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, host: Index) -> Self {
        let mut mounts = BTreeMap::new();
        for entry in &snapshot.fstab {
            if !entry.is_swap() && entry.target.starts_with('/') {
                let mount = Mount {
                    source: entry.kind(),
                    raw: &entry.source,
                    entry: Some(entry),
                };
                mounts.insert(entry.mount_point(), mount);
            }
        }
        for mounted in &snapshot.mounts {
            mounts
                .entry(mounted.target.clone())
                .or_insert_with(|| Mount {
                    source: classify(&mounted.source, &mounted.fstype, &mounted.options),
                    raw: &mounted.source,
                    entry: None,
                });
        }
        Self {
            snapshot,
            host,
            mounts,
        }
    }

    /// Only mounts that hold something a guest uses, or that lie on another machine, become
    /// components: `/proc` and its like fail with the host alone.
    pub(super) fn add_mounts(&self, graph: &mut Graph) {
        for (target, mount) in &self.mounts {
            if mount.source.is_remote() {
                self.add_mount(graph, target);
            }
        }
    }

    /// The component of the mount that a path lies on.
    pub(super) fn mount_of(&self, graph: &mut Graph, path: &str) -> Index {
        let on = self
            .mounts
            .iter()
            .filter(|(target, mount)| {
                is_below(path, target) && !matches!(mount.source, SourceKind::Pseudo(_))
            })
            .max_by_key(|(target, _)| target.len())
            .map_or("/", |(target, _)| target.as_str());
        self.add_mount(graph, on)
    }

    fn add_mount(&self, graph: &mut Graph, target: &str) -> Index {
        let host = &self.snapshot.host;
        let name = format!("{host}:{target}");
        let index = graph.add_to(host, Kind::Mount, &name);
        if !graph.clauses(index).is_empty() {
            return index;
        }
        let text = "a file system of this host";
        graph.need_one(index, self.host, Regimes::BOTH, because(text));
        let Some(mount) = self.mounts.get(target) else {
            return index;
        };
        let place = mount
            .entry
            .map(|e| Evidence::line("/etc/fstab", e.line, &e.text).mark(&e.source));
        let place = place.unwrap_or_else(|| Evidence::measured("/proc/self/mountinfo", mount.raw));
        if mount.entry.is_none_or(Entry::noauto) && mount.source.is_remote() {
            graph.component_mut(index).start = Start::Person;
        }
        match &mount.source {
            SourceKind::Bind(path) | SourceKind::Loop(path) if path != target => {
                let under = self.mount_of(graph, path);
                graph.need_one(
                    index,
                    under,
                    Regimes::BOTH,
                    read_at("its source lies there", place),
                );
            }
            source if source.is_remote() => self.add_remote(graph, index, mount, &place),
            _ => {}
        }
        index
    }

    /// The servers of a remote mount, the way to them, and their names.
    fn add_remote(&self, graph: &mut Graph, index: Index, mount: &Mount<'_>, place: &Evidence) {
        let hosts = mount.source.hosts();
        let path = match &mount.source {
            SourceKind::Nfs { path, .. } => path.as_str(),
            _ => "",
        };
        let exports: Vec<Index> = hosts
            .iter()
            .map(|server| {
                let known = graph.lookup.nas.get(*server).cloned();
                let nas = known.unwrap_or_else(|| (*server).to_owned());
                let server = graph.add(Kind::Nas, &nas);
                if path.is_empty() {
                    return server;
                }
                let export = graph.add(Kind::Export, &format!("{nas}:{path}"));
                if graph.clauses(export).is_empty() {
                    graph.need_one(export, server, Regimes::BOTH, because("exported by it"));
                }
                export
            })
            .collect();
        if !exports.is_empty() {
            graph.need(
                index,
                1,
                exports,
                Regimes::BOTH,
                read_at("mounted from there", place.clone()),
            );
        }
        if let Some(way) = self.way_out(graph) {
            graph.need_one(
                index,
                way,
                Regimes::BOTH,
                because("the host reaches its server over it"),
            );
        }
        // With an address among several servers no name need be known.
        if hosts.is_empty() || hosts.iter().any(|server| is_address(server)) {
            return;
        }
        let automount = mount
            .entry
            .is_some_and(|e| e.has_option("x-systemd.automount"));
        let why = read_at("its server stands there by name", place.clone());
        let names = hosts
            .iter()
            .map(|server| self.add_name(graph, server, automount))
            .collect();
        graph.need(index, 1, names, Regimes::COLD, why);
    }

    /// The bridge that carries the host's own address, where one profile says so.
    fn way_out(&self, graph: &Graph) -> Option<Index> {
        let own = self.snapshot.profiles.iter().find(|p| {
            !p.addresses.is_empty() && {
                let interface = p.interface.as_deref().unwrap_or("");
                self.snapshot.bridges.iter().any(|b| b.name == interface)
            }
        })?;
        graph.find_present(&format!(
            "bridge:{}:{}",
            self.snapshot.host,
            own.interface.as_deref()?
        ))
    }

    /// The name of a server, as this host resolves it. The mounts of a boot are tried once, before
    /// the host's guests start (systemd orders remote-fs.target before libvirtd, libvirt's unit
    /// files): a name server that is a guest must be up before. An automount is tried again at
    /// every access.
    fn add_name(&self, graph: &mut Graph, server: &str, automount: bool) -> Index {
        let host = &self.snapshot.host;
        let again = if automount { " (automount)" } else { "" };
        let index = graph.add_to(host, Kind::Name, &format!("{host}:{server}{again}"));
        let names: &Names = &self.snapshot.names;
        if !graph.clauses(index).is_empty() {
            return index;
        }
        // With the host its knowledge of the name goes: it must be asked for again.
        let text = "resolved by this host";
        graph.need_one(index, self.host, Regimes::BOTH, because(text));
        if !needs_dns(names, server) {
            return index;
        }
        let mut places = Vec::new();
        for name_server in &names.servers {
            places.push(
                match graph.lookup.guests.get(&name_server.address).cloned() {
                    Some(guest) => graph.add(Kind::Guest, &guest),
                    None => graph.add(Kind::NameServer, &name_server.address),
                },
            );
        }
        let first = names.servers.first();
        let place = first.map_or_else(
            || Evidence::file("/etc/resolv.conf"),
            |s| Evidence::line(&s.file, s.line, &s.text),
        );
        let why = read_at("one of its name servers must answer", place);
        if places.is_empty() {
            return index;
        }
        if automount {
            graph.need(index, 1, places, Regimes::COLD, why);
        } else {
            graph.need_at_boot(index, places, why);
        }
        index
    }
}
