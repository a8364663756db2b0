//! The profile: what writes a confirmed state down, so that the next boot brings it too.
//!
//! NetworkManager's profiles are written with `nmcli connection modify`, which touches no running
//! state; files of systemd-networkd, netplan and ifupdown(2) are edited. What has no profile, or
//! stands in a form that nofail does not edit, is told to a person before anything is done.

use super::record::{Handle, Record, RecordError, SavedFile};
use super::run;
use super::state::{Device, State};
use crate::error::Error;
use crate::plan::{Change, Draft, Proposal, Run, Step, prepare};
use crate::profile::{self, Host, Texts, address};
use crate::root::Root;
use crate::state::State as FileState;
use facts::ip::Address;
use facts::profile::{Profile, ProfileKind, restores};
use rules::bridge::persist::{Wanted, remedy};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is to be written, and what a person must write.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// Commands, in order.
    pub commands: Vec<Vec<String>>,
    /// Files that they change.
    pub files: Vec<String>,
    /// Files that are edited, before the commands.
    pub edits: Vec<Proposal>,
    /// Where profile and declared state differ, in words.
    pub differences: Vec<String>,
    /// What no command of ours writes, in words.
    pub by_hand: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Writing {
    /// Whether nothing is left to write by machine.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.edits.is_empty()
    }

    /// The edits as steps that know what they find and leave.
    ///
    /// # Errors
    /// A file cannot be read, or is of a kind that is not replaced.
    pub fn steps(&self, root: &Root) -> Result<Vec<Step>, Error> {
        let draft = Draft {
            proposals: self.edits.clone(),
            ..Draft::default()
        };
        Ok(prepare(root, draft)?.steps)
    }

    /// The files that the commands change, as they are.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn saved(&self, root: &Root) -> Result<Vec<SavedFile>, Error> {
        let save = |path: &String| {
            let place = root.place(path, true)?;
            Ok(SavedFile {
                before: place.state()?,
                path: place.path().to_owned(),
            })
        };
        self.files.iter().map(save).collect()
    }
}

/// What writes down the part of `target` in which it differs from `before`, or from the profile
/// of a device that the change concerns.
pub fn writing(
    profiles: &[Profile],
    before: &State,
    target: &State,
    devices: &BTreeSet<String>,
    host: &Host<'_>,
) -> Writing {
    let mut work = Work {
        profiles,
        before,
        target,
        host,
        texts: Texts::new(),
        writing: Writing::default(),
    };
    for name in devices {
        let Some(device) = target.devices.get(name) else {
            continue;
        };
        if device.role == Some(facts::bridge::Role::Guest) {
            // Guests' ports are nobody's profile: the hook sets them.
            continue;
        }
        work.vlans(name, device);
        work.membership(name, device);
        work.addresses(name, device);
    }
    work.writing.edits = profile::proposals(work.texts, host);
    work.writing.notes.sort();
    work.writing.notes.dedup();
    work.writing
}

struct Work<'a> {
    profiles: &'a [Profile],
    before: &'a State,
    target: &'a State,
    host: &'a Host<'a>,
    texts: Texts,
    writing: Writing,
}

