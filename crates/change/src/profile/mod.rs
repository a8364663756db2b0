//! What `nofail vlan persist` writes: the VLAN state that the kernel has now, into the network
//! profiles that make it anew at the next boot. `nofail net apply` and `nofail fix` write with it too.
//!
//! Pure but for the reader that it is given: texts in, acts for the engine out. Guests' ports are
//! nobody's profile and left out.

pub(crate) mod address;
mod ifupdown;
pub mod native;
mod networkd;
#[cfg(test)]
mod tests;

use crate::plan::{Act, Again, Command, Proposal, Run};
use facts::Snapshot;
use facts::bridge::{Bridge, Port, Role};
use facts::profile::keyfile::Keyfile;
use facts::profile::{Profile, ProfileKind, Restored, restores};
use rules::bridge::persist::{Wanted, remedy};
use std::collections::BTreeMap;

/// One entry of a bridge and what the next boot makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Bridge.
    pub bridge: String,
    /// Device: a port, or the bridge for its own entry.
    pub device: String,
    /// What the kernel has.
    pub kernel: Wanted,
    /// What the next boot would restore as things are; `None` where no profile makes it.
    pub boot: Option<Wanted>,
    /// The profile that decides, where there is one.
    pub file: Option<String>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Kernel and profile agree.
    Same,
    /// The profile is written.
    Written,
    /// A person must do it: why, and what.
    ByHand(String),
}

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub struct Persist {
    /// Every entry of every bridge with a profile, or with an uplink.
    pub items: Vec<Item>,
    /// Changes of files, for the engine; nothing of them touches the running state.
    pub proposals: Vec<Proposal>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Where files are read and what may be run.
pub struct Host<'a> {
    /// The text of a file; `None` where it is not there or cannot be read.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Whether `nmcli` can be run here.
    pub nmcli: bool,
    /// The command that writes, as a file of its own names it in its first line.
    pub writer: Writer,
}

/// The commands that write network profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// `nofail vlan persist`.
    VlanPersist,
    /// `nofail net apply`, once its change is confirmed.
    NetApply,
    /// `nofail fix`.
    Fix,
}

impl Writer {
    /// The command as a person types it.
    pub fn command(self) -> &'static str {
        match self {
            Self::VlanPersist => "nofail vlan persist",
            Self::NetApply => "nofail net apply",
            Self::Fix => "nofail fix",
        }
    }
}

impl std::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("nmcli", &self.nmcli)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

/// Texts as they will be, by path.
pub(crate) type Texts = BTreeMap<String, String>;

/// Compares kernel and profiles, and works out what to write.
pub fn persist(snapshot: &Snapshot, only: Option<&str>, host: &Host<'_>) -> Persist {
    let mut all = Persist::default();
    let mut texts = Texts::new();
    for bridge in &snapshot.bridges {
        let concerned = restores(&snapshot.profiles, &bridge.name, None).is_some()
            || bridge.uplinks().next().is_some();
        if only.map_or(concerned, |only| only == bridge.name) {
            one(snapshot, bridge, host, &mut texts, &mut all);
        }
    }
    all.proposals = proposals(texts, host);
    all
}

/// The texts that differ from what is there, as acts for the engine.
pub(crate) fn proposals(texts: Texts, host: &Host<'_>) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    for (path, text) in texts {
        if (host.read)(&path).as_deref() == Some(text.as_str()) {
            continue;
        }
        let is_keyfile = path.ends_with(".nmconnection") || path.contains("/system-connections/");
        let acts = [
            Some(Act::Write {
                content: text.into_bytes(),
                mode: if is_keyfile { 0o600 } else { 0o644 },
                path: path.clone(),
            }),
            (is_keyfile && host.nmcli).then(|| load(&path)),
        ];
        proposals.extend(acts.into_iter().flatten().map(|act| Proposal {
            act,
            rules: vec!["bridge/not-persistent".to_owned()],
            safe: true,
        }));
    }
    proposals
}

/// Has NetworkManager read a profile again; no connection changes by that (nmcli(1)).
fn load(path: &str) -> Act {
    Act::Run(Run {
        command: Command::new(["nmcli", "connection", "load", path]),
        undo: Again::Last,
        seconds: 30,
        ..Run::default()
    })
}

fn one(
    snapshot: &Snapshot,
    bridge: &Bridge,
    host: &Host<'_>,
    texts: &mut Texts,
    all: &mut Persist,
) {
    let ports = concerned(&snapshot.profiles, bridge);
    let default_pvid = default_pvid(bridge, &ports, &mut all.notes);
    for port in ports {
        let own = port.role == Role::Own;
        let wanted = Wanted {
            filtering: bridge.vlan_filtering.unwrap_or(false),
            default_pvid,
            pvid: port.pvid,
            untagged: port.untagged.clone(),
            tagged: port.tagged.clone(),
        };
        let restored = restores(
            &snapshot.profiles,
            &bridge.name,
            (!own).then_some(port.name.as_str()),
        );
        let outcome = match &restored {
            None => Outcome::ByHand(if own {
                "no profile makes this bridge: make one with the tool that this host uses"
                    .to_owned()
            } else {
                "no profile makes it a port of this bridge".to_owned()
            }),
            Some(restored) if same(restored, &wanted, own) => Outcome::Same,
            Some(restored) => match restored.uncertain {
                Some(script) => Outcome::ByHand(format!(
                    "{} sets VLANs in a way that only running it tells",
                    script.file
                )),
                None => match write(restored.profile, &port.name, own, &wanted, host, texts) {
                    Ok(()) => Outcome::Written,
                    Err(why) => Outcome::ByHand(format!(
                        "{why}; {}",
                        remedy(restored.profile, &port.name, own, &wanted)
                    )),
                },
            },
        };
        all.items.push(Item {
            bridge: bridge.name.clone(),
            device: port.name.clone(),
            boot: restored.as_ref().map(boot),
            file: restored.as_ref().map(|r| r.profile.file.clone()),
            kernel: wanted,
            outcome,
        });
    }
}

