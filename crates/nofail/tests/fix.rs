//! `nofail fix` on the trees of every rule's cases and of the incident: a second search finds
//! nothing to do, the next boot is not worse, and a rollback gives every byte, mode and owner
//! back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod scenario;

use change::fix::search::{Found, Refusal, Wish, plain_boot, search};
use change::journal::Status;
use change::origin::Origin;
use change::undo::{Strictness, rollback};
use change::{Draft, Root, engine, prepare};
use collect::{HostReader, LocalReader, Options};
use model::{Estate, Site};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A host on disk, with what a case says beyond its files.
struct Bench {
    tree: PathBuf,
    fragment: Option<String>,
    site: Option<String>,
    name: String,
}

impl Bench {
    fn look(&self, reader: &dyn HostReader) -> Estate {
        let mut snapshot = collect::collect(reader, &Options::default());
        snapshot.host.clone_from(&self.name);
        if let Some(fragment) = &self.fragment {
            snapshot = scenario::merged(&snapshot, fragment);
            snapshot.host.clone_from(&self.name);
        }
        let mut estate = Estate::of(snapshot);
        let site = self.site.as_deref();
        estate.site = site.map(|text| Site::parse("site.toml", text).unwrap());
        estate
    }

    fn search(&self, also_unsafe: bool) -> Result<Found, Refusal> {
        let reader = LocalReader::rooted(&self.tree).unwrap();
        let addresses = [("nas-01".to_owned(), "10.50.1.70".to_owned())];
        search(
            &reader,
            &Wish {
                rules: rules::registry::ALL,
                also_unsafe,
                addresses: &addresses.into(),
                look: &|reader| self.look(reader),
                boot: &|_, snapshot, unreachable| plain_boot(snapshot, unreachable),
            },
        )
    }
}

type Picture = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)>;

/// Everything in a tree but the journal.
fn picture(tree: &Path) -> Picture {
    let mut all = BTreeMap::new();
    let mut left = vec![tree.to_owned()];
    while let Some(path) = left.pop() {
        let name = path.strip_prefix(tree).unwrap().to_owned();
        if name == Path::new("var/lib/nofail") {
            continue;
        }
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            Vec::new()
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            target.to_string_lossy().into_owned().into_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        let made_for_the_journal = ["var", "var/lib"].iter().any(|p| name == Path::new(p));
        if !made_for_the_journal {
            all.insert(name, (meta.mode(), meta.uid(), meta.gid(), content));
        }
    }
    all
}

/// Mends, mends again, takes back. Gives what was mended.
fn round_trip(bench: &Bench, when: &str) -> Vec<String> {
    let before = picture(&bench.tree);
    let found = match bench.search(true) {
        Ok(found) => found,
        // Said and left alone: nothing may have changed.
        Err(_) => {
            assert_eq!(picture(&bench.tree), before, "{when}");
            return Vec::new();
        }
    };
    let mended = found
        .proposals
        .iter()
        .flat_map(|p| p.rules.clone())
        .collect();
    let root = Root::rooted(&bench.tree).unwrap();
    let draft = Draft {
        origin: Origin::here("", None),
        proposals: found.proposals,
        ..Draft::default()
    };
    let mut plan = prepare(&root, draft).unwrap_or_else(|e| panic!("{when}: {e}"));
    engine::apply(&root, &mut plan, &mut |_| {}).unwrap_or_else(|e| panic!("{when}: {e}"));
    let again = bench
        .search(true)
        .unwrap_or_else(|e| panic!("{when}: again: {e}"));
    assert!(
        again.proposals.is_empty(),
        "{when}: again: {:?}",
        again.proposals
    );
    let by = Origin::default();
    rollback(&root, &plan.id, Strictness::Known, &by, &mut |_| {})
        .unwrap_or_else(|e| panic!("{when}: {e}"));
    assert_eq!(picture(&bench.tree), before, "{when}");
    let record = change::journal::load(&root, &plan.id).unwrap();
    assert_eq!(record.status(), Status::RolledBack);
    mended
}