impl<'a> Work<'a> {
    fn vlans(&mut self, name: &str, device: &Device) {
        let Some(vlans) = &device.vlans else { return };
        let own = device.bridge.is_some();
        let bridge = match (&device.controller, own) {
            (_, true) => name,
            (Some(controller), false) => controller.as_str(),
            (None, false) => return,
        };
        let bridges = self.target.bridges();
        let Some(made) = bridges.iter().find(|b| b.name == bridge) else {
            return;
        };
        let wanted = Wanted {
            filtering: made.vlan_filtering.unwrap_or(false),
            default_pvid: profile::default_pvid_of(self.profiles, made, &mut self.writing.notes),
            pvid: vlans.pvid,
            untagged: vlans.untagged.iter().copied().collect(),
            tagged: vlans.tagged.iter().copied().collect(),
        };
        let port = (!own).then_some(name);
        let Some(restored) = restores(self.profiles, bridge, port) else {
            let old = self.before.devices.get(name);
            let changed = old.is_none_or(|o| o.vlans != device.vlans || o.bridge != device.bridge);
            // A port that joins gets its profile first; its VLANs are told there.
            if changed && old.is_some_and(|o| o.controller == device.controller) {
                let what = if own { "makes" } else { "attaches" };
                self.by_hand(format!(
                    "no profile {what} {name}: its VLANs are gone at the next boot"
                ));
            }
            if !own && old.is_some_and(|o| o.controller != device.controller) {
                self.vlans_of_a_new_port(name, &wanted);
            }
            return;
        };
        if !wanted.filtering && !restored.vlan_filtering {
            let old = self.before.devices.get(name);
            if old.is_some_and(|old| old.vlans != device.vlans) {
                self.writing.notes.push(format!(
                    "{bridge} does not filter by VLAN: what is set for {name} has no effect, and is not \
                     written; say vlan_filtering = true if it is to"
                ));
            }
            return;
        }
        let entry = restored.vlans.pvid == wanted.pvid
            && restored.vlans.untagged == wanted.untagged
            && restored.vlans.tagged == wanted.tagged;
        let settings = restored.vlan_filtering == wanted.filtering
            && (!own || restored.default_pvid == wanted.default_pvid);
        // Where only the bridge's filtering differs, it is written with the bridge.
        if entry && (settings || !own) {
            return;
        }
        let profile = restored.profile;
        let is = Wanted {
            filtering: restored.vlan_filtering,
            default_pvid: restored.default_pvid,
            pvid: restored.vlans.pvid,
            untagged: restored.vlans.untagged.clone(),
            tagged: restored.vlans.tagged.clone(),
        };
        self.writing.differences.push(format!(
            "{}: {name}: {} -> {}",
            profile.file,
            said(&is, own),
            said(&wanted, own)
        ));
        if is_network_manager(profile) {
            modify(profile, &nm_vlans(&wanted, own), &mut self.writing);
            return;
        }
        if let Some(script) = restored.uncertain {
            self.by_hand(format!(
                "{} sets VLANs in a way that only running it tells",
                script.file
            ));
            return;
        }
        let written = profile::write(profile, name, own, &wanted, self.host, &mut self.texts);
        if let Err(why) = written {
            self.by_hand(format!("{why}; {}", remedy(profile, name, own, &wanted)));
        }
    }

    /// VLANs of a device that becomes a port: into the profile that it has.
    fn vlans_of_a_new_port(&mut self, name: &str, wanted: &Wanted) {
        let Some(profile) = self.profile_of(name) else {
            return;
        };
        if is_network_manager(profile) {
            // Together with the membership, which `nmcli` takes first.
            return;
        }
        let written = profile::write(profile, name, false, wanted, self.host, &mut self.texts);
        if let Err(why) = written {
            self.by_hand(format!("{why}; {}", remedy(profile, name, false, wanted)));
        }
    }

    fn membership(&mut self, name: &str, device: &Device) {
        let old = self.before.devices.get(name);
        let left = old.and_then(|o| o.controller.as_deref());
        let joined = device.controller.as_deref();
        if old.is_some() && left == joined {
            return;
        }
        let file = self.file_of_membership(name, left.or(joined));
        let Some(profile) = file else {
            self.by_hand(match joined {
                Some(bridge) => format!("no profile attaches {name} to {bridge}: write one"),
                None => format!("{name} left its bridge, and no profile says so"),
            });
            return;
        };
        self.writing.differences.push(format!(
            "{}: {name} belongs to {} -> {}",
            profile.file,
            profile.controller.as_deref().unwrap_or("no bridge"),
            joined.unwrap_or("no bridge")
        ));
        if is_network_manager(profile) {
            let controller = joined.unwrap_or_default();
            let kind = if controller.is_empty() { "" } else { "bridge" };
            let settings = [
                ("connection.master".to_owned(), controller.to_owned()),
                ("connection.slave-type".to_owned(), kind.to_owned()),
            ];
            modify(profile, &settings, &mut self.writing);
            if joined.is_some()
                && let Some(wanted) = self.wanted_of_port(name, device)
            {
                modify(profile, &nm_vlans(&wanted, false), &mut self.writing);
            }
            return;
        }
        let attached = address::attach(profile, name, joined, self.host, &mut self.texts);
        if let Err(why) = attached {
            self.by_hand(format!(
                "in {}: {name} belongs to {} ({why})",
                profile.file,
                joined.unwrap_or("no bridge")
            ));
        }
    }