/// The entries of a bridge that profiles are to restore.
fn concerned<'a>(profiles: &[Profile], bridge: &'a Bridge) -> Vec<&'a Port> {
    let is_concerned = |p: &&Port| {
        p.role == Role::Own
            || p.role != Role::Guest && restores(profiles, &bridge.name, Some(&p.name)).is_some()
            || p.role == Role::Uplink
    };
    bridge.ports.iter().filter(is_concerned).collect()
}

/// The default PVID that is written for a bridge, and why where it is not the kernel's.
pub(crate) fn default_pvid_of(
    profiles: &[Profile],
    bridge: &Bridge,
    notes: &mut Vec<String>,
) -> u16 {
    default_pvid(bridge, &concerned(profiles, bridge), notes)
}

/// The default PVID to write. Every tool gives it to each port first and takes it from none: where
/// an entry must not carry it, none may be given.
fn default_pvid(bridge: &Bridge, ports: &[&Port], notes: &mut Vec<String>) -> u16 {
    let now = bridge.default_pvid.unwrap_or(1);
    let without: Vec<&str> = ports
        .iter()
        .filter(|p| !p.untagged.contains(&now))
        .map(|p| p.name.as_str())
        .collect();
    if now == 0 || without.is_empty() || bridge.vlan_filtering != Some(true) {
        return now;
    }
    notes.push(format!(
        "{}: the default PVID is written as none instead of {now}: {} must not carry VLAN {now}, and \
         every port would get it. A guest's port then comes up without any VLAN until the hook (or \
         libvirt) gives it some",
        bridge.name,
        without.join(", ")
    ));
    0
}

fn boot(restored: &Restored<'_>) -> Wanted {
    Wanted {
        filtering: restored.vlan_filtering,
        default_pvid: restored.default_pvid,
        pvid: restored.vlans.pvid,
        untagged: restored.vlans.untagged.clone(),
        tagged: restored.vlans.tagged.clone(),
    }
}

fn same(restored: &Restored<'_>, wanted: &Wanted, own: bool) -> bool {
    let boot = boot(restored);
    if boot.filtering != wanted.filtering {
        // Only the bridge's profile says whether it filters.
        return !own && !wanted.filtering;
    }
    !wanted.filtering
        || (boot.pvid == wanted.pvid
            && boot.untagged == wanted.untagged
            && boot.tagged == wanted.tagged
            && (!own || boot.default_pvid == wanted.default_pvid))
}

/// Writes the entry into the texts.
pub(crate) fn write(
    profile: &Profile,
    device: &str,
    own: bool,
    wanted: &Wanted,
    host: &Host<'_>,
    texts: &mut Texts,
) -> Result<(), String> {
    match profile.kind {
        ProfileKind::Keyfile => edit(texts, host, &profile.file, |text| {
            keyfile(&profile.file, text, own, wanted)
        }),
        ProfileKind::Networkd => networkd::write(profile, device, own, wanted, host, texts),
        ProfileKind::Netplan => networkd::beside_netplan(profile, device, own, wanted, host, texts),
        ProfileKind::Ifupdown => edit(texts, host, &profile.file, |text| {
            ifupdown::write(text, device, own, wanted)
        }),
        ProfileKind::Ifcfg => Err("ifcfg files are written by NetworkManager alone".to_owned()),
        ProfileKind::Script => Err("a script makes it".to_owned()),
    }
}

/// Edits a file's text, as edited so far.
pub(crate) fn edit(
    texts: &mut Texts,
    host: &Host<'_>,
    path: &str,
    change: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), String> {
    let now = match texts.get(path) {
        Some(text) => text.clone(),
        None => (host.read)(path).ok_or_else(|| format!("{path} cannot be read"))?,
    };
    let text = change(&now)?;
    texts.insert(path.to_owned(), text);
    Ok(())
}

/// NetworkManager's keyfile, see nm-settings-keyfile(5).
fn keyfile(path: &str, text: &str, own: bool, wanted: &Wanted) -> Result<String, String> {
    let said = |error: facts::SyntaxError| format!("{path}:{error}");
    let mut file = Keyfile::parse(text).map_err(said)?;
    let mut set = |section: &str, key: &str, value: &str| {
        if value.is_empty() {
            file.unset(section, key);
            return Ok(());
        }
        file.set(section, key, value).map_err(said)
    };
    let list = if wanted.filtering {
        wanted.nm_list()
    } else {
        String::new()
    };
    if own {
        set(
            "bridge",
            "vlan-filtering",
            if wanted.filtering { "true" } else { "false" },
        )?;
        set(
            "bridge",
            "vlan-default-pvid",
            &wanted.default_pvid.to_string(),
        )?;
        set("bridge", "vlans", &list)?;
    } else {
        set("bridge-port", "vlans", &list)?;
    }
    Ok(file.to_string())
}

/// Whether a profile's VLANs stand in another file than its own.
pub(crate) fn elsewhere(profile: &Profile) -> Option<&str> {
    profile.vlans.iter().find_map(|vlan| vlan.file.as_deref())
}