#[test]
fn every_tree_of_every_case_is_mended_and_comes_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let mut files = Vec::new();
    scenario::scenario_files(&folder, &mut files);
    let mut mended: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        for case in scenario::cases(&fs::read_to_string(&file).unwrap()) {
            let directory = tempfile::tempdir().unwrap();
            let mut hosts: Vec<&str> = Vec::new();
            for (name, body) in &case.blocks {
                if let Some((host, path)) = scenario::host_and_path(name) {
                    hosts.push(host);
                    scenario::put(&directory.path().join(host), path, body);
                }
            }
            hosts.sort_unstable();
            hosts.dedup();
            let block = |wanted: &str| {
                let found = case.blocks.iter().find(|(name, _)| name == wanted);
                found.map(|(_, body)| body.clone())
            };
            for host in hosts {
                let own = block(&format!("snapshot {host}"));
                let bench = Bench {
                    tree: directory.path().join(host),
                    fragment: own.or_else(|| block("snapshot").filter(|_| host == "host")),
                    site: block("site.toml"),
                    name: host.to_owned(),
                };
                let when = format!("{}:{} {}", file.display(), case.line, case.title);
                for rule in round_trip(&bench, &when) {
                    *mended.entry(rule).or_default() += 1;
                }
            }
        }
    }
    println!("{mended:#?}");
    for rule in [
        "fstab/missing-nofail",
        "fstab/nofail-loses-ordering",
        "fstab/hostname-source",
        "hook/not-executable",
        "hook/misplaced",
        "guests/autostart-link-broken",
    ] {
        assert!(
            mended.contains_key(rule),
            "{rule} was never mended: {mended:#?}"
        );
    }
}