    /// What a port that joins a filtering bridge carries.
    fn wanted_of_port(&self, name: &str, device: &Device) -> Option<Wanted> {
        let bridge = self.target.devices.get(device.controller.as_deref()?)?;
        let vlans = device.vlans.as_ref()?;
        let filtering = bridge.bridge?.vlan_filtering;
        let old = self.before.devices.get(name)?;
        (filtering && old.controller != device.controller).then(|| Wanted {
            filtering,
            default_pvid: 0,
            pvid: vlans.pvid,
            untagged: vlans.untagged.iter().copied().collect(),
            tagged: vlans.tagged.iter().copied().collect(),
        })
    }

    fn addresses(&mut self, name: &str, device: &Device) {
        let old = self.before.devices.get(name);
        let (mut changed, mut moved) = (Vec::new(), false);
        for v6 in [false, true] {
            let (was, is) = (addresses_of(old, v6), addresses_of(Some(device), v6));
            let (from, to) = (
                gateway(self.before, name, v6),
                gateway(self.target, name, v6),
            );
            if was != is || from != to {
                changed.push((v6, is, from, to));
                moved |= from != to;
            }
        }
        if changed.is_empty() {
            return;
        }
        let Some(profile) = self.profile_of(name) else {
            for (v6, is, ..) in changed {
                self.by_hand(format!(
                    "no profile gives {name} its {} addresses: {}",
                    family(v6),
                    list(&is)
                ));
            }
            return;
        };
        let wanted = address::Wanted {
            addresses: [false, true]
                .into_iter()
                .flat_map(|v6| addresses_of(Some(device), v6))
                .collect(),
            gateways: moved.then(|| {
                let gateways = [false, true].map(|v6| gateway(self.target, name, v6));
                gateways.into_iter().flatten().collect()
            }),
        };
        self.writing.differences.push(format!(
            "{}: {name}: addresses {} -> {}",
            profile.file,
            list(&profile.addresses),
            list(&wanted.addresses)
        ));
        if is_network_manager(profile) {
            for (v6, is, from, to) in changed {
                let settings = nm_addresses(v6, &is, from, to);
                modify(profile, &settings, &mut self.writing);
            }
            return;
        }
        let written = address::write(profile, name, &wanted, self.host, &mut self.texts);
        if let Err(why) = written {
            self.by_hand(format!(
                "in {}: addresses of {name}: {} ({why})",
                profile.file,
                list(&wanted.addresses)
            ));
        }
    }

    fn by_hand(&mut self, text: String) {
        self.writing.by_hand.push(text);
    }

    /// The one profile that gives an interface its addresses and takes part in the boot; of
    /// networkd's two files that is the `.network`, beside netplan's drop-ins netplan's own.
    fn profile_of(&self, name: &str) -> Option<&'a Profile> {
        let named = |p: &&Profile| p.counts() && p.interface.as_deref() == Some(name);
        let all = self.profiles.iter().filter(named);
        // Of equals the first, as `restores` has it: what a stanza's own commands set follows it.
        all.filter(|p| !p.is_netdev() && !p.is_drop_ins() && p.kind != ProfileKind::Script)
            .rev()
            .max_by_key(|p| p.priority)
    }

    /// The profile whose file says what a port belongs to.
    fn file_of_membership(&self, name: &str, bridge: Option<&str>) -> Option<&'a Profile> {
        let own = self.profile_of(name);
        // In netplan and interfaces(5) the bridge lists its ports, and a port needs no lines.
        own.or_else(|| {
            let maker = self.profile_of(bridge?)?;
            matches!(maker.kind, ProfileKind::Netplan | ProfileKind::Ifupdown).then_some(maker)
        })
    }
}

/// An entry as NetworkManager writes it, with the bridge's settings where it is its own.
fn said(wanted: &Wanted, own: bool) -> String {
    let list = match wanted.nm_list() {
        list if list.is_empty() => "no VLAN".to_owned(),
        list => list,
    };
    match (wanted.filtering, own) {
        (false, _) => "no filtering".to_owned(),
        (true, false) => list,
        (true, true) => format!("{list}; default PVID {}", wanted.default_pvid),
    }
}

fn nm_vlans(wanted: &Wanted, own: bool) -> Vec<(String, String)> {
    if !own {
        return vec![("bridge-port.vlans".to_owned(), wanted.nm_list())];
    }
    let filtering = if wanted.filtering { "yes" } else { "no" };
    let default = wanted.default_pvid.to_string();
    [
        ("bridge.vlan-filtering", filtering.to_owned()),
        ("bridge.vlan-default-pvid", default),
        ("bridge.vlans", wanted.nm_list()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn nm_addresses(
    v6: bool,
    addresses: &[String],
    from: Option<IpAddr>,
    to: Option<IpAddr>,
) -> Vec<(String, String)> {
    let family = family(v6);
    let method = match (addresses.is_empty(), v6) {
        (false, _) => "manual",
        (true, false) => "disabled",
        (true, true) => "link-local",
    };
    let gateway = to.map(|g| g.to_string()).unwrap_or_default();
    // In this order: a gateway without addresses is refused.
    let mut settings = vec![
        (format!("{family}.gateway"), String::new()),
        (format!("{family}.addresses"), addresses.join(",")),
        (format!("{family}.gateway"), gateway),
        (format!("{family}.method"), method.to_owned()),
    ];
    settings
        .retain(|(key, value)| !(key.ends_with("gateway") && value.is_empty() && from.is_none()));
    settings
}

fn family(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}

fn list(addresses: &[String]) -> String {
    if addresses.is_empty() {
        "none".to_owned()
    } else {
        addresses.join(", ")
    }
}

/// A device's addresses of one family, but for the kernel's own link-local ones.
fn addresses_of(device: Option<&Device>, v6: bool) -> Vec<String> {
    let mine = |a: &&Address| a.local.is_ipv6() == v6 && !(v6 && a.scope == 253);
    let addresses = device.map(|d| d.addresses.as_slice()).unwrap_or_default();
    let mut list: Vec<String> = addresses.iter().filter(mine).map(Address::text).collect();
    list.sort();
    list
}

fn gateway(state: &State, name: &str, v6: bool) -> Option<IpAddr> {
    let default = |r: &&facts::ip::Route| r.v6 == v6 && r.destination.is_none() && r.prefix == 0;
    let route = state.routes_over(name, false).find(default)?;
    route.hops.first()?.via
}

fn modify(profile: &Profile, settings: &[(String, String)], writing: &mut Writing) {
    let (key, value) = match &profile.uuid {
        Some(uuid) => ("uuid", uuid),
        None => ("id", &profile.name),
    };
    let mut words: Vec<String> = ["nmcli", "connection", "modify", key, value]
        .map(str::to_owned)
        .into();
    for (key, value) in settings {
        words.extend([key.clone(), value.clone()]);
    }
    writing.commands.push(words);
    if !writing.files.contains(&profile.file) {
        writing.files.push(profile.file.clone());
    }
}

fn is_network_manager(profile: &Profile) -> bool {
    matches!(profile.kind, ProfileKind::Keyfile | ProfileKind::Ifcfg)
}

/// Writes the profile: files first, then commands.
///
/// # Errors
/// The first that fails; the profile must then be put back.
pub fn write(record: &Record, handle: &Handle) -> Result<(), Error> {
    let root = Root::live()?;
    for (index, step) in record.edits.iter().enumerate() {
        match &step.act {
            Change::Path {
                path,
                before,
                after,
            } => {
                put(&root, handle, (path, index), before, after)?;
                handle.note(&format!("profile: {path}"));
            }
            Change::Run(again) => reread(handle, again),
        }
    }
    for words in &record.persist {
        run::run(words)?;
        handle.note(&format!("profile: {}", words.join(" ")));
    }
    Ok(())
}

/// Turns what a path holds into something else, unless it holds a third thing.
fn put(
    root: &Root,
    handle: &Handle,
    (path, index): (&str, usize),
    from: &FileState,
    to: &FileState,
) -> Result<(), Error> {
    let place = root.place(path, false)?;
    let now = place.state()?;
    if now == *to {
        return Ok(());
    }
    if !now.same(from) {
        return Err(Error::Stale {
            path: path.to_owned(),
        });
    }
    place.replaceable()?;
    let temporary = format!(".nofail-{}-{index}", handle.id);
    place.remove_temporary(&temporary)?;
    place.put(&now, to, &temporary)?;
    if place.state()?.same(to) {
        Ok(())
    } else {
        Err(Error::NotAsPlanned {
            path: path.to_owned(),
        })
    }
}

/// Has a service read its files again. That it cannot (it does not run) is no failure: it reads
/// them when it starts.
fn reread(handle: &Handle, again: &Run) {
    if let Err(error) = run::run(&again.command.argv) {
        handle.note(&error.to_string());
    }
}

/// Puts the profile files back as they were, and has NetworkManager read them again where one
/// differed.
///
/// # Errors
/// What could not be put back; everything else was.
pub fn put_back(record: &Record, handle: &Handle) -> Result<(), RecordError> {
    let root = Root::live().map_err(Box::new)?;
    let mut changed = false;
    let mut failed = None;
    let mut back = |path: &str, index: usize, before: &FileState| match put_old(
        &root,
        handle,
        (path, index),
        before,
    ) {
        Ok(true) => {
            changed = true;
            handle.note(&format!("restore: {path}"));
        }
        Ok(false) => {}
        Err(error) => {
            handle.note(&format!("restore failed: {}", crate::error::chain(&error)));
            failed.get_or_insert(error);
        }
    };
    for (index, file) in record.profiles.iter().enumerate() {
        back(&file.path, record.edits.len() + index, &file.before);
    }
    for (index, step) in record.edits.iter().enumerate().rev() {
        if let Change::Path { path, before, .. } = &step.act {
            back(path, index, before);
        }
    }
    let has_keyfiles = record.edits.iter().any(|s| matches!(s.act, Change::Run(_)));
    if changed && (has_keyfiles || !record.profiles.is_empty()) {
        let reload = ["nmcli", "connection", "reload"].map(str::to_owned);
        if let Err(error) = run::run(&reload) {
            handle.note(&format!("{error}"));
        }
    }
    match failed {
        None => Ok(()),
        Some(error) => Err(Box::new(error).into()),
    }
}

/// Puts an old state back, whatever is there now; says whether it differed.
fn put_old(
    root: &Root,
    handle: &Handle,
    (path, index): (&str, usize),
    before: &FileState,
) -> Result<bool, Error> {
    let now = FileState::read(root, path, false)?;
    if now == *before {
        return Ok(false);
    }
    let temporary = format!(".nofail-{}-{index}-undo", handle.id);
    let place = root.place(path, false)?;
    place.remove_temporary(&temporary)?;
    match place.put(&now, before, &temporary) {
        Ok(()) => Ok(true),
        // Somebody else put something into a directory that the change made: it stays.
        Err(Error::Path { source, .. })
            if source.kind() == std::io::ErrorKind::DirectoryNotEmpty =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::state::{Settings, Vlans};
    use crate::plan::Act;
    use crate::profile::Writer;
    use facts::bridge::Role;
    use facts::profile::{ifupdown, netplan, networkd};
    use std::collections::BTreeMap;

    fn entry(pvid: u16, tagged: &[u16]) -> Option<Vlans> {
        Some(Vlans {
            pvid: Some(pvid),
            untagged: [pvid].into(),
            tagged: tagged.iter().copied().collect(),
        })
    }

    fn state(pvid: u16, tagged: &[u16], address: &str) -> State {
        let address = {
            let (local, prefix) = address.split_once('/').unwrap();
            Address::new("br0", local.parse().unwrap(), prefix.parse().unwrap())
        };
        let bridge = Device {
            kind: "bridge".to_owned(),
            up: true,
            bridge: Some(Settings {
                vlan_filtering: true,
                default_pvid: Some(0),
            }),
            vlans: entry(pvid, &[]),
            addresses: vec![address],
            ..Device::default()
        };
        let port = Device {
            kind: "physical".to_owned(),
            role: Some(Role::Uplink),
            up: true,
            controller: Some("br0".to_owned()),
            vlans: entry(pvid, tagged),
            ..Device::default()
        };
        State {
            devices: [("br0".to_owned(), bridge), ("eno1".to_owned(), port)].into(),
            routes: Vec::new(),
        }
    }

    type Read = fn(&BTreeMap<String, String>) -> Vec<Profile>;

    /// Writes down a change of VLANs and address, and reads the files again as `read` does.
    fn round(files: &[(&str, &str)], read: Read) -> BTreeMap<String, String> {
        let mut texts: BTreeMap<String, String> = files
            .iter()
            .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
            .collect();
        let (before, target) = (
            state(1, &[], "10.0.0.2/24"),
            state(100, &[10, 20], "10.1.0.2/24"),
        );
        let devices: BTreeSet<String> = ["br0", "eno1"].map(str::to_owned).into();
        let writing_of = |texts: &BTreeMap<String, String>, before: &State| {
            let profiles = read(texts);
            let text = |path: &str| texts.get(path).cloned();
            let host = Host {
                read: &text,
                nmcli: true,
                writer: Writer::NetApply,
            };
            writing(&profiles, before, &target, &devices, &host)
        };
        let done = writing_of(&texts, &before);
        assert_eq!(done.by_hand, Vec::<String>::new());
        assert_eq!(done.differences.len(), 3, "{:#?}", done.differences);
        for proposal in done.edits {
            let Act::Write { path, content, .. } = proposal.act else {
                panic!("only files are written")
            };
            texts.insert(path, String::from_utf8(content).unwrap());
        }
        let profiles = read(&texts);
        for (port, device) in [(None, "br0"), (Some("eno1"), "eno1")] {
            let restored = restores(&profiles, "br0", port).unwrap();
            let vlans = target.devices[device].vlans.clone().unwrap();
            assert!(restored.vlan_filtering);
            assert_eq!(restored.vlans.pvid, vlans.pvid, "{device} {texts:#?}");
            let tagged: Vec<u16> = vlans.tagged.into_iter().collect();
            assert_eq!(restored.vlans.tagged, tagged, "{device} {texts:#?}");
        }
        let own = |p: &&Profile| p.interface.as_deref() == Some("br0") && !p.addresses.is_empty();
        let addresses = profiles.iter().find(own).unwrap().addresses.clone();
        assert_eq!(addresses, ["10.1.0.2/24"]);
        // Written once, there is nothing left to write.
        assert!(writing_of(&texts, &target).is_empty());
        texts
    }

    #[test]
    fn networkd_holds_what_was_confirmed() {
        let texts = round(
            &[
                (
                    "/etc/systemd/network/br0.netdev",
                    "[NetDev]\nName=br0\nKind=bridge\n",
                ),
                (
                    "/etc/systemd/network/br0.network",
                    "[Match]\nName=br0\n[Network]\n# ours\nAddress=10.0.0.2/24\n",
                ),
                (
                    "/etc/systemd/network/eno1.network",
                    "[Match]\nName=eno1\n[Network]\nBridge=br0\n",
                ),
            ],
            |texts| {
                let all = texts.iter();
                all.flat_map(|(path, text)| networkd::parse(path, text).unwrap())
                    .collect()
            },
        );
        assert!(texts["/etc/systemd/network/br0.network"].contains("# ours\nAddress=10.1.0.2/24"));
    }

    #[test]
    fn netplan_holds_addresses_and_drop_ins_the_vlans() {
        let yaml = "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    eno1: {}\n  \
                    bridges:\n    br0:\n      interfaces: [eno1]\n      addresses: [10.0.0.2/24]\n";
        round(&[("/etc/netplan/1.yaml", yaml)], |texts| {
            let mut profiles =
                netplan::parse("/etc/netplan/1.yaml", &texts["/etc/netplan/1.yaml"]).unwrap();
            for profile in &mut profiles {
                let device = profile.interface.clone().unwrap();
                for (suffix, named) in
                    [("netdev", "[NetDev]\nName="), ("network", "[Match]\nName=")]
                {
                    let folder = format!("/etc/systemd/network/10-netplan-{device}.{suffix}.d");
                    let drop_in = texts.get(&format!("{folder}/nofail-vlan.conf"));
                    let Some(drop_in) = drop_in else { continue };
                    let text = format!("{named}{device}\n{drop_in}");
                    let made = networkd::parse(&format!("x.{suffix}"), &text).unwrap();
                    for made in made {
                        profile.vlans.extend(made.vlans);
                        profile.vlan_filtering = made.vlan_filtering.or(profile.vlan_filtering);
                        profile.default_pvid = made.default_pvid.or(profile.default_pvid);
                    }
                }
            }
            profiles
        });
    }

    #[test]
    fn interfaces_hold_both() {
        let text = "auto br0\niface br0 inet static\n    address 10.0.0.2/24\n    bridge-ports eno1\n    \
                    bridge-vlan-aware yes\n    post-up bridge vlan del dev br0 vid 1 self || true\n\n\
                    auto eno1\niface eno1 inet manual\n";
        round(&[("/etc/network/interfaces", text)], |texts| {
            ifupdown::parse("/etc/network/interfaces", &texts["/etc/network/interfaces"]).unwrap()
        });
    }

    #[test]
    fn vlans_of_a_bridge_that_does_not_filter_are_told_and_not_written() {
        let devices: BTreeSet<String> = ["br0", "eno1"].map(str::to_owned).into();
        let plain = |pvid| {
            let mut state = state(pvid, &[], "10.0.0.2/24");
            let settings = state.devices.get_mut("br0").unwrap().bridge.as_mut();
            settings.unwrap().vlan_filtering = false;
            state
        };
        let text =
            "auto br0\niface br0 inet static\n    address 10.0.0.2/24\n    bridge-ports eno1\n";
        let profiles = ifupdown::parse("/etc/network/interfaces", text).unwrap();
        let host = Host {
            read: &|_| Some(text.to_owned()),
            nmcli: false,
            writer: Writer::NetApply,
        };
        let done = writing(&profiles, &plain(1), &plain(100), &devices, &host);
        assert!(done.is_empty(), "{done:?}");
        assert!(done.notes[0].contains("br0 does not filter"), "{done:?}");
        let same = writing(&profiles, &plain(1), &plain(1), &devices, &host);
        assert_eq!(same.notes, Vec::<String>::new());
    }

    #[test]
    fn what_has_no_profile_is_told_and_networkmanager_is_asked() {
        let devices: BTreeSet<String> = ["br0", "eno1"].map(str::to_owned).into();
        let (before, target) = (
            state(1, &[], "10.0.0.2/24"),
            state(100, &[10], "10.0.0.2/24"),
        );
        let host = Host {
            read: &|_| None,
            nmcli: true,
            writer: Writer::NetApply,
        };
        let none = writing(&[], &before, &target, &devices, &host);
        assert!(none.is_empty());
        assert_eq!(none.by_hand.len(), 2, "{:?}", none.by_hand);
        let text = "[connection]\nid=br0\ntype=bridge\ninterface-name=br0\n[bridge]\n\
                    vlan-filtering=true\nvlan-default-pvid=0\nvlans=1 pvid untagged\n";
        let profiles = facts::profile::keyfile::parse("/x/br0.nmconnection", text).unwrap();
        let done = writing(&profiles, &before, &target, &devices, &host);
        let words = done.commands[0].join(" ");
        assert!(words.contains("bridge.vlans 100 pvid untagged"), "{words}");
        assert_eq!(done.files, ["/x/br0.nmconnection"]);
    }
}