#[test]
fn the_hosts_of_the_incident_are_mended_in_one_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/incident-2026-04-13");
    let site = fs::read_to_string(folder.join("site.toml")).unwrap();
    for host in ["kvm-01", "kvm-02"] {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join(host);
        copy(&folder.join(host), &tree);
        let bench = Bench {
            tree,
            fragment: None,
            site: Some(site.clone()),
            name: host.to_owned(),
        };
        round_trip(&bench, host);
        let found = bench.search(true).unwrap();
        let (_, fstab) = found.fstab.clone().unwrap();
        for line in fstab.lines().filter(|l| l.contains("/mnt/nas")) {
            assert!(line.starts_with("10.50.1.70:"), "{line}");
            assert!(
                line.contains("nofail") && line.contains("x-systemd.mount-timeout="),
                "{line}"
            );
        }
        if host == "kvm-01" {
            let line = fstab.lines().find(|l| l.contains("/srv/scratch")).unwrap();
            assert!(line.contains("defaults,nofail"), "{line}");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A host with something for every family of remedies.
fn whole_host(tree: &Path) {
    let put = |path: &str, body: &str| scenario::put(tree, path, body);
    put(
        "/etc/os-release",
        "ID=rocky\nPRETTY_NAME=\"Rocky Linux 9.4\"\n",
    );
    // Without it the modes of a tree tell nothing.
    put("/etc/shadow mode=0600", "root:*:19000:0:99999:7:::\n");
    put("/etc/hosts", "127.0.0.1 localhost\n");
    put("/etc/nsswitch.conf", "hosts: files dns\n");
    put("/etc/resolv.conf", "nameserver 10.50.1.53\n");
    put(
        "/etc/fstab",
        "UUID=1-1 / xfs defaults 0 0\n\
         # the NAS\n\
         nas-01:/volume1/isos\t/mnt/nas/isos\tnfs\tdefaults\t0 2\n\
         nas-01:/volume1/safe\t/mnt/nas/safe\tnfs\tsec=krb5p,x-systemd.device-timeout=20\t0 0\n",
    );
    put(
        "/etc/libvirt/hooks/qemu mode=0722",
        "#!/bin/bash\r\nexit 0\r\n",
    );
    put("/bin/bash mode=0755", "#!");
    put(
        "/usr/lib/systemd/system/libvirt-guests.service",
        "[Install]\nWantedBy=multi-user.target\n",
    );
    put(
        "/etc/sysconfig/libvirt-guests",
        "# how\nON_SHUTDOWN=ignore\nSHUTDOWN_TIMEOUT=300\n",
    );
    put(
        "/etc/libvirt/qemu/dc.xml",
        "<domain type='kvm'>\n  <name>dc</name>\n  <uuid>6f0c21a2-0001-4000-8000-000000000001</uuid>\n  <devices>\n    \
         <disk type='file' device='cdrom'>\n      <source file='/mnt/nas/isos/x.iso'/>\n      <target dev='sda' bus='sata'/>\n    </disk>\n    \
         <disk type='volume' device='disk'>\n      <source pool='vms' volume='dc.qcow2'/>\n      <target dev='vda'/>\n    </disk>\n    \
         <interface type='network'>\n      <source network='inside'/>\n    </interface>\n  </devices>\n</domain>\n",
    );
    put(
        "/etc/libvirt/qemu/autostart/dc.xml -> /etc/libvirt/qemu/dc.xml",
        "",
    );
    put(
        "/etc/libvirt/qemu/networks/inside.xml",
        "<network>\n  <name>inside</name>\n  <bridge name='virbr1'/>\n</network>\n",
    );
    put(
        "/etc/libvirt/storage/vms.xml",
        "<pool type='dir'>\n  <name>vms</name>\n  <target><path>/srv/vms</path></target>\n</pool>\n",
    );
    put(
        "/etc/NetworkManager/system-connections/br0.nmconnection mode=0644",
        "[connection]\nid=br0\nuuid=6f0c21a2-0002-4000-8000-000000000001\ntype=bridge\ninterface-name=br0\n",
    );
}

#[test]
fn every_family_of_remedies_on_one_host() {
    let directory = tempfile::tempdir().unwrap();
    whole_host(directory.path());
    let bench = Bench {
        tree: directory.path().to_owned(),
        fragment: None,
        site: None,
        name: "host".to_owned(),
    };
    let mended = round_trip(&bench, "whole host");
    for rule in [
        "bridge/profile-ignored",
        "fstab/device-timeout-ignored",
        "fstab/fsck-pass-on-network",
        "fstab/hostname-source",
        "fstab/missing-nofail",
        "guests/libvirt-guests-off",
        "guests/network-not-autostarted",
        "hook/bad-interpreter",
        "hook/writable-by-others",
        "storage/cdrom-blocks-start",
        "storage/pool-not-autostarted",
    ] {
        assert!(mended.iter().any(|m| m == rule), "{rule}: {mended:#?}");
    }
    let found = bench.search(true).unwrap();
    let shown: String = {
        let root = Root::rooted(&bench.tree).unwrap();
        let draft = Draft {
            origin: Origin::here("", None),
            proposals: found.proposals,
            ..Draft::default()
        };
        let plan = prepare(&root, draft).unwrap();
        plan.steps
            .iter()
            .map(|step| format!("{}\n", step.what))
            .collect()
    };
    for line in [
        "+      <source startupPolicy='optional' file='/mnt/nas/isos/x.iso'/>",
        "+ON_SHUTDOWN=shutdown",
        "+10.50.1.70\tnas-01",
        "chmod 0600 /etc/NetworkManager/system-connections/br0.nmconnection",
        "ln -sfn /etc/libvirt/storage/vms.xml /etc/libvirt/storage/autostart/vms.xml",
        "ln -sfn /etc/libvirt/qemu/networks/inside.xml /etc/libvirt/qemu/networks/autostart/inside.xml",
        "ln -sfn /usr/lib/systemd/system/libvirt-guests.service /etc/systemd/system/multi-user.target.wants/libvirt-guests.service",
        "+#!/bin/bash",
    ] {
        assert!(shown.contains(line), "{line} is not in:\n{shown}");
    }
    // Kerberos needs the name, whatever became of the other mount.
    assert!(shown.contains("nas-01:/volume1/safe"), "{shown}");
    assert!(!shown.contains("+10.50.1.70:/volume1/safe"), "{shown}");
}

/// What is wrong in the running state is declared for `net apply`, one file a bridge, and no step
/// of the plan touches it.
#[test]
fn the_running_state_is_handed_over_to_net_apply() {
    let directory = tempfile::tempdir().unwrap();
    scenario::put(
        directory.path(),
        "/etc/fstab",
        "UUID=1-1 / xfs defaults 0 0\n",
    );
    let fragment = r#"{"bridges": [{"name": "br-mgmt", "vlan_filtering": true, "default_pvid": 1, "ports": [
        {"name": "br-mgmt", "role": "self", "pvid": 1, "untagged": [1, 100], "tagged": []},
        {"name": "eno1", "role": "uplink", "pvid": 100, "untagged": [1, 100], "tagged": [10]},
        {"name": "vnet0", "role": "guest", "guest": "dc", "pvid": 1, "untagged": [1], "tagged": []}]}]}"#;
    let bench = Bench {
        tree: directory.path().to_owned(),
        fragment: Some(fragment.to_owned()),
        site: Some(
            "[bridges.br-mgmt]\npvid = 100\ntagged = [10, 20]\ndefault_pvid = 0\n".to_owned(),
        ),
        name: "host".to_owned(),
    };
    let found = bench.search(true).unwrap();
    assert!(found.proposals.is_empty(), "{:#?}", found.proposals);
    let rules: std::collections::BTreeSet<&str> = found.network.iter().map(|l| l.rule).collect();
    for rule in [
        "bridge/default-pvid-1",
        "bridge/pvid-differs-from-plan",
        "bridge/vlan-missing-on-uplink",
    ] {
        assert!(rules.contains(rule), "{rule}: {rules:?}");
    }
    let files = change::fix::running::files(&found.pieces);
    assert_eq!(files.len(), 1, "{files:?}");
    let declared = change::net::Declared::parse(&files[0].0, &files[0].1).unwrap();
    let bridge = &declared.bridges["br-mgmt"];
    assert_eq!((bridge.default_pvid, bridge.pvid), (Some(0), Some(100)));
    assert_eq!(bridge.ports["eno1"].tagged.as_deref(), Some(&[10, 20][..]));
    let guest = &bridge.ports["vnet0"];
    assert_eq!(guest.pvid, Some(100));
    assert_eq!(guest.untagged.as_deref(), Some(&[100][..]));
    assert_eq!(guest.tagged.as_deref(), Some(&[10, 20][..]));
}

/// An uplink that fell off its bridge is declared with the VLANs of the plan, or of its profile; not
/// where that would close a loop, or the interface is another's.
#[test]
fn an_uplink_that_fell_off_is_attached_only_where_it_is_the_one_way_out() {
    let directory = tempfile::tempdir().unwrap();
    scenario::put(
        directory.path(),
        "/etc/NetworkManager/system-connections/up.nmconnection",
        "[connection]\nid=up\ntype=ethernet\ninterface-name=eno1\ncontroller=br0\n\
         [bridge-port]\nvlans=7 pvid untagged, 8\n",
    );
    scenario::put(
        directory.path(),
        "/etc/NetworkManager/system-connections/br0.nmconnection",
        "[connection]\nid=br0\ntype=bridge\ninterface-name=br0\n\
         [bridge]\nvlan-filtering=true\nvlan-default-pvid=0\n",
    );
    for file in ["up", "br0"] {
        let path = format!("etc/NetworkManager/system-connections/{file}.nmconnection");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(directory.path().join(path), mode).unwrap();
    }
    let own = r#"{"name": "br0", "role": "self", "pvid": 7, "untagged": [7]}"#;
    let second = r#"{"name": "eno2", "role": "uplink", "pvid": 7, "untagged": [7]}"#;
    let search = |ports: &str, filtering: bool, device: &str, site: Option<&str>| {
        let fragment = format!(
            r#"{{"bridges": [{{"name": "br0", "vlan_filtering": {filtering}, "ports": [{ports}]}}],
                 "devices": [{device}]}}"#
        );
        let bench = Bench {
            tree: directory.path().to_owned(),
            fragment: Some(fragment),
            site: site.map(str::to_owned),
            name: "host".to_owned(),
        };
        let mut found = bench.search(true).unwrap();
        let about = |l: &change::fix::search::Left| l.rule == "bridge/uplink-not-attached";
        found.by_hand.retain(about);
        found.network.retain(about);
        // What else is declared of the bridge comes beside it.
        let is_uplink = |piece: &change::fix::running::Piece| match &piece.what {
            change::fix::running::What::Uplink(_) => true,
            change::fix::running::What::Entry(entry) => entry.device.as_deref() == Some("eno1"),
            _ => false,
        };
        found.pieces.retain(is_uplink);
        let files = change::fix::running::files(&found.pieces);
        let declared = files
            .first()
            .map(|(name, text)| change::net::Declared::parse(name, text).unwrap());
        (found.by_hand, declared)
    };
    let free = r#"{"name": "eno1", "kind": "physical"}"#;
    let plan = "[switches.sw]\n[hosts.host.uplinks]\neno1 = { switch = \"sw\", port = \"1\", bridge = \"br0\" }\n\
                [bridges.br0]\npvid = 100\ntagged = [10]\n";
    let (_, declared) = search(own, true, free, Some(plan));
    let port = &declared.unwrap().bridges["br0"].ports["eno1"];
    assert_eq!(
        (port.pvid, port.tagged.as_deref()),
        (Some(100), Some(&[10][..]))
    );
    let (_, declared) = search(own, true, free, None);
    let port = &declared.unwrap().bridges["br0"].ports["eno1"];
    assert_eq!(
        (port.pvid, port.tagged.as_deref()),
        (Some(7), Some(&[8][..]))
    );
    let (_, declared) = search(own, false, free, None);
    let bridge = &declared.unwrap().bridges["br0"];
    assert_eq!(bridge.uplinks.as_deref(), Some(&["eno1".to_owned()][..]));
    assert!(bridge.ports.is_empty());
    let both = format!("{own}, {second}");
    for (ports, device, why) in [
        (both.as_str(), free, "a second one closes a loop"),
        (
            own,
            r#"{"name": "eno9", "kind": "physical"}"#,
            "without a bridge: eno9",
        ),
        (
            own,
            r#"{"name": "eno1", "kind": "physical", "controller": "team0"}"#,
            "belongs to team0",
        ),
        (
            own,
            r#"{"name": "eno1", "kind": "physical", "addresses": ["10.0.0.2/24"]}"#,
            "10.0.0.2/24",
        ),
    ] {
        let (by_hand, declared) = search(ports, true, device, None);
        assert!(declared.is_none(), "{why}: {declared:?}");
        assert!(by_hand[0].steps[0].contains(why), "{by_hand:#?}");
    }
}
